import { Decimal } from './decimal.ts';
import { type Money, UNITS_PER_QUANTUM } from './money.ts';
import { MoneyError } from './money-error.ts';

/** How far the ratios of a composite may be from 1 before they are refused. */
export const RATIO_TOLERANCE = new Decimal('0.0001');

const WHOLE = new Decimal(1);

/**
 * Cuts an amount into portions by ratios: each rounded half-up to 0.0001, the last one takes the exact
 * rest. One ratio alone takes everything.
 * Source: "Composite allocation" of the cost specification.
 * @throws {MoneyError} `CB_MONEY_WEIGHT` when a ratio is outside 0..1 or they do not add up to 1.
 */
export function splitPortions(total: Money, ratios: readonly Decimal[]): Money[] {
  assertRatios(ratios);
  let rest = total.units;
  return ratios.map((ratio, index) => {
    const last = index === ratios.length - 1;
    const units = last ? rest : limit(portionUnits(total.units, ratio), rest, total.units);
    rest -= units;
    return { units, currency: total.currency };
  });
}

/**
 * Checks the ratios of a composite.
 * @throws {MoneyError} `CB_MONEY_WEIGHT`, naming the sum.
 */
export function assertRatios(ratios: readonly Decimal[]): void {
  if (ratios.length === 0) throw new MoneyError('CB_MONEY_WEIGHT', 'a composite needs at least one ratio');
  // Nearly every line is a single portion.
  if (ratios.length === 1 && ratios[0]!.equals(WHOLE)) return;
  let sum = new Decimal(0);
  for (const ratio of ratios) {
    if (!ratio.isFinite() || ratio.isNegative() || ratio.greaterThan(1)) {
      throw new MoneyError('CB_MONEY_WEIGHT', `ratio ${ratio.toString()} is not between 0 and 1`);
    }
    sum = sum.plus(ratio);
  }
  if (sum.minus(1).abs().greaterThan(RATIO_TOLERANCE)) {
    throw new MoneyError('CB_MONEY_WEIGHT', `ratios must sum to 1, they sum to ${sum.toString()}`);
  }
}

function portionUnits(units: bigint, ratio: Decimal): bigint {
  const quanta = new Decimal(units.toString()).times(ratio).dividedBy(UNITS_PER_QUANTUM.toString());
  // ROUND_HALF_UP of decimal.js rounds ties away from zero.
  return BigInt(quanta.toDecimalPlaces(0, Decimal.ROUND_HALF_UP).toFixed(0)) * UNITS_PER_QUANTUM;
}

/** Rounding up several tiny portions must not leave a later one with the wrong sign. */
function limit(units: bigint, rest: bigint, total: bigint): bigint {
  const beyond = total < 0n ? units < rest : units > rest;
  return beyond ? rest : units;
}
