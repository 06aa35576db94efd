import { Decimal } from './decimal.ts';
import { LEDGER_SCALE, type Money, MAX_UNITS, money } from './money.ts';
import { MoneyError } from './money-error.ts';

const AMOUNT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/;
/** No amount of the ledger has as many digits: what has is refused before they are written out. */
const MOST_DIGITS = 30;

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
  const rounded = value.decimalPlaces() > LEDGER_SCALE;
  const whole = rounded ? value.toDecimalPlaces(LEDGER_SCALE, Decimal.ROUND_HALF_EVEN) : value;
  const units = whole.e > MOST_DIGITS ? null : BigInt(whole.toFixed(LEDGER_SCALE).replace('.', ''));
  if (units === null || units > MAX_UNITS || units < -MAX_UNITS) {
    throw new MoneyError('CB_MONEY_TOO_LARGE', `${value.toString()} does not fit the ledger`);
  }
  return { amount: money(units, currency), rounded };
}
