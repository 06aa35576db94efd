import type { Aggregation, ChargebackRow, Window } from '@chargeback/plugin-api';
import type { Owner } from '../migrations.ts';
import { daysWithRowsQuery } from '../queries/date-states.ts';
import { groupsById, groupsQuery, type Period, periodsOf, ROWS_PER_CHUNK } from '../queries/rows.ts';
import { groupRows } from '../row-grouping.ts';
import type { Names } from './names.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/** What reading rows needs to know of its store. */
export interface RowSource {
  readonly database: PostgresDatabase;
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
  const days = await database.all(daysWithRowsQuery(database.build, window));
  for (const period of periodsOf(days, aggregation)) {
    const rows = await sumsOf(database, period, merge ? SUMS_OF_PERIOD : SUMS_BY_INSTANT);
    await names.load(rows.map((row) => row[2]));
    const groups = groupsById(await database.all(groupsQuery(database.build)));
    const dimensions = rows.map((row) => ({ group: groups.get(row[1])!, identityId: names.nameOf(row[2]) }));
    const timestamps = rows.map((row) => row[0]);
    const units = rows.map((row) => BigInt(row[3]));
    yield* groupRows({ ...owner, sums: { timestamps, dimensions, units }, merge }, ROWS_PER_CHUNK);
  }
}

const SUMS_BY_INSTANT = `select timestamp, group_id, name_id, amount from (
    select timestamp, dimension_id, cast(sum(amount) as text) as amount
    from chargeback_facts join calculated_lines using (line_key)
    where chargeback_facts.day >= $1 and chargeback_facts.day < $2
      and calculated_lines.day >= $1 and calculated_lines.day < $2 and $3::bigint is not null
    group by timestamp, dimension_id
  ) as added join dimensions using (dimension_id)`;

const SUMS_OF_PERIOD = `select $3::bigint, group_id, name_id, amount from (
    select dimension_id, cast(sum(amount) as text) as amount from chargeback_facts
    where day >= $1 and day < $2 group by dimension_id
  ) as added join dimensions using (dimension_id)`;

type SumRow = [timestamp: number, groupId: number, nameId: number, amount: string];

function sumsOf(
  database: PostgresDatabase,
  { timestamp, first, end }: Period,
  text: string,
): Promise<SumRow[]> {
  return database.read((session) => session.arrays<SumRow>(text, [first, end, timestamp]));
}
