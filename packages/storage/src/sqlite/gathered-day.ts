import { type IsoDate, startOfDay } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf, instantOf } from '../convert.ts';
import { dayDigest, linesDigest } from '../input-digest.ts';
import type { LineAttempts } from '../records.ts';
import type { DateState, GatheredDay, StoredDay } from '../store.ts';
import { loadLines, replaceLines } from './billing-lines.ts';
import { dateStateOf, type DateStateRow, dateStateRow } from './date-states.ts';
import type { Names } from './names.ts';
import { observeIdentities } from './save-inventory.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { loadUsage, saveUsage, usageDigests } from './usage.ts';

/**
 * Writes the inputs of a day. What did not change is not written again. Rows calculated before stay until
 * the day is calculated again: `state` then says `gathered`.
 */
export function saveGatheredDay(database: SqliteDatabase, names: Names, gathered: GatheredDay): DateState {
  const day = dayNumberOf(gathered.date);
  return database.write(() => {
    const before = dateStateRow(database, day);
    if (gathered.observed) observeIdentities(database, gathered.observed, startOfDay(gathered.date));
    const lines = linesDigest(gathered.lines);
    if (lines !== before?.lines_digest) replaceLines(database, day, gathered.lines);
    const digests = usageDigests(database, day);
    for (const usage of gathered.usage) {
      const stored = digests.get(usage.queryKey);
      digests.set(usage.queryKey, saveUsage(database, names, { day, usage, stored }));
    }
    const inputs = dayDigest(lines, digests);
    const changed = inputs !== before?.input_digest;
    const row: DateStateRow = {
      ...(before ?? NEVER_CALCULATED),
      ...(changed ? { state: 'gathered', held_line_count: 0, failed_line_count: 0 } : {}),
      day,
      gather_fingerprint: gathered.gatherFingerprint,
      complete: gathered.complete ? 1 : 0,
      gathered_at: gathered.gatheredAt.getTime(),
      lines_digest: lines,
      input_digest: inputs,
      line_count: gathered.lines.length,
    };
    database.run(
      database.build
        .insertInto('date_states')
        .values(row)
        .onConflict((conflict) => conflict.column('day').doUpdateSet(row)),
    );
    return dateStateOf(row);
  });
}

const NEVER_CALCULATED = {
  state: 'gathered',
  calculation_fingerprint: null,
  calculation_id: null,
  calculated_at: null,
  run_id: null,
  row_count: 0,
  held_line_count: 0,
  failed_line_count: 0,
};

export function loadDay(database: SqliteDatabase, names: Names, date: IsoDate): StoredDay | undefined {
  const day = dayNumberOf(date);
  return database.read(() => {
    if (!dateStateRow(database, day)) return undefined;
    return {
      date,
      lines: loadLines(database, day).map(({ line }) => line),
      usage: loadUsage(database, names, day),
      attempts: loadAttempts(database, day),
    };
  });
}

function loadAttempts(database: SqliteDatabase, day: DayNumber): ReadonlyMap<string, LineAttempts> {
  const query = database.build
    .selectFrom('line_attempts')
    .select(['line_id', 'attempts', 'tried_at'])
    .where('day', '=', day);
  return new Map(
    database
      .all(query)
      .map((row) => [row.line_id, { count: row.attempts, triedAt: instantOf(row.tried_at) }]),
  );
}

export function forgetAttempts(database: SqliteDatabase, dates: readonly IsoDate[]): void {
  const remove = database.statement('delete from line_attempts where day = ?');
  database.write(() => {
    for (const date of dates) remove.run(dayNumberOf(date));
  });
}
