import { ChargebackError } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import { type BilledLine, billedLinesOf, billedLinesQuery, lineKeysQuery } from '../queries/billing-lines.ts';
import {
  assertConserved,
  assertSameLines,
  CALCULATED_LINE_COLUMNS,
  calculatedLineValues,
  PORTION_COLUMNS,
  portionValues,
} from '../queries/calculated-day.ts';
import { dateStateQuery, markCalculatedQuery } from '../queries/date-states.ts';
import { isRevision } from '../queries/revisions.ts';
import type { CalculatedDay, CalculatedLine, CalculatedPortion, ReadBill } from '../store.ts';
import { deleteUnusedKeys } from './billing-lines.ts';
import { BinaryRows } from './binary-rows.ts';
import { copyText, pieces } from './copy-text.ts';
import type { Target } from './date-states.ts';
import { DayTotals, GROUP_TOTALS, IDENTITY_TOTALS } from './day-totals.ts';
import type { DimensionIds, Dimensions } from './dimensions.ts';
import { lock } from './locks.ts';
import type { Names } from './names.ts';
import type { Partitions } from './partitions.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { replaceProblemsOfDay } from './problems.ts';
import { dayTotals, saveRevision } from './revisions.ts';

export interface CalculationTarget {
  readonly database: PostgresDatabase;
  readonly names: Names;
  readonly dimensions: Dimensions;
  readonly partitions: Partitions;
}

/**
 * Replaces the rows of a day by the result of a calculation, all in one transaction, after checking that
 * rows and retained cost of every line add up to the stored bill. Dimensions are made before, for the bill as
 * it was read; when it is another one by then, that is done again.
 * @throws {ChargebackError} `CB_UNCONSERVED`; the former rows stay then.
 */
export async function saveCalculatedDay(
  { database, names, dimensions, partitions }: CalculationTarget,
  calculated: CalculatedDay,
): Promise<void> {
  const day = dayNumberOf(calculated.date);
  const { build } = database;
  let { bill } = calculated;
  for (let saved = false; !saved; bill = undefined) {
    const { linesDigest, lines: billed } = bill ?? (await loadBill(database, day, calculated));
    assertSameLines(calculated, billed);
    const lines = linesOf(billed, calculated);
    const portions = lines.flatMap(({ portions: ofLine }) => ofLine);
    const ids = await dimensions.ensure(portions);
    for (const [index, portion] of portions.entries()) portion.dimensions = ids[index]!;
    await names.ensure(identitiesOf(portions));
    saved = await partitions.around(day, () =>
      database.held((session) =>
        replaceResults({ session, build }, { day, calculated, lines, names, linesDigest }),
      ),
    );
  }
}

async function loadBill(
  database: PostgresDatabase,
  day: DayNumber,
  calculated: CalculatedDay,
): Promise<ReadBill> {
  const { build } = database;
  const [[state], rows] = await database.readTogether(
    dateStateQuery(build, day),
    billedLinesQuery(build, day),
  );
  if (!state) {
    throw new ChargebackError('CB_INTERNAL', `${calculated.date} was calculated but has no inputs`);
  }
  return { linesDigest: state.lines_digest, lines: billedLinesOf(rows) };
}

interface FactPortion {
  readonly lineKey: number;
  readonly index: number;
  readonly line: BilledLine['line'];
  readonly portion: CalculatedPortion;
  dimensions: DimensionIds;
}

interface ResultLine {
  readonly billed: BilledLine;
  readonly calculated: CalculatedLine;
  readonly portions: readonly FactPortion[];
}

const NO_DIMENSIONS: DimensionIds = { groupId: 0, ids: new Map() };

/** The lines of a result beside those of the bill, once they are known to add up. */
function linesOf(bill: ReadBill['lines'], { date, lines }: CalculatedDay): ResultLine[] {
  return lines.map((calculated) => {
    const billed = bill.get(calculated.lineId)!;
    const { lineKey, line } = billed;
    assertConserved({ date, line }, calculated);
    const portions = calculated.portions.map((portion, index) => ({
      lineKey,
      index,
      line,
      portion,
      dimensions: NO_DIMENSIONS,
    }));
    return { billed, calculated, portions };
  });
}

interface Result {
  readonly day: DayNumber;
  readonly calculated: CalculatedDay;
  readonly lines: readonly ResultLine[];
  readonly names: Names;
  readonly linesDigest: string;
}

/** False when the bill is not what the result was checked against. */
async function replaceResults(
  target: Target,
  { day, calculated, lines, names, linesDigest }: Result,
): Promise<boolean> {
  const { session, build } = target;
  await lock(session, { day });
  const [[previous], keys] = await session.together(dateStateQuery(build, day), lineKeysQuery(build, day));
  if (previous?.lines_digest !== linesDigest || !haveKeys(lines, keys)) return false;
  const before = isRevision(previous, calculated) ? await dayTotals(session, day) : null;
  // Before the first calculation there is nothing to replace: neither results, nor tries, nor keys of lines that are gone.
  const replaces = previous.calculation_id !== null;
  if (replaces) await deleteResults(target, day);
  const totals = new DayTotals(day, names);
  await session.copy(
    `calculated_lines (${CALCULATED_LINE_COLUMNS.join(', ')})`,
    copyText(lines.map((line) => calculatedLineValues(day, line.billed, line.calculated))),
  );
  const portions = lines.flatMap(({ portions: ofLine }) => ofLine);
  await session.copy(
    `line_portions (${PORTION_COLUMNS.join(', ')})`,
    copyText(portions.map(({ lineKey, index, portion }) => portionValues(lineKey, index, portion))),
  );
  await session.copyBinary(
    'chargeback_facts (day, line_key, portion_index, dimension_id, amount, ratio)',
    factRows(day, portions, totals),
  );
  await session.copy(IDENTITY_TOTALS, pieces(totals.identityText()));
  await session.copy(GROUP_TOTALS, pieces(totals.groupText()));
  await saveAttempts(target, { day, calculated, replaces });
  if (replaces) await deleteUnusedKeys(target, day);
  await replaceProblemsOfDay(target, {
    stage: 'calculate',
    dates: [calculated.date],
    problems: calculated.problems.map((problem) => ({ ...problem, date: calculated.date })),
  });
  await session.later(markCalculatedQuery(build, calculated, { day, rowCount: totals.rowCount }));
  if (before) await saveRevision(target, { day, calculated, before });
  return true;
}

/** A bill that was another one in between, and is the same again, has other keys. */
function haveKeys(
  lines: readonly ResultLine[],
  keys: readonly { readonly line_id: string; readonly line_key: number }[],
): boolean {
  const stored = new Map(keys.map(({ line_id, line_key }) => [line_id, line_key]));
  return lines.every(({ billed: { lineKey, line } }) => stored.get(line.lineId) === lineKey);
}

async function deleteResults({ session }: Target, day: DayNumber): Promise<void> {
  for (const statement of [
    'delete from chargeback_facts where day = $1',
    'delete from identity_totals where day = $1',
    'delete from group_totals where day = $1',
    'delete from line_portions where line_key in (select line_key from calculated_lines where day = $1)',
    'delete from calculated_lines where day = $1',
    `delete from line_attempts where day = $1 and line_id not in (
       select line_id from line_keys join billing_lines using (line_key) where line_keys.day = $1)`,
  ]) {
    await session.later({ sql: statement, parameters: [day] });
  }
}

/** Rows for `COPY`. Rows of a portion that agree in every dimension are added. */
function* factRows(day: DayNumber, portions: readonly FactPortion[], totals: DayTotals): Generator<Buffer> {
  const rows = new BinaryRows(6);
  yield rows.start;
  for (const { lineKey, index, line, portion, dimensions } of portions) {
    const columns = hasRepeats(portion) ? withoutRepeats(portion) : portion;
    totals.add(columns, dimensions.groupId, line.totalCost.currency);
    const { identityIds, units, ratios } = columns;
    for (let row = 0; row < identityIds.length; row += 1) {
      rows.startRow();
      rows.integer(day);
      rows.integer(lineKey);
      rows.integer(index);
      rows.integer(dimensions.ids.get(identityIds[row]!)!);
      rows.bigint(units[row]!);
      rows.real(ratios[row]!);
      if (rows.isFull) yield rows.take();
    }
  }
  yield rows.end();
}

type Columns = Pick<CalculatedPortion, 'identityIds' | 'units' | 'ratios'>;

function* identitiesOf(portions: readonly FactPortion[]): Generator<string> {
  for (const { portion } of portions) yield* portion.identityIds;
}

function hasRepeats({ identityIds }: Columns): boolean {
  // In ascending order, as they nearly always are, none occurs twice.
  for (let row = 1; row < identityIds.length; row += 1) {
    if (identityIds[row - 1]! >= identityIds[row]!) return new Set(identityIds).size !== identityIds.length;
  }
  return false;
}

function withoutRepeats({ identityIds, units, ratios }: Columns): Columns {
  const sums = new Map<string, { units: bigint; ratio: number }>();
  for (const [row, identityId] of identityIds.entries()) {
    const sum = sums.get(identityId);
    if (!sum) sums.set(identityId, { units: units[row]!, ratio: ratios[row]! });
    else {
      sum.units += units[row]!;
      sum.ratio += ratios[row]!;
    }
  }
  return {
    identityIds: [...sums.keys()],
    units: [...sums.values()].map((sum) => sum.units),
    ratios: [...sums.values()].map(({ ratio }) => ratio),
  };
}

interface AttemptsWrite {
  readonly day: DayNumber;
  readonly calculated: CalculatedDay;
  /** Whether there may be tries of before. */
  readonly replaces: boolean;
}

/** The instant is that of the last try that counted. */
async function saveAttempts(
  { session }: Target,
  { day, calculated: { lines, calculatedAt }, replaces }: AttemptsWrite,
): Promise<void> {
  if (replaces) {
    const done = lines.filter(({ attempts }) => attempts === 0);
    await session.later({
      sql: 'delete from line_attempts where day = $1 and line_id = any($2::text[])',
      parameters: [day, done.map(({ lineId }) => lineId)],
    });
  }
  const tried = lines.filter(({ attempts }) => attempts > 0);
  if (tried.length === 0) return;
  const lineIds = tried.map(({ lineId }) => lineId);
  const counts = tried.map(({ attempts }) => attempts);
  await session.later({
    sql: `insert into line_attempts (day, line_id, attempts, tried_at)
     select $1, tried.line_id, tried.attempts, $4 from unnest($2::text[], $3::bigint[]) as tried (line_id, attempts)
     on conflict (day, line_id) do update set attempts = excluded.attempts,
       tried_at = case when line_attempts.attempts = excluded.attempts then line_attempts.tried_at
         else excluded.tried_at end`,
    parameters: [day, lineIds, counts, calculatedAt.getTime()],
  });
}
