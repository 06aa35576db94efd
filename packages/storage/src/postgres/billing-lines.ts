import type { BillingLineItem, IsoDate } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import {
  assertDistinctLines,
  deleteUnusedKeysQuery,
  LINE_COLUMNS,
  lineResourcesQuery,
  linesOf,
  linesQuery,
  lineValues,
} from '../queries/billing-lines.ts';
import { copyText } from './copy-text.ts';
import type { Target } from './date-states.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/**
 * Replaces the bill of a day. A line that was there keeps its key. Keys of withdrawn lines stay as long as
 * there are rows that refer to them. Inside a write transaction that holds the day.
 */
export async function replaceLines(target: Target, { day, lines, keys: stored }: LinesWrite): Promise<void> {
  const { session } = target;
  assertDistinctLines(day, lines);
  const keys = new Map(stored.map(({ line_id, line_key }) => [line_id, line_key]));
  // No line is billed without a key.
  if (stored.length > 0) await session.execute('delete from billing_lines where day = $1', [day]);
  const added = lines.flatMap(({ lineId }) => (keys.has(lineId) ? [] : [lineId]));
  if (added.length > 0) {
    const made = await session.arrays<[string, number]>(
      'insert into line_keys (day, line_id) select $1, unnest($2::text[]) returning line_id, line_key',
      [day, added],
    );
    for (const [lineId, lineKey] of made) keys.set(lineId, lineKey);
  }
  const rows = lines.map((line) => lineValues(day, { lineKey: keys.get(line.lineId)!, line }));
  if (rows.length > 0) await session.copy(`billing_lines (${LINE_COLUMNS.join(', ')})`, copyText(rows));
  if (stored.length > 0) await deleteUnusedKeys(target, day);
}

interface LinesWrite {
  readonly day: DayNumber;
  readonly lines: readonly BillingLineItem[];
  /** Of the lines that were billed or calculated before. */
  readonly keys: readonly { readonly line_id: string; readonly line_key: number }[];
}

export async function deleteUnusedKeys({ session, build }: Target, day: DayNumber): Promise<void> {
  await session.later(deleteUnusedKeysQuery(build, day));
}

export async function lineResources(database: PostgresDatabase, date: IsoDate): Promise<string[]> {
  const rows = await database.all(lineResourcesQuery(database.build, dayNumberOf(date)));
  return rows.flatMap(({ resource_id }) => resource_id ?? []);
}

/** The stored bill of a day, sorted by line id. */
export async function loadBill(database: PostgresDatabase, date: IsoDate): Promise<BillingLineItem[]> {
  return linesOf(await database.all(linesQuery(database.build, dayNumberOf(date))));
}
