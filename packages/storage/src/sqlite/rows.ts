import type { Aggregation, ChargebackRow, Window } from '@chargeback/plugin-api';
import { type FactColumns, FactSums } from '../fact-sums.ts';
import type { DimensionRow, KnownDimensions } from '../known-dimensions.ts';
import { daysWithRowsQuery } from '../queries/date-states.ts';
import { groupsQuery, type Period, periodsOf, ROWS_PER_CHUNK } from '../queries/rows.ts';
import { groupRows, type PeriodSums } from '../row-grouping.ts';
import type { Owner } from '../migrations.ts';
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
  { timestamp, first, end }: Period,
  merge: boolean,
): PeriodSums {
  const sums = new FactSums();
  const select = database.statement(merge ? FACTS : FACTS_BY_INSTANT).raw();
  for (let day = first; day < end; day += 1) sums.add(select.get(day) as FactColumns, timestamp);
  const { timestamps, dimensionIds, units } = sums.columns();
  if (dimensions.lacks(dimensionIds)) {
    const found = database.statement(DIMENSIONS).raw().all(first, end) as DimensionRow[];
    dimensions.remember(found, database.all(groupsQuery(database.build)));
  }
  return { timestamps, dimensions: dimensions.of(dimensionIds), units };
}

const FACTS = `select json_group_array(dimension_id), json_group_array(amount)
  from chargeback_facts where day = ?`;

const FACTS_BY_INSTANT = `select json_group_array(dimension_id), json_group_array(amount), json_group_array(timestamp)
  from chargeback_facts join calculated_lines using (line_key) where chargeback_facts.day = ?`;

const DIMENSIONS = `select dimension_id, group_id, name from dimensions join names using (name_id)
  where dimension_id in (select dimension_id from chargeback_facts where day >= ? and day < ?)`;
