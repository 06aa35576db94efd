import type { Aggregation, ChargebackRow, Window } from '@chargeback/plugin-api';
import { daysWithRowsQuery } from '../queries/date-states.ts';
import { type Period, periodsOf, ROWS_PER_CHUNK } from '../queries/rows.ts';
import { groupRows, type PeriodSums } from '../row-grouping.ts';
import type { Owner } from '../migrations.ts';
import type { KnownDimensions } from './known-dimensions.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** What reading rows needs to know of its store. */
export interface RowSource {
  readonly database: SqliteDatabase;
  readonly dimensions: KnownDimensions;
  readonly owner: Owner;
}

/**
 * Rows of a window. One day (or month) is read and added up at a time, so that memory is bounded by it and no
 * read is open while the consumer waits.
 */
export async function* loadRows(
  { database, dimensions, owner }: RowSource,
  window: Window,
  aggregation: Aggregation | null,
): AsyncGenerator<readonly ChargebackRow[]> {
  const merge = aggregation === 'daily' || aggregation === 'monthly';
  const days = database.read(() => database.all(daysWithRowsQuery(database.build, window)));
  for (const period of periodsOf(days, aggregation)) {
    const sums = database.read(() => sumsOf({ database, dimensions }, period, merge));
    yield* groupRows({ ...owner, sums, merge }, ROWS_PER_CHUNK);
  }
}

/** The facts of a period added up by instant (of the period where they are merged) and dimension. */
function sumsOf(
  { database, dimensions }: Pick<RowSource, 'database' | 'dimensions'>,
  period: Period,
  merge: boolean,
): PeriodSums {
  const select = merge ? FACTS : FACTS_BY_INSTANT;
  const sums =
    addUp(database, select, { period, exact: false }) ?? addUp(database, select, { period, exact: true })!;
  const timestamps: number[] = [];
  const ids: number[] = [];
  const units: bigint[] = [];
  for (const [timestamp, byDimension] of sums) {
    for (const [id, sum] of byDimension) {
      timestamps.push(timestamp);
      ids.push(id);
      units.push(BigInt(sum));
    }
  }
  return { timestamps, dimensions: dimensions.ofFacts(ids, period), units };
}

const FACTS = 'select dimension_id, amount from chargeback_facts where day = ?';

const FACTS_BY_INSTANT = `select dimension_id, amount, timestamp
  from chargeback_facts join calculated_lines using (line_key) where chargeback_facts.day = ?`;

type Integer = number | bigint;
type FactRow = [dimensionId: Integer, amount: Integer, timestamp?: Integer];

/** Sums by instant and dimension; adding here takes a third of the time of a grouping in the database. */
type Sums = Map<number, Map<number, Integer>>;

interface ToAddUp {
  readonly period: Period;
  /** Numbers cost a fraction of what big integers cost, and fit nearly always. */
  readonly exact: boolean;
}

/** Null when a number is too large to be exact. One day is in memory at a time. */
function addUp(database: SqliteDatabase, select: string, { period, exact }: ToAddUp): Sums | null {
  const { timestamp, first, end } = period;
  const sums: Sums = new Map();
  const statement = database.statement(select).raw().safeIntegers(exact);
  for (let day = first; day < end; day += 1) {
    const rows = statement.all(day) as FactRow[];
    if (!(exact ? addExactly(sums, rows, timestamp) : addNumbers(sums, rows, timestamp))) return null;
  }
  return sums;
}

function addNumbers(sums: Sums, rows: readonly FactRow[], timestamp: number): boolean {
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index] as [number, number, number?];
    const ofInstant = sumsAt(sums, row[2] ?? timestamp) as Map<number, number>;
    const sum = (ofInstant.get(row[0]) ?? 0) + row[1];
    // A 64-bit integer beyond the exact numbers is still beyond them once it is rounded to one.
    if (!Number.isSafeInteger(row[1]) || !Number.isSafeInteger(sum)) return false;
    ofInstant.set(row[0], sum);
  }
  return true;
}

function addExactly(sums: Sums, rows: readonly FactRow[], timestamp: number): boolean {
  for (const [dimensionId, amount, instant] of rows) {
    const ofInstant = sumsAt(sums, instant === undefined ? timestamp : Number(instant));
    const id = Number(dimensionId);
    ofInstant.set(id, BigInt(ofInstant.get(id) ?? 0) + BigInt(amount));
  }
  return true;
}

function sumsAt(sums: Sums, timestamp: number): Map<number, Integer> {
  let ofInstant = sums.get(timestamp);
  if (!ofInstant) sums.set(timestamp, (ofInstant = new Map()));
  return ofInstant;
}
