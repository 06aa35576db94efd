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
import type { Target } from './date-states.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/** All but the key and the day. */
const OTHER_COLUMNS = LINE_COLUMNS.slice(2);
const INTEGERS: ReadonlySet<string> = new Set([
  'timestamp',
  'total_units',
  'samples_seen',
  'samples_expected',
]);

/**
 * Of a day, the ids of its lines and a list for each of the {@link OTHER_COLUMNS}. The keys are those of the ids, so
 * that nobody waits for them; a line without one would be refused.
 */
const INSERT_LINES = `insert into billing_lines (line_key, day, ${OTHER_COLUMNS.join(', ')})
  select line_key, $1, ${OTHER_COLUMNS.map((column) => `billed.${column}`).join(', ')}
  from unnest($2::text[], ${OTHER_COLUMNS.map(arrayOf).join(', ')}) as billed (line_id, ${OTHER_COLUMNS.join(', ')})
  left join line_keys on line_keys.day = $1 and line_keys.line_id = billed.line_id`;

function arrayOf(column: string, index: number): string {
  return `$${index + 3}::${INTEGERS.has(column) ? 'bigint' : 'text'}[]`;
}

/** The lists that {@link INSERT_LINES} takes. */
function listsOf(day: DayNumber, lines: readonly BillingLineItem[]): unknown[][] {
  const rows = lines.map((line) => lineValues(day, { lineKey: 0, line }));
  return [
    lines.map(({ lineId }) => lineId),
    ...OTHER_COLUMNS.map((_, index) => rows.map((values) => values[index + 2])),
  ];
}

/**
 * Replaces the bill of a day. A line that was there keeps its key. Keys of withdrawn lines stay as long as
 * there are rows that refer to them. Inside a write transaction that holds the day.
 */
export async function replaceLines(target: Target, { day, lines, keys: stored }: LinesWrite): Promise<void> {
  const { session } = target;
  assertDistinctLines(day, lines);
  const known = new Set(stored.map(({ line_id }) => line_id));
  // No line is billed without a key.
  if (stored.length > 0) {
    await session.later({ sql: 'delete from billing_lines where day = $1', parameters: [day] });
  }
  const added = lines.flatMap(({ lineId }) => (known.has(lineId) ? [] : [lineId]));
  if (added.length > 0) {
    const sql = 'insert into line_keys (day, line_id) select $1, unnest($2::text[])';
    await session.later({ sql, parameters: [day, added] });
  }
  if (lines.length > 0) {
    await session.later({ sql: INSERT_LINES, parameters: [day, ...listsOf(day, lines)] });
  }
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
