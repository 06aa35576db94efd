import { UNALLOCATED } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf, monthStartOfDay } from '../convert.ts';
import {
  prunedState,
  saveTenantStateQuery,
  tenantStateOf,
  tenantStateQuery,
} from '../queries/coordination.ts';
import { prunableLifetimes } from '../queries/prunable-lifetimes.ts';
import { OLDEST_DAYS } from '../queries/prune.ts';
import type { PruneCounts } from '../records.ts';
import type { Target } from './date-states.ts';
import { lock } from './locks.ts';
import { dropMonth, monthOf, PARTITIONED_TABLES } from './partitions.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';

/** What lies before a day. */
export function countPrunable(database: PostgresDatabase, before: string): Promise<PruneCounts> {
  const day = dayNumberOf(before);
  return database.read(async (session) => {
    const count = async (table: string) =>
      (await session.arrays<[number]>(`select count(*) from ${table} where day < $1`, [day]))[0]![0];
    return {
      days: await count('date_states'),
      lines: await count('billing_lines'),
      rows: await count('chargeback_facts'),
      usageRows: await count('usage_rows'),
    };
  });
}

/** In this order, because of what refers to what. */
const DAY_TABLES = [
  'calculated_lines',
  'billing_lines',
  'line_keys',
  'line_attempts',
  'usage_coverage',
  'date_revisions',
  'problems',
  'date_states',
] as const;

/**
 * Removes the oldest day before `before` and all that belongs to it, in one transaction. False when there is
 * none. With the last day of a month its tables are dropped, which gives their space back at once.
 */
export function pruneOldestDay(database: PostgresDatabase, before: string): Promise<boolean> {
  const limit = dayNumberOf(before);
  return database.held(async (session) => {
    const [oldest] = await session.arrays<[DayNumber | null]>(
      `select min(day) from (${OLDEST_DAYS}) as days`,
      [],
    );
    const day = oldest?.[0] ?? null;
    if (day === null || day >= limit) return false;
    await lock(session, { day });
    await session.execute(
      'delete from line_portions where line_key in (select line_key from line_keys where day = $1)',
      [day],
    );
    for (const table of DAY_TABLES) await session.execute(`delete from ${table} where day = $1`, [day]);
    await savePruned({ session, build: database.build }, day);
    if (await hasDays(session, day)) {
      for (const table of PARTITIONED_TABLES) {
        await session.execute(`delete from ${table} where day = $1`, [day]);
      }
    } else {
      await dropMonth(session, day);
      database.forgetCaches();
    }
    return true;
  });
}

async function savePruned({ session, build }: Target, day: DayNumber): Promise<void> {
  await lock(session, 'tenant');
  const before = tenantStateOf(await session.first(tenantStateQuery(build)));
  await session.run(saveTenantStateQuery(build, prunedState(before, day)));
}

/** Whether the month of a day still has days. */
async function hasDays(session: PostgresSession, day: DayNumber): Promise<boolean> {
  const { first, end } = monthOf(day);
  const found = await session.arrays(
    `(select 1 from date_states where day >= $1 and day < $2 limit 1)
     union all (select 1 from usage_coverage where day >= $1 and day < $2 limit 1)`,
    [first, end],
  );
  return found.length > 0;
}

/** Removes what no kept day needs: old runs and emissions, inventory that ended, names that nothing uses. */
export async function pruneRest(database: PostgresDatabase, before: string): Promise<void> {
  const day = dayNumberOf(before);
  const instant = Date.parse(`${before}T00:00:00.000Z`);
  await database.held(async (session) => {
    await lock(session, 'inventory');
    await lock(session, 'problems');
    await session.execute(`delete from runs where started_at < $1 and status <> 'running'`, [instant]);
    // What was emitted of the month is known as long as a day of it is kept.
    await session.execute('delete from emissions where day < $1', [dayNumberOf(monthStartOfDay(day))]);
    await session.execute('delete from problems where day < $1', [day]);
    await session.execute('delete from date_revisions where day < $1', [day]);
    await session.execute(`delete from resources where ${prunableLifetimes('resource', '$1')}`, [instant]);
    await session.execute(
      `delete from identities where identity_id <> $2 and ${prunableLifetimes('identity', '$1')}`,
      [instant, UNALLOCATED],
    );
  });
  await database.held(async (session) => {
    for (const statement of ORPHANS) await session.execute(statement);
  });
  database.forgetCaches();
}

/** Keys are counted up by the database and never given out again. */
const ORPHANS = [
  `delete from dimensions where not exists (
     select 1 from chargeback_facts where chargeback_facts.dimension_id = dimensions.dimension_id)`,
  `delete from dimension_groups where not exists (
     select 1 from dimensions where dimensions.group_id = dimension_groups.group_id)`,
  `delete from names where
     not exists (select 1 from dimensions where dimensions.name_id = names.name_id)
     and not exists (select 1 from usage_coverage where query_id = name_id)
     and not exists (select 1 from usage_rows where identity_id = name_id)
     and not exists (select 1 from usage_rows where resource_id = name_id)
     and not exists (select 1 from identity_totals where identity_totals.name_id = names.name_id)`,
];
