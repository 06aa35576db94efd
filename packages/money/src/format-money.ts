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
  const small = Number(units);
  const absolute = Math.abs(small);
  // Whole numbers below 2^53 are exact as numbers too, which cost a fraction of what big integers cost.
  if (absolute <= Number.MAX_SAFE_INTEGER) {
    const rest = absolute % UNITS_PER_WHOLE;
    return text(
      small < 0,
      String((absolute - rest) / UNITS_PER_WHOLE),
      String(UNITS_PER_WHOLE + rest).slice(1),
    );
  }
  const digits = (units < 0n ? -units : units).toString();
  return text(units < 0n, digits.slice(0, -LEDGER_SCALE), digits.slice(-LEDGER_SCALE));
}

const UNITS_PER_WHOLE = 10 ** LEDGER_SCALE;

function text(negative: boolean, whole: string, decimals: string): string {
  let length = LEDGER_SCALE;
  while (length > SHARE_SCALE && decimals.charCodeAt(length - 1) === 0x30) length -= 1;
  return `${negative ? '-' : ''}${whole}.${length === LEDGER_SCALE ? decimals : decimals.slice(0, length)}`;
}
