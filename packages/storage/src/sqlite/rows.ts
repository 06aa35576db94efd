import type { Aggregation, ChargebackRow, Window } from '@chargeback/plugin-api';
import { joinHalves } from '../convert.ts';
import { daysWithRowsQuery } from '../queries/date-states.ts';
import { groupsById, groupsQuery, type Period, periodsOf, ROWS_PER_CHUNK } from '../queries/rows.ts';
import { groupRows, type PeriodSums } from '../row-grouping.ts';
import type { Owner } from '../migrations.ts';
import type { Names } from './names.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** What reading rows needs to know of its store. */
export interface RowSource {
  readonly database: SqliteDatabase;
  readonly names: Names;
  readonly owner: Owner;
}

/**
 * Rows of a window. One day (or month) is read and added up at a time, so that memory is bounded by it and no
 * read is open while the consumer waits.
 */
export async function* loadRows(
  { database, names, owner }: RowSource,
  window: Window,
  aggregation: Aggregation | null,
): AsyncGenerator<readonly ChargebackRow[]> {
  const merge = aggregation === 'daily' || aggregation === 'monthly';
  const nameOf = (nameId: number) => names.nameOf(nameId);
  const days = database.read(() => database.all(daysWithRowsQuery(database.build, window)));
  for (const period of periodsOf(days, aggregation)) {
    const sums = database.read(() =>
      merge ? sumsOfPeriod(database, period) : sumsByInstant(database, period),
    );
    const groups = groupsById(database.read(() => database.all(groupsQuery(database.build))));
    const groupOf = (groupId: number) => groups.get(groupId)!;
    yield* groupRows({ ...owner, sums, groupOf, nameOf, merge }, ROWS_PER_CHUNK);
  }
}

type Integer = number | bigint;
type SumRow = [groupId: Integer, nameId: Integer, low: Integer, high: Integer, timestamp?: Integer];

/** Fits nearly always, and numbers cost a fraction of what big integers cost. */
const WHOLE = 'sum(amount) as low, 0 as high';
const HALVES = 'sum(amount % 4294967296) as low, sum(amount / 4294967296) as high';
const COLUMNS = 'group_id, name_id, low, high';

function sumsByInstant(database: SqliteDatabase, { first, end }: Period): PeriodSums {
  return collect((sums, exact) => {
    const select = database.statement(
      `select ${COLUMNS}, timestamp from (
         select timestamp, dimension_id, ${sums}
         from chargeback_facts join calculated_lines using (line_key)
         where chargeback_facts.day >= ? and chargeback_facts.day < ? group by timestamp, dimension_id
       ) join dimensions using (dimension_id)`,
    );
    return select.raw().safeIntegers(exact).all(first, end) as SumRow[];
  }, null);
}

function sumsOfPeriod(database: SqliteDatabase, { timestamp, first, end }: Period): PeriodSums {
  return collect((sums, exact) => {
    const select = database.statement(
      `select ${COLUMNS} from (
         select dimension_id, ${sums} from chargeback_facts
         where day >= ? and day < ? group by dimension_id
       ) join dimensions using (dimension_id)`,
    );
    return select.raw().safeIntegers(exact).all(first, end) as SumRow[];
  }, timestamp);
}

/** Where one sum is too large for a number, or for the database to add up whole, all are read again in halves. */
function collect(read: (sums: string, exact: boolean) => SumRow[], timestamp: number | null): PeriodSums {
  return columnsOf(readWhole(read), timestamp) ?? columnsOf(read(HALVES, true), timestamp)!;
}

/** Null when a sum does not fit 64 bits. */
function readWhole(read: (sums: string, exact: boolean) => SumRow[]): SumRow[] | null {
  try {
    return read(WHOLE, false);
  } catch (error) {
    if (error instanceof Error && error.message === 'integer overflow') return null;
    throw error;
  }
}

/** Null when a number is too large to be exact. Of rows without an instant `timestamp` is the period's. */
function columnsOf(rows: readonly SumRow[] | null, timestamp: number | null): PeriodSums | null {
  if (rows === null) return null;
  const timestamps: number[] = [];
  const groupIds: number[] = [];
  const nameIds: number[] = [];
  const units: bigint[] = [];
  for (const [groupId, nameId, low, high, instant] of rows) {
    if (isInexact(low)) return null;
    timestamps.push(timestamp ?? Number(instant));
    groupIds.push(Number(groupId));
    nameIds.push(Number(nameId));
    units.push(joinHalves(high, low));
  }
  return { timestamps, groupIds, nameIds, units };
}

/** A 64-bit integer beyond the exact numbers is still beyond them once it is rounded to one. */
function isInexact(value: Integer): boolean {
  return typeof value === 'number' && !Number.isSafeInteger(value);
}
