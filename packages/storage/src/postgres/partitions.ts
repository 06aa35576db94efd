import { ChargebackError } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf, monthStartOfDay } from '../convert.ts';
import { lock } from './locks.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';
import { codeOf } from './storage-error.ts';

/** Tables cut by month, so that a month goes by dropping a table. */
export const PARTITIONED_TABLES = [
  'chargeback_facts',
  'identity_totals',
  'group_totals',
  'usage_rows',
] as const;

const CHECK_VIOLATION = '23514';

export interface Month {
  /** `2026_02`. */
  readonly suffix: string;
  readonly first: DayNumber;
  readonly end: DayNumber;
}

export function monthOf(day: DayNumber): Month {
  const start = monthStartOfDay(day);
  const first = dayNumberOf(start);
  const end = dayNumberOf(monthStartOfDay(first + 31));
  return { suffix: start.slice(0, 7).replaceAll('-', '_'), first, end };
}

/** The months that can be written. A month is made before the transaction that first writes into it. */
export class Partitions {
  readonly #database: PostgresDatabase;
  readonly #known = new Set<string>();

  constructor(database: PostgresDatabase) {
    this.#database = database;
    database.onForget(() => this.#known.clear());
  }

  /** Runs a write into a day's month, which is made where it is missing or was dropped by somebody else. */
  async around<Result>(day: DayNumber, write: () => Promise<Result>): Promise<Result> {
    const { suffix } = monthOf(day);
    await this.#ensure(day);
    try {
      return await write();
    } catch (error) {
      const cause = ChargebackError.isInstance(error) ? error.cause : undefined;
      if (codeOf(cause) !== CHECK_VIOLATION) throw error;
      this.#known.delete(suffix);
      await this.#ensure(day);
      return await write();
    }
  }

  async #ensure(day: DayNumber): Promise<void> {
    const { suffix } = monthOf(day);
    if (this.#known.has(suffix)) return;
    const existing = await this.#database.read((session) => existingMonth(session, suffix));
    if (!existing) await this.#database.transaction((session) => makeMonth(session, day));
    this.#known.add(suffix);
  }
}

async function existingMonth(session: PostgresSession, suffix: string): Promise<boolean> {
  const names = PARTITIONED_TABLES.map((table) => `${table}_${suffix}`);
  const found = await session.arrays<[number]>(
    `select count(*) from pg_inherits join pg_class on pg_class.oid = inhrelid
     where inhparent = any(array[${PARTITIONED_TABLES.map((table) => `'${table}'::regclass`).join(', ')}])
       and relname = any($1::text[])`,
    [names],
  );
  return found[0]?.[0] === names.length;
}

/**
 * Made beside the table and attached: that lets others read and write the months that are there, which
 * `create table … partition of` does not.
 */
export async function makeMonth(session: PostgresSession, day: DayNumber): Promise<void> {
  const { suffix, first, end } = monthOf(day);
  await lock(session, 'partitions');
  if (await existingMonth(session, suffix)) return;
  for (const table of PARTITIONED_TABLES) {
    const name = `${table}_${suffix}`;
    await session.execute(`drop table if exists ${name}`);
    await session.execute(`create table ${name} (like ${table} including all)`);
    await session.execute(
      `alter table ${table} attach partition ${name} for values from (${first}) to (${end})`,
    );
  }
}

/** Drops the tables of the month that a day lies in. Waits for whoever reads or writes other months, briefly. */
export async function dropMonth(session: PostgresSession, day: DayNumber): Promise<void> {
  const { suffix } = monthOf(day);
  await lock(session, 'partitions');
  for (const table of PARTITIONED_TABLES) await session.execute(`drop table if exists ${table}_${suffix}`);
}
