import { formatUnits } from '@chargeback/money';
import { ChargebackError } from '@chargeback/plugin-api';
import { type DayNumber, instantOf } from '../convert.ts';
import type { LineAttempts } from '../records.ts';
import type { CalculatedDay, CalculatedLine, CalculatedPortion } from '../store.ts';
import type { BilledLine } from './billing-lines.ts';
import { queryOfDay } from './query-of-day.ts';

/** Columns of `calculated_lines`, in the order of {@link calculatedLineValues}. */
export const CALCULATED_LINE_COLUMNS = [
  'line_key',
  'day',
  'timestamp',
  'currency',
  'billed_units',
  'retained_units',
  'state',
] as const;

export function calculatedLineValues(
  day: DayNumber,
  { lineKey, line }: BilledLine,
  calculated: CalculatedLine,
) {
  const { units, currency } = line.totalCost;
  const { retainedUnits, state } = calculated;
  return [lineKey, day, line.timestamp.getTime(), currency, units, retainedUnits, state];
}

/** Columns of `line_portions`, in the order of {@link portionValues}. */
export const PORTION_COLUMNS = [
  'line_key',
  'portion_index',
  'cost_type',
  'allocation_method',
  'allocation_detail',
  'chain_tier',
  'composition_index',
  'composition_ratio',
  'tiers_tried',
] as const;

export function portionValues(lineKey: number, index: number, portion: CalculatedPortion) {
  return [
    lineKey,
    index,
    portion.costType,
    portion.method,
    portion.detail,
    portion.chainTier,
    portion.compositionIndex,
    portion.compositionRatio?.toFixed() ?? null,
    JSON.stringify(portion.tiersTried),
  ];
}

/** Failed tries per line of a day. */
export const attemptsQuery = queryOfDay((build, day) =>
  build.selectFrom('line_attempts').select(['line_id', 'attempts', 'tried_at']).where('day', '=', day),
);

export function attemptsOf(
  rows: readonly { readonly line_id: string; readonly attempts: number; readonly tried_at: number }[],
): ReadonlyMap<string, LineAttempts> {
  return new Map(
    rows.map(({ line_id, attempts, tried_at }) => [
      line_id,
      { count: attempts, triedAt: instantOf(tried_at) },
    ]),
  );
}

/** @throws {ChargebackError} `CB_UNCONSERVED` unless the result has each line of the bill once. */
export function assertSameLines(
  { date, lines }: CalculatedDay,
  billed: ReadonlyMap<string, BilledLine>,
): void {
  const unknown = lines.find(({ lineId }) => !billed.has(lineId));
  const distinct = new Set(lines.map(({ lineId }) => lineId)).size;
  if (!unknown && distinct === billed.size && lines.length === billed.size) return;
  const what = unknown
    ? `line ${unknown.lineId} is not in the stored bill`
    : `${billed.size} lines are billed, ${lines.length} were calculated`;
  throw new ChargebackError('CB_UNCONSERVED', `${date}: ${what}`, {
    fix: 'Run again: the bill changed while the day was being calculated.',
  });
}

/**
 * Adds up what is about to be written of a line: its retained cost and the rows of its portions.
 * @throws {ChargebackError} `CB_UNCONSERVED` unless they are the line, or nothing when it is held.
 */
export function assertConserved(
  { date, line }: { readonly date: string; readonly line: BilledLine['line'] },
  { state, retainedUnits, portions }: CalculatedLine,
): void {
  let sum = retainedUnits;
  // A row for each identity.
  for (const { identityIds, units } of portions) {
    for (let row = 0; row < identityIds.length; row += 1) sum += units[row]!;
  }
  const billed = line.totalCost.units;
  if (sum === (state === 'held' ? 0n : billed)) return;
  const what = state === 'held' ? 'is held' : `is ${formatUnits(billed)}`;
  throw new ChargebackError(
    'CB_UNCONSERVED',
    `${date}: line ${line.lineId} ${what}, its rows and retained cost are ${formatUnits(sum)}`,
    { path: line.lineId },
  );
}
