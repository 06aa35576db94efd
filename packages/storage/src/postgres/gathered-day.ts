import { type IsoDate, startOfDay } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import { dayDigest, linesDigest } from '../input-digest.ts';
import { attemptsOf, attemptsQuery } from '../queries/calculated-day.ts';
import { billedLinesOf, lineKeysQuery, linesOf, linesQuery } from '../queries/billing-lines.ts';
import {
  dateStateOf,
  dateStateQuery,
  gatheredState,
  saveDateStateQuery,
  withUsage,
} from '../queries/date-states.ts';
import { coverageQuery, usageDigestsQuery } from '../queries/usage.ts';
import type { DateState, DayUsage, GatheredDay, StoredDay, StoredUsage } from '../store.ts';
import { replaceLines } from './billing-lines.ts';
import type { Target } from './date-states.ts';
import { lock } from './locks.ts';
import type { Names } from './names.ts';
import type { Partitions } from './partitions.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { replaceProblemsOfDay } from './problems.ts';
import { observeInside } from './save-inventory.ts';
import { type DayOfUsage, namesIn, saveUsage, usageColumnsQuery, usageOf } from './usage.ts';

export interface GatherTarget {
  readonly database: PostgresDatabase;
  readonly names: Names;
  readonly partitions: Partitions;
}

/**
 * Writes the inputs of a day. What did not change is not written again. Rows calculated before stay until
 * the day is calculated again: `state` then says `gathered`.
 */
export async function saveGatheredDay(
  { database, names, partitions }: GatherTarget,
  gathered: GatheredDay,
): Promise<DateState> {
  const day = dayNumberOf(gathered.date);
  const { build } = database;
  await names.ensure(namesIn(gathered.usage));
  return partitions.around(day, () =>
    database.held((session) => saveInside({ session, build }, { day, gathered, names })),
  );
}

interface Gathering {
  readonly day: DayNumber;
  readonly gathered: GatheredDay;
  readonly names: Names;
}

async function saveInside(target: Target, { day, gathered, names }: Gathering): Promise<DateState> {
  const { session, build } = target;
  await lock(session, { day });
  const [[before], stored, keys] = await session.together(
    dateStateQuery(build, day),
    usageDigestsQuery(build, day),
    lineKeysQuery(build, day),
  );
  const lines = linesDigest(gathered.lines);
  if (lines !== before?.lines_digest) await replaceLines(target, { day, lines: gathered.lines, keys });
  const inputs = dayDigest(lines, await writeUsage(target, names, { ...gathered, stored }));
  const row = gatheredState(before, gathered, { day, linesDigest: lines, inputDigest: inputs });
  await session.later(saveDateStateQuery(build, row));
  return dateStateOf(row);
}

/** Usage of a day whose bill is still to come, or stays as it is stored. */
export async function saveUsageAlone(
  { database, names, partitions }: GatherTarget,
  usage: DayUsage,
): Promise<void> {
  const day = dayNumberOf(usage.date);
  const { build } = database;
  await names.ensure(namesIn(usage.usage));
  await partitions.around(day, () =>
    database.held(async (session) => {
      await lock(session, { day });
      const target = { session, build };
      const [[before], stored] = await session.together(
        dateStateQuery(build, day),
        usageDigestsQuery(build, day),
      );
      const digests = await writeUsage(target, names, { ...usage, stored });
      if (!before) return;
      const row = withUsage(before, dayDigest(before.lines_digest, digests));
      await session.later(saveDateStateQuery(build, row));
    }),
  );
}

/** With the digest of each stored query. */
type UsageWrite = DayUsage & Pick<DayOfUsage, 'stored'>;

/** Returns the digest of each query of the day, stored before or now. */
async function writeUsage(
  target: Target,
  names: Names,
  { date, usage, observed, problems, stored }: UsageWrite,
): Promise<Map<string, string>> {
  const day = dayNumberOf(date);
  if (observed) await observeInside(target, observed, startOfDay(date));
  const digests = await saveUsage(target, names, { day, usage, stored });
  if (problems) await replaceProblemsOfDay(target, { stage: 'gather', dates: [date], problems });
  return digests;
}

export async function loadDay(
  database: PostgresDatabase,
  names: Names,
  date: IsoDate,
): Promise<StoredDay | undefined> {
  const day = dayNumberOf(date);
  const { build } = database;
  const [[state], lines, coverage, columns, attempts] = await database.readTogether(
    dateStateQuery(build, day),
    linesQuery(build, day),
    coverageQuery(build, day),
    usageColumnsQuery(build, day),
    attemptsQuery(build, day),
  );
  if (!state) return undefined;
  return {
    date,
    bill: { linesDigest: state.lines_digest, lines: billedLinesOf(lines) },
    lines: linesOf(lines),
    usage: await usageOf(names, { coverage, columns }),
    attempts: attemptsOf(attempts),
  };
}

export async function loadDayUsage(
  database: PostgresDatabase,
  names: Names,
  date: IsoDate,
): Promise<ReadonlyMap<string, StoredUsage>> {
  const { build } = database;
  const day = dayNumberOf(date);
  const [coverage, columns] = await database.readTogether(
    coverageQuery(build, day),
    usageColumnsQuery(build, day),
  );
  return usageOf(names, { coverage, columns });
}
