import { MoneyError } from './money-error.ts';

/** Decimals of one ledger unit: a {@link Money} counts 10⁻⁸ of its currency. */
export const LEDGER_SCALE = 8;

/** Decimals of one quantum, the smallest difference between two shares of a line: 0.0001. */
export const SHARE_SCALE = 4;

/** Ledger units in one quantum (0.0001 of the currency). */
export const UNITS_PER_QUANTUM = 10n ** BigInt(LEDGER_SCALE - SHARE_SCALE);

/** Largest absolute number of ledger units: what a signed 64-bit database column can hold. */
export const MAX_UNITS = 2n ** 63n - 1n;

/** An exact amount: an integer count of ledger units (10⁻⁸) of one currency. */
export interface Money {
  readonly units: bigint;
  /** ISO 4217 code, such as `USD`. */
  readonly currency: string;
}

/**
 * Makes an amount from ledger units.
 * @throws {MoneyError} `CB_MONEY_TOO_LARGE` beyond ±92 233 720 368.54775807.
 */
export function money(units: bigint, currency: string): Money {
  if (units > MAX_UNITS || units < -MAX_UNITS) {
    throw new MoneyError('CB_MONEY_TOO_LARGE', `${units} ledger units do not fit a 64-bit column`);
  }
  return { units, currency };
}

export function zeroMoney(currency: string): Money {
  return { units: 0n, currency };
}

/** @throws {MoneyError} `CB_MONEY_CURRENCY` when the currencies differ. */
export function addMoney(left: Money, right: Money): Money {
  return money(left.units + sameCurrency(left, right).units, left.currency);
}

/** @throws {MoneyError} `CB_MONEY_CURRENCY` when the currencies differ. */
export function subtractMoney(left: Money, right: Money): Money {
  return money(left.units - sameCurrency(left, right).units, left.currency);
}

export function negateMoney(amount: Money): Money {
  return { units: -amount.units, currency: amount.currency };
}

/** Adds amounts of one currency; the currency is named so that an empty list has one too. */
export function sumMoney(amounts: Iterable<Money>, currency: string): Money {
  let units = 0n;
  for (const amount of amounts) units += sameCurrency({ units, currency }, amount).units;
  return money(units, currency);
}

export function isZeroMoney(amount: Money): boolean {
  return amount.units === 0n;
}

function sameCurrency(left: Money, right: Money): Money {
  if (left.currency !== right.currency) {
    throw new MoneyError('CB_MONEY_CURRENCY', `cannot add ${right.currency} to ${left.currency}`);
  }
  return right;
}
