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
import { type DimensionColumns, type DimensionSums, groupRows, type RowOwner } from '../row-grouping.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const ROWS_PER_CHUNK = 1000;

/**
 * Rows of a window. One day (or month) is read and added up at a time, so that memory is bounded by it and no
 * read is open while the consumer waits.
 */
export async function* loadRows(
  database: SqliteDatabase,
  owner: RowOwner,
  { window, aggregation }: { window: Window; aggregation: Aggregation | null },
): AsyncGenerator<readonly ChargebackRow[]> {
  const merge = aggregation === 'daily' || aggregation === 'monthly';
  for (const period of periodsOf(database, window, aggregation)) {
    const { dimensions, sums } = database.read(() => ({
      dimensions: dimensionsOf(database, period),
      sums: merge ? sumsOfPeriod(database, period) : sumsByInstant(database, period),
    }));
    yield* groupRows(owner, { dimensions, sums, merge }, ROWS_PER_CHUNK);
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

const HALVES = 'sum(amount / 4294967296), sum(amount % 4294967296)';

type SumRow = [timestamp: bigint, dimensionId: bigint, high: bigint, low: bigint];

function sumsByInstant(database: SqliteDatabase, { first, end }: Period): DimensionSums {
  const select = database.statement(
    `select timestamp, dimension_id, ${HALVES}
     from chargeback_facts join calculated_lines using (line_key)
     where chargeback_facts.day >= ? and chargeback_facts.day < ? group by timestamp, dimension_id`,
  );
  return collect(select.raw().safeIntegers().iterate(first, end) as Iterable<SumRow>);
}

function sumsOfPeriod(database: SqliteDatabase, { timestamp, first, end }: Period): DimensionSums {
  const select = database.statement(
    `select ?, dimension_id, ${HALVES} from chargeback_facts
     where day >= ? and day < ? group by dimension_id`,
  );
  return collect(select.raw().safeIntegers().iterate(BigInt(timestamp), first, end) as Iterable<SumRow>);
}

function collect(rows: Iterable<SumRow>): DimensionSums {
  const sums = { timestamps: [] as number[], dimensionIds: [] as number[], units: [] as bigint[] };
  for (const [timestamp, dimensionId, high, low] of rows) {
    sums.timestamps.push(Number(timestamp));
    sums.dimensionIds.push(Number(dimensionId));
    sums.units.push(joinHalves(high, low));
  }
  return sums;
}

function dimensionsOf(database: SqliteDatabase, { first, end }: Period): DimensionColumns[] {
  const query = database.build
    .selectFrom('chargeback_dimensions')
    .selectAll()
    .where('dimension_id', 'in', (facts) =>
      facts
        .selectFrom('chargeback_facts')
        .select('dimension_id')
        .where('day', '>=', first)
        .where('day', '<', end),
    );
  return database.all(query).map((row) => ({
    dimensionId: row.dimension_id,
    resourceId: row.resource_id,
    environmentId: row.environment_id,
    productCategory: row.product_category,
    productType: row.product_type,
    identityId: row.identity_id,
    costType: row.cost_type as CostType,
    allocationMethod: row.allocation_method,
    allocationDetail: row.allocation_detail as AllocationDetail | null,
    currency: row.currency,
  }));
}
