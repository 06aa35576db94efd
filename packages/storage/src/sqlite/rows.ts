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

const COLUMNS = 'group_id, name_id, high, low';
const HALVES = 'sum(amount / 4294967296) as high, sum(amount % 4294967296) as low';

type Integer = number | bigint;
type SumRow = [timestamp: Integer, groupId: Integer, nameId: Integer, high: Integer, low: Integer];

function sumsByInstant(database: SqliteDatabase, { first, end }: Period): PeriodSums {
  const select = database.statement(
    `select timestamp, ${COLUMNS} from (
       select timestamp, dimension_id, ${HALVES}
       from chargeback_facts join calculated_lines using (line_key)
       where chargeback_facts.day >= ? and chargeback_facts.day < ? group by timestamp, dimension_id
     ) join dimensions using (dimension_id)`,
  );
  return collect((exact) => select.raw().safeIntegers(exact).iterate(first, end) as Iterable<SumRow>);
}

function sumsOfPeriod(database: SqliteDatabase, { timestamp, first, end }: Period): PeriodSums {
  const select = database.statement(
    `select ?, ${COLUMNS} from (
       select dimension_id, ${HALVES} from chargeback_facts
       where day >= ? and day < ? group by dimension_id
     ) join dimensions using (dimension_id)`,
  );
  return collect(
    (exact) => select.raw().safeIntegers(exact).iterate(timestamp, first, end) as Iterable<SumRow>,
  );
}

/** Numbers cost a fraction of what big integers cost and hold nearly every sum; where one does not, all are read again. */
function collect(read: (exact: boolean) => Iterable<SumRow>): PeriodSums {
  return collectRows(read(false)) ?? collectRows(read(true))!;
}

/** Null when a number is too large to be exact. */
function collectRows(rows: Iterable<SumRow>): PeriodSums | null {
  const timestamps: number[] = [];
  const groupIds: number[] = [];
  const nameIds: number[] = [];
  const units: bigint[] = [];
  for (const [timestamp, groupId, nameId, high, low] of rows) {
    if (isInexact(high) || isInexact(low)) return null;
    timestamps.push(Number(timestamp));
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
