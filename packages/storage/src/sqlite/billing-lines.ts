import type { BillingLineItem } from '@chargeback/plugin-api';
import type { DayNumber } from '../convert.ts';
import {
  assertDistinctLines,
  type BilledLine,
  billedLinesOf,
  billedLinesQuery,
  deleteUnusedKeysQuery,
  LINE_COLUMNS,
  lineKeysQuery,
  lineResourcesQuery,
  linesOf,
  linesQuery,
  lineValues,
} from '../queries/billing-lines.ts';
import { bulkInsert, insertTuples } from './insert-rows.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const INSERT_LINES = bulkInsert({ table: 'billing_lines', columns: LINE_COLUMNS });

/**
 * Replaces the bill of a day. A line that was there keeps its key. Keys of withdrawn lines stay as long as
 * there are rows that refer to them. Inside a write transaction.
 */
export function replaceLines(
  database: SqliteDatabase,
  day: DayNumber,
  lines: readonly BillingLineItem[],
): void {
  assertDistinctLines(day, lines);
  const stored = database.all(lineKeysQuery(database.build, day));
  const keys = new Map(stored.map(({ line_id, line_key }) => [line_id, line_key]));
  database.statement('delete from billing_lines where day = ?').run(day);
  const addKey = database.statement('insert into line_keys (day, line_id) values (?, ?)');
  const rows = lines.map((line) => {
    const lineKey = keys.get(line.lineId) ?? Number(addKey.run(day, line.lineId).lastInsertRowid);
    return lineValues(day, { lineKey, line });
  });
  insertTuples(database, INSERT_LINES, rows);
  deleteUnusedKeys(database, day);
}

export function deleteUnusedKeys(database: SqliteDatabase, day: DayNumber): void {
  database.run(deleteUnusedKeysQuery(database.build, day));
}

export function lineResources(database: SqliteDatabase, day: DayNumber): string[] {
  return database
    .all(lineResourcesQuery(database.build, day))
    .flatMap(({ resource_id }) => resource_id ?? []);
}

/** The stored bill of a day, sorted by line id. */
export function loadLines(database: SqliteDatabase, day: DayNumber): BillingLineItem[] {
  return linesOf(database.all(linesQuery(database.build, day)));
}

/** The stored bill of a day as its rows need it, by line id. */
export function loadBilledLines(database: SqliteDatabase, day: DayNumber): Map<string, BilledLine> {
  return billedLinesOf(database.all(billedLinesQuery(database.build, day)));
}
