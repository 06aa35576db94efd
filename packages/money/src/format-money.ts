import { LEDGER_SCALE, type Money, SHARE_SCALE } from './money.ts';

/**
 * The amount as plain decimal text with at least four and at most eight decimals, no exponent and no
 * currency: `6.1728`, `-0.0001`, `0.00003`. Loses nothing: parsing it gives the same amount.
 */
export function formatMoney(amount: Money): string {
  return formatUnits(amount.units);
}

/** {@link formatMoney} for bare ledger units. */
export function formatUnits(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(LEDGER_SCALE + 1, '0');
  const whole = digits.slice(0, -LEDGER_SCALE);
  let decimals = digits.slice(-LEDGER_SCALE);
  while (decimals.length > SHARE_SCALE && decimals.endsWith('0')) decimals = decimals.slice(0, -1);
  return `${units < 0n ? '-' : ''}${whole}.${decimals}`;
}
