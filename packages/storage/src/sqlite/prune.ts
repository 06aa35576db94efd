import { UNALLOCATED } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf, monthStartOfDay } from '../convert.ts';
import { prunedState, saveTenantStateQuery } from '../queries/coordination.ts';
import { prunableLifetimes } from '../queries/prunable-lifetimes.ts';
import type { PruneCounts } from '../records.ts';
import { OLDEST_DAYS } from '../queries/prune.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { loadTenantState } from './tenant-state.ts';

/** What lies before a day. */
export function countPrunable(database: SqliteDatabase, before: string): PruneCounts {
  const day = dayNumberOf(before);
  const count = (table: string): number =>
    database.statement(`select count(*) from ${table} where day < ?`).pluck().get(day) as number;
  return database.read(() => ({
    days: count('date_states'),
    lines: count('billing_lines'),
    rows: count('chargeback_facts'),
    usageRows: count('usage_rows'),
  }));
}

const DAY_TABLES = [
  'chargeback_facts',
  'calculated_lines',
  'billing_lines',
  'line_keys',
  'line_attempts',
  'usage_rows',
  'usage_coverage',
  'date_revisions',
  'problems',
  'date_states',
] as const;

/**
 * Removes the oldest day before `before` and all that belongs to it, in one transaction. False when there is none.
 */
export function pruneOldestDay(database: SqliteDatabase, before: string): boolean {
  const limit = dayNumberOf(before);
  return database.write(() => {
    const day = oldestDay(database, limit);
    if (day === null) return false;
    database
      .statement('delete from line_portions where line_key in (select line_key from line_keys where day = ?)')
      .run(day);
    for (const table of DAY_TABLES) database.statement(`delete from ${table} where day = ?`).run(day);
    database.run(saveTenantStateQuery(database.build, prunedState(loadTenantState(database), day)));
    return true;
  });
}

function oldestDay(database: SqliteDatabase, limit: DayNumber): DayNumber | null {
  const oldest = database.statement(`select min(day) from (${OLDEST_DAYS})`).pluck().get() as number | null;
  return oldest !== null && oldest < limit ? oldest : null;
}

/** Removes what no kept day needs: old runs and emissions, inventory that ended, names that nothing uses. */
export function pruneRest(database: SqliteDatabase, before: string): void {
  const day = dayNumberOf(before);
  const instant = Date.parse(`${before}T00:00:00.000Z`);
  database.write(() => {
    database.statement(`delete from runs where started_at < ? and status <> 'running'`).run(instant);
    // What was emitted of the month is known as long as a day of it is kept.
    database.statement('delete from emissions where day < ?').run(dayNumberOf(monthStartOfDay(day)));
    database.statement('delete from problems where day < ?').run(day);
    database.statement('delete from date_revisions where day < ?').run(day);
    database
      .statement(`delete from resources where ${prunableLifetimes('resource', '@instant')}`)
      .run({ instant });
    database
      .statement(
        `delete from identities where identity_id <> @own and ${prunableLifetimes('identity', '@instant')}`,
      )
      .run({ instant, own: UNALLOCATED });
  });
  database.write(() => {
    // The newest key of each table stays, so that no key is ever given out again.
    for (const statement of ORPHANS) database.statement(statement).run();
  });
}

const ORPHANS = [
  `delete from dimensions where dimension_id < (select max(dimension_id) from dimensions)
     and dimension_id not in (select dimension_id from chargeback_facts)`,
  `delete from dimension_groups where group_id < (select max(group_id) from dimension_groups)
     and group_id not in (select group_id from dimensions)`,
  `delete from names where name_id < (select max(name_id) from names)
     and name_id not in (select name_id from dimensions) and name_id not in (select query_id from usage_coverage)
     and name_id not in (select identity_id from usage_rows) and name_id not in (select resource_id from usage_rows)`,
];
