import { type Money, UNITS_PER_QUANTUM } from './money.ts';
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
 *   positive weight: the caller decides who bears a cost that nobody caused.
 */
export function splitByWeight(total: Money, recipients: readonly WeightedRecipient[]): Share[] {
  const sorted = inKeyOrder(recipients);
  const weightSum = sumOfWeights(sorted);
  const sign = total.units < 0n ? -1n : 1n;
  const units = total.units * sign;
  const setAside = units % UNITS_PER_QUANTUM;
  const quanta = (units - setAside) / UNITS_PER_QUANTUM;

  const shares = roundedShares(sorted, quanta, weightSum);
  const first = sorted.findIndex((recipient) => recipient.weight > 0n);
  handOutDifference({ sorted, shares, first, setAside, quanta, weightSum });

  return sorted.map((recipient, index) => {
    const share = shares[index]! * UNITS_PER_QUANTUM + (index === first ? setAside : 0n);
    return { key: recipient.key, units: share * sign };
  });
}

function inKeyOrder(recipients: readonly WeightedRecipient[]): readonly WeightedRecipient[] {
  let ordered = true;
  for (let index = 1; index < recipients.length; index += 1) {
    if (recipients[index - 1]!.key >= recipients[index]!.key) {
      ordered = false;
      break;
    }
  }
  if (ordered) return recipients;
  const sorted = recipients.toSorted((left, right) => compareKeys(left.key, right.key));
  for (let index = 1; index < sorted.length; index += 1) {
    if (sorted[index - 1]!.key === sorted[index]!.key) {
      throw new MoneyError('CB_MONEY_WEIGHT', `recipient ${JSON.stringify(sorted[index]!.key)} occurs twice`);
    }
  }
  return sorted;
}

/** Code-unit order, the one order of everything that is shared out. */
export function compareKeys(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function sumOfWeights(recipients: readonly WeightedRecipient[]): bigint {
  let sum = 0n;
  for (const { key, weight } of recipients) {
    if (weight < 0n) throw new MoneyError('CB_MONEY_WEIGHT', `weight of ${JSON.stringify(key)} is negative`);
    sum += weight;
  }
  if (sum === 0n) throw new MoneyError('CB_MONEY_WEIGHT', 'no recipient has a positive weight');
  return sum;
}

function roundedShares(
  recipients: readonly WeightedRecipient[],
  quanta: bigint,
  weightSum: bigint,
): bigint[] {
  const doubledSum = weightSum * 2n;
  return recipients.map(({ weight }) => (quanta * weight * 2n + weightSum) / doubledSum);
}

interface SplitState {
  readonly sorted: readonly WeightedRecipient[];
  readonly shares: bigint[];
  readonly first: number;
  readonly setAside: bigint;
  readonly quanta: bigint;
  readonly weightSum: bigint;
}

function handOutDifference(state: SplitState): void {
  const { sorted, shares, quanta } = state;
  let difference = quanta;
  for (const share of shares) difference -= share;
  const step = difference < 0n ? -1n : 1n;
  while (difference !== 0n) {
    const before = difference;
    for (let index = 0; index < sorted.length && difference !== 0n; index += 1) {
      if (!mayTake(state, index, step)) continue;
      shares[index]! += step;
      difference -= step;
    }
    // Each share is within half a quantum of exact, so one pass suffices; this guards the proof.
    if (difference === before) throw new MoneyError('CB_MONEY_WEIGHT', 'split does not converge');
  }
}

function mayTake(state: SplitState, index: number, step: bigint): boolean {
  const { weight } = state.sorted[index]!;
  const share = state.shares[index]! + step;
  if (weight === 0n || share < 0n) return false;
  const setAside = index === state.first ? state.setAside : 0n;
  const units = share * UNITS_PER_QUANTUM + setAside;
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
