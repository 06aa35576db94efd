import { type IsoDate, startOfDay } from '@chargeback/plugin-api';
import { dayNumberOf } from '../convert.ts';
import { dayDigest, linesDigest } from '../input-digest.ts';
import { attemptsOf, attemptsQuery } from '../queries/calculated-day.ts';
import { dateStateOf, gatheredState, saveDateStateQuery } from '../queries/date-states.ts';
import type { DateState, GatheredDay, StoredDay } from '../store.ts';
import { loadLines, replaceLines } from './billing-lines.ts';
import { dateStateRow } from './date-states.ts';
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
    const row = gatheredState(before, gathered, { day, linesDigest: lines, inputDigest: inputs });
    database.run(saveDateStateQuery(database.build, row));
    return dateStateOf(row);
  });
}

export function loadDay(database: SqliteDatabase, names: Names, date: IsoDate): StoredDay | undefined {
  const day = dayNumberOf(date);
  return database.read(() => {
    if (!dateStateRow(database, day)) return undefined;
    return {
      date,
      lines: loadLines(database, day).map(({ line }) => line),
      usage: loadUsage(database, names, day),
      attempts: attemptsOf(database.all(attemptsQuery(database.build, day))),
    };
  });
}

export function forgetAttempts(database: SqliteDatabase, dates: readonly IsoDate[]): void {
  const remove = database.statement('delete from line_attempts where day = ?');
  database.write(() => {
    for (const date of dates) remove.run(dayNumberOf(date));
  });
}
