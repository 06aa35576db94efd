import {
  type Aggregation,
  type AllocationDetail,
  type ChargebackRow,
  type CostType,
  MILLISECONDS_PER_DAY,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';
import { type DayRange, dayRangeOf, joinHalves, monthStartOfDay } from '../convert.ts';
import { type DimensionGroup, groupRows, type PeriodSums } from '../row-grouping.ts';
import type { Owner } from './migrate.ts';
import type { Names } from './names.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const ROWS_PER_CHUNK = 1000;

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
  for (const period of periodsOf(database, window, aggregation)) {
    const sums = database.read(() =>
      merge ? sumsOfPeriod(database, period) : sumsByInstant(database, period),
    );
    const groups = groupsOf(database, new Set(sums.groupIds));
    const groupOf = (groupId: number) => groups.get(groupId)!;
    yield* groupRows({ ...owner, sums, groupOf, nameOf, merge }, ROWS_PER_CHUNK);
  }
}

interface Period extends DayRange {
  /** Start of the aggregation period, in milliseconds. */
  readonly timestamp: number;
}

function periodsOf(database: SqliteDatabase, window: Window, aggregation: Aggregation | null): Period[] {
  const { first, end } = dayRangeOf(window);
  const query = database.build
    .selectFrom('date_states')
    .select('day')
    .where('day', '>=', first)
    .where('day', '<', end)
    .where('row_count', '>', 0)
    .orderBy('day');
  const periods = new Map<number, Period>();
  for (const { day } of database.read(() => database.all(query))) {
    const timestamp =
      aggregation === 'monthly' ? startOfDay(monthStartOfDay(day)).getTime() : day * MILLISECONDS_PER_DAY;
    periods.set(timestamp, { timestamp, first: periods.get(timestamp)?.first ?? day, end: day + 1 });
  }
  return [...periods.values()];
}

const COLUMNS = 'group_id, name_id, high, low';
const HALVES = 'sum(amount / 4294967296) as high, sum(amount % 4294967296) as low';

type SumRow = [timestamp: bigint, groupId: bigint, nameId: bigint, high: bigint, low: bigint];

function sumsByInstant(database: SqliteDatabase, { first, end }: Period): PeriodSums {
  const select = database.statement(
    `select timestamp, ${COLUMNS} from (
       select timestamp, dimension_id, ${HALVES}
       from chargeback_facts join calculated_lines using (line_key)
       where chargeback_facts.day >= ? and chargeback_facts.day < ? group by timestamp, dimension_id
     ) join dimensions using (dimension_id)`,
  );
  return collect(select.raw().safeIntegers().iterate(first, end) as Iterable<SumRow>);
}

function sumsOfPeriod(database: SqliteDatabase, { timestamp, first, end }: Period): PeriodSums {
  const select = database.statement(
    `select ?, ${COLUMNS} from (
       select dimension_id, ${HALVES} from chargeback_facts
       where day >= ? and day < ? group by dimension_id
     ) join dimensions using (dimension_id)`,
  );
  return collect(select.raw().safeIntegers().iterate(BigInt(timestamp), first, end) as Iterable<SumRow>);
}

function collect(rows: Iterable<SumRow>): PeriodSums {
  const timestamps: number[] = [];
  const groupIds: number[] = [];
  const nameIds: number[] = [];
  const units: bigint[] = [];
  for (const [timestamp, groupId, nameId, high, low] of rows) {
    timestamps.push(Number(timestamp));
    groupIds.push(Number(groupId));
    nameIds.push(Number(nameId));
    units.push(joinHalves(high, low));
  }
  return { timestamps, groupIds, nameIds, units };
}

/** Groups are far fewer than rows, and never deleted. */
function groupsOf(database: SqliteDatabase, groupIds: ReadonlySet<number>): Map<number, DimensionGroup> {
  const query = database.build.selectFrom('dimension_groups').selectAll();
  const rows = database.read(() => database.all(query)).filter((row) => groupIds.has(row.group_id));
  return new Map(
    rows.map((row) => [
      row.group_id,
      {
        resourceId: row.resource_id,
        environmentId: row.environment_id,
        productCategory: row.product_category,
        productType: row.product_type,
        costType: row.cost_type as CostType,
        allocationMethod: row.allocation_method,
        allocationDetail: row.allocation_detail as AllocationDetail | null,
        currency: row.currency,
      },
    ]),
  );
}
