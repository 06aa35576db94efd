import { Decimal } from './decimal.ts';
import { LEDGER_SCALE, type Money, MAX_UNITS, money } from './money.ts';
import { MoneyError } from './money-error.ts';

const AMOUNT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/;
const SCALE_FACTOR = new Decimal(10).pow(LEDGER_SCALE);
const LARGEST = new Decimal(MAX_UNITS.toString()).dividedBy(SCALE_FACTOR);

export interface ParsedMoney {
  readonly amount: Money;
  /** True when the text had more than eight decimals and was rounded, half-even, once. */
  readonly rounded: boolean;
}

/**
 * Reads an amount from its source text, never through a binary float.
 * @throws {MoneyError} `CB_MONEY_PARSE` for anything that is not a finite decimal number,
 *   `CB_MONEY_TOO_LARGE` for what does not fit the ledger.
 */
export function parseMoney(text: string, currency: string): ParsedMoney {
  const trimmed = text.trim();
  if (!AMOUNT.test(trimmed)) {
    throw new MoneyError('CB_MONEY_PARSE', `not an amount: ${JSON.stringify(text.slice(0, 60))}`);
  }
  return moneyFromDecimal(new Decimal(trimmed), currency);
}

/**
 * Turns a computed cost (quantity × rate) into money, rounded once, half-even, to eight decimals.
 * @throws {MoneyError} `CB_MONEY_PARSE` for NaN and infinities, `CB_MONEY_TOO_LARGE` beyond the ledger.
 */
export function moneyFromDecimal(value: Decimal, currency: string): ParsedMoney {
  if (!value.isFinite()) throw new MoneyError('CB_MONEY_PARSE', `not a finite amount: ${value.toString()}`);
  // Rounding the value itself, before anything is multiplied, is the one rounding there is.
  const whole = value.toDecimalPlaces(LEDGER_SCALE, Decimal.ROUND_HALF_EVEN);
  if (whole.abs().greaterThan(LARGEST)) {
    throw new MoneyError('CB_MONEY_TOO_LARGE', `${value.toString()} does not fit the ledger`);
  }
  const units = BigInt(whole.times(SCALE_FACTOR).toFixed(0));
  return { amount: money(units, currency), rounded: !whole.equals(value) };
}
