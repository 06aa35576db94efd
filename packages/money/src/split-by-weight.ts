import { money, type Money, UNITS_PER_QUANTUM } from './money.ts';
import { MoneyError } from './money-error.ts';
import type { Weight } from './weight.ts';

/** One who receives a share: the key decides the order, the weight the size. */
export interface WeightedRecipient {
  readonly key: string;
  readonly weight: Weight;
}

/** The share of one recipient, in ledger units. */
export interface Share {
  readonly key: string;
  readonly units: bigint;
}

/** Recipients in columns: entry i of each array belongs together. */
export interface WeightColumns {
  readonly keys: readonly string[];
  readonly weights: readonly Weight[];
}

/** The shares of recipients in columns, in order of their keys. */
export interface ShareColumns extends WeightColumns {
  /** Ledger units. */
  readonly units: readonly bigint[];
}

/** {@link splitColumns} for recipients one by one. */
export function splitByWeight(total: Money, recipients: readonly WeightedRecipient[]): Share[] {
  const { keys, units } = splitColumns(total, {
    keys: recipients.map(({ key }) => key),
    weights: recipients.map(({ weight }) => weight),
  });
  return keys.map((key, index) => ({ key, units: units[index]! }));
}

/**
 * Splits an amount in proportion to weights so that the shares add up to it to the last digit.
 *
 * 1. What is smaller than a quantum (0.0001) is set aside.
 * 2. Each share is rounded half-up, away from zero, to a quantum.
 * 3. The difference is handed out one quantum at a time, in passes, to the leading recipients in
 *    code-unit order of their keys. Passed over are zero weights, shares that would change sign and
 *    shares that would end more than two quanta from exact.
 * 4. What was set aside goes to the first recipient whose weight is not zero.
 *
 * The result is in key order whatever the order of the input; negative totals are symmetric.
 * Source of the rule: "Cost allocation, Even split, Rounding" of the cost specification.
 *
 * @throws {MoneyError} `CB_MONEY_WEIGHT` when a weight is negative, a key occurs twice, or there is no
 *   positive weight: the caller decides who bears a cost that nobody caused; `CB_MONEY_TOO_LARGE` like {@link money}.
 */
export function splitColumns(amount: Money, recipients: WeightColumns): ShareColumns {
  // Whatever made it: shares count on its size.
  const total = money(amount.units, amount.currency);
  const { keys, weights } = inKeyOrder(recipients);
  const weightSum = sumOfWeights(keys, weights);
  const units = total.units < 0n ? -total.units : total.units;
  const setAside = units % UNITS_PER_QUANTUM;
  const quanta = (units - setAside) / UNITS_PER_QUANTUM;

  const shares = roundedShares(weights, quanta, weightSum);
  const first = weights.findIndex((weight) => weight > 0n);
  handOutDifference({ weights, shares, first, setAside, quanta, weightSum });
  return { keys, weights, units: unitsOf(shares, { total: total.units, first, setAside }) };
}

function unitsOf(
  shares: readonly number[],
  { total, first, setAside }: { total: bigint; first: number; setAside: bigint },
): bigint[] {
  const sign = total < 0n ? -1 : 1;
  // Then every share of it is exact as a number too.
  const exact = Number.isSafeInteger(Number(total));
  const perQuantum = sign * Number(UNITS_PER_QUANTUM);
  const bigPerQuantum = BigInt(perQuantum);
  const units = shares.map((share) => (exact ? BigInt(share * perQuantum) : BigInt(share) * bigPerQuantum));
  units[first]! += setAside * BigInt(sign);
  return units;
}

function inKeyOrder(recipients: WeightColumns): WeightColumns {
  const { keys, weights } = recipients;
  let ordered = true;
  for (let index = 1; index < keys.length; index += 1) {
    if (keys[index - 1]! >= keys[index]!) {
      ordered = false;
      break;
    }
  }
  if (ordered) return recipients;
  const order = [...keys.keys()].toSorted((left, right) => compareKeys(keys[left]!, keys[right]!));
  const sorted = order.map((index) => keys[index]!);
  for (let index = 1; index < sorted.length; index += 1) {
    if (sorted[index - 1] === sorted[index]) {
      throw new MoneyError('CB_MONEY_WEIGHT', `recipient ${JSON.stringify(sorted[index])} occurs twice`);
    }
  }
  return { keys: sorted, weights: order.map((index) => weights[index]!) };
}

/** Code-unit order, the one order of everything that is shared out. */
export function compareKeys(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function sumOfWeights(keys: readonly string[], weights: readonly Weight[]): bigint {
  let sum = 0n;
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index]!;
    if (weight < 0n) {
      throw new MoneyError('CB_MONEY_WEIGHT', `weight of ${JSON.stringify(keys[index])} is negative`);
    }
    sum += weight;
  }
  if (sum === 0n) throw new MoneyError('CB_MONEY_WEIGHT', 'no recipient has a positive weight');
  return sum;
}

/**
 * Shares in quanta, rounded half-up. No amount has 2^53 quanta, so each is exact as a number. An estimate that is
 * clearly off the middle between two quanta tells the same as big integers would, in a fraction of their time.
 */
function roundedShares(weights: readonly Weight[], quanta: bigint, weightSum: bigint): number[] {
  const doubledSum = weightSum * 2n;
  const exactly = (weight: Weight): number => Number((quanta * weight * 2n + weightSum) / doubledSum);
  const sum = Number(weightSum);
  // NaN where weights are beyond all numbers: no estimate is clear then.
  const perWeight = Number.isFinite(sum) ? Number(quanta) / sum : Number.NaN;
  const shares: number[] = [];
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index]!;
    if (index > 0 && weight === weights[index - 1]) {
      shares.push(shares[index - 1]!);
      continue;
    }
    const estimate = Number(weight) * perWeight;
    const share = Math.floor(estimate + 0.5);
    const offMiddle = 0.5 - Math.abs(estimate - share);
    shares.push(offMiddle > estimate * ESTIMATE_ERROR + SMALLEST_ERROR ? share : exactly(weight));
  }
  return shares;
}

/**
 * Four roundings, of both numbers of the quotient, the quotient and the product, are each off by 2^-53 of the value
 * at most: 4.5e-16 together.
 */
const ESTIMATE_ERROR = 2e-15;
/** Where numbers are so small that they lose digits. */
const SMALLEST_ERROR = 1e-9;

interface SplitState {
  readonly weights: readonly Weight[];
  readonly shares: number[];
  readonly first: number;
  readonly setAside: bigint;
  readonly quanta: bigint;
  readonly weightSum: bigint;
}

function handOutDifference(state: SplitState): void {
  const { weights, shares } = state;
  let difference = Number(state.quanta);
  for (const share of shares) difference -= share;
  const step = difference < 0 ? -1 : 1;
  while (difference !== 0) {
    const before = difference;
    for (let index = 0; index < weights.length && difference !== 0; index += 1) {
      if (!mayTake(state, index, step)) continue;
      shares[index]! += step;
      difference -= step;
    }
    // Each share is within half a quantum of exact, so one pass suffices; this guards the proof.
    if (difference === before) throw new MoneyError('CB_MONEY_WEIGHT', 'split does not converge');
  }
}

function mayTake(state: SplitState, index: number, step: number): boolean {
  const weight = state.weights[index]!;
  const share = state.shares[index]! + step;
  if (weight === 0n || share < 0) return false;
  const setAside = index === state.first ? state.setAside : 0n;
  const units = BigInt(share) * UNITS_PER_QUANTUM + setAside;
  const exactTimesSum = (state.quanta * UNITS_PER_QUANTUM + state.setAside) * weight;
  const distance = units * state.weightSum - exactTimesSum;
  const bound = 2n * UNITS_PER_QUANTUM * state.weightSum;
  return distance <= bound && distance >= -bound;
}

/**
 * The part of an amount that a fraction `numerator / denominator` of its window covers, rounded
 * half-even to a ledger unit. The rest is `total - part`, exactly.
 * Source: "Active fraction adjustment" of the cost specification.
 */
export function fractionOfMoney(total: Money, numerator: bigint, denominator: bigint): Money {
  if (denominator <= 0n || numerator < 0n || numerator > denominator) {
    throw new MoneyError('CB_MONEY_WEIGHT', `not a fraction between 0 and 1: ${numerator}/${denominator}`);
  }
  const sign = total.units < 0n ? -1n : 1n;
  const product = total.units * sign * numerator;
  const quotient = product / denominator;
  const twiceRest = (product % denominator) * 2n;
  const roundUp = twiceRest > denominator || (twiceRest === denominator && quotient % 2n === 1n);
  return { units: (quotient + (roundUp ? 1n : 0n)) * sign, currency: total.currency };
}
