import { type IsoDate, startOfDay } from '@chargeback/plugin-api';
import { dayNumberOf } from '../convert.ts';
import { dayDigest, linesDigest } from '../input-digest.ts';
import { attemptsOf, attemptsQuery } from '../queries/calculated-day.ts';
import { dateStateOf, gatheredState, saveDateStateQuery, withUsage } from '../queries/date-states.ts';
import type { DateState, DayUsage, GatheredDay, StoredDay } from '../store.ts';
import { loadLines, replaceLines } from './billing-lines.ts';
import { dateStateRow } from './date-states.ts';
import type { Names } from './names.ts';
import { replaceProblems } from './problems.ts';
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
    const lines = linesDigest(gathered.lines);
    if (lines !== before?.lines_digest) replaceLines(database, day, gathered.lines);
    const inputs = dayDigest(lines, writeUsage(database, names, gathered));
    const row = gatheredState(before, gathered, { day, linesDigest: lines, inputDigest: inputs });
    database.run(saveDateStateQuery(database.build, row));
    return dateStateOf(row);
  });
}

/** Usage of a day whose bill is still to come, or stays as it is stored. */
export function saveUsageAlone(database: SqliteDatabase, names: Names, usage: DayUsage): void {
  database.write(() => {
    const digests = writeUsage(database, names, usage);
    const before = dateStateRow(database, dayNumberOf(usage.date));
    if (!before) return;
    const row = withUsage(before, dayDigest(before.lines_digest, digests));
    database.run(saveDateStateQuery(database.build, row));
  });
}

/** Returns the digest of each query of the day, stored before or now. */
function writeUsage(
  database: SqliteDatabase,
  names: Names,
  { date, usage, observed, problems }: DayUsage,
): Map<string, string> {
  const day = dayNumberOf(date);
  if (observed) observeIdentities(database, observed, startOfDay(date));
  const digests = usageDigests(database, day);
  for (const query of usage) {
    const stored = digests.get(query.queryKey);
    digests.set(query.queryKey, saveUsage(database, names, { day, usage: query, stored }));
  }
  if (problems) replaceProblems(database, { stage: 'gather', dates: [date], problems });
  return digests;
}

export function loadDay(database: SqliteDatabase, names: Names, date: IsoDate): StoredDay | undefined {
  const day = dayNumberOf(date);
  return database.read(() => {
    if (!dateStateRow(database, day)) return undefined;
    return {
      date,
      lines: loadLines(database, day),
      usage: loadUsage(database, names, day),
      attempts: attemptsOf(database.all(attemptsQuery(database.build, day))),
    };
  });
}
