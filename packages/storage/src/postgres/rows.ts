import type { Aggregation, ChargebackRow, Window } from '@chargeback/plugin-api';
import { type FactColumns, FactSums } from '../fact-sums.ts';
import type { DimensionRow, KnownDimensions } from '../known-dimensions.ts';
import type { DayNumber } from '../convert.ts';
import type { Owner } from '../migrations.ts';
import { daysWithRowsQuery } from '../queries/date-states.ts';
import { groupsQuery, type Period, periodsOf, ROWS_PER_CHUNK } from '../queries/rows.ts';
import { groupRows, type PeriodSums } from '../row-grouping.ts';
import { columnText } from './column-text.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';

/** What reading rows needs to know of its store. */
export interface RowSource {
  readonly database: PostgresDatabase;
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
  const days = await database.all(daysWithRowsQuery(database.build, window));
  for (const period of periodsOf(days, aggregation)) {
    const sums =
      (await sumsOfDay({ database, dimensions }, period, merge)) ??
      (await database.read((session) =>
        sumsOf({ session, build: database.build, dimensions }, period, merge),
      ));
    yield* groupRows({ ...owner, sums, merge }, ROWS_PER_CHUNK);
  }
}

/**
 * One day takes one statement instead of a transaction: dimensions are mostly known, and never change. Null for any other
 * period, and for a day that was written anew and whose former dimensions were pruned just now.
 */
async function sumsOfDay(
  { database, dimensions }: Pick<RowSource, 'database' | 'dimensions'>,
  { timestamp, first, end }: Period,
  merge: boolean,
): Promise<PeriodSums | null> {
  if (end - first !== 1) return null;
  const sums = new FactSums();
  const [facts] = await database.arrays<FactColumns>(merge ? FACTS : FACTS_BY_INSTANT, [first]);
  sums.add(facts!, timestamp);
  const { timestamps, dimensionIds, units } = sums.columns();
  if (dimensions.lacks(dimensionIds)) {
    const { build } = database;
    await database.read((session) => learnDimensions({ session, build, dimensions }, first, end));
  }
  return dimensions.knows(dimensionIds)
    ? { timestamps, dimensions: dimensions.of(dimensionIds), units }
    : null;
}

async function learnDimensions(
  { session, build, dimensions }: Reading,
  first: DayNumber,
  end: DayNumber,
): Promise<void> {
  const found = await session.arrays<DimensionRow>(DIMENSIONS, [first, end]);
  dimensions.remember(found, await session.all(groupsQuery(build)));
}

interface Reading {
  readonly session: PostgresSession;
  readonly build: PostgresDatabase['build'];
  readonly dimensions: KnownDimensions;
}

/** The facts of a period added up by instant (of the period where they are merged) and dimension. */
async function sumsOf(
  reading: Reading,
  { timestamp, first, end }: Period,
  merge: boolean,
): Promise<PeriodSums> {
  const { session, dimensions } = reading;
  const sums = new FactSums();
  for (let day = first; day < end; day += 1) {
    const [facts] = await session.arrays<FactColumns>(merge ? FACTS : FACTS_BY_INSTANT, [day]);
    sums.add(facts!, timestamp);
  }
  const { timestamps, dimensionIds, units } = sums.columns();
  if (dimensions.lacks(dimensionIds)) await learnDimensions(reading, first, end);
  return { timestamps, dimensions: dimensions.of(dimensionIds), units };
}

const FACTS = `select ${columnText('dimension_id')}, ${columnText('amount')} from chargeback_facts where day = $1`;

const FACTS_BY_INSTANT = `select ${columnText('dimension_id')}, ${columnText('amount')}, ${columnText('timestamp')}
  from chargeback_facts join calculated_lines using (line_key)
  where chargeback_facts.day = $1 and calculated_lines.day = $1`;

const DIMENSIONS = `select dimension_id, group_id, name from dimensions join names using (name_id)
  where dimension_id in (select dimension_id from chargeback_facts where day >= $1 and day < $2)`;
