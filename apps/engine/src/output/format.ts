import { dayWindow, type IsoDate, isoDateOf } from '@chargeback/plugin-api';
import { formatUnits } from '@chargeback/money';

/** Ledger units as an exact amount with thousands separators: `1 234.5678` becomes `1,234.5678`. */
export function amountText(units: bigint): string {
  const [whole = '', decimals = ''] = formatUnits(units).split('.');
  return `${whole.replaceAll(/\B(?=(\d{3})+$)/g, ',')}.${decimals}`;
}

/** The amount rounded half-up to 0.01, for reading only: the exact one is in the database and the files. */
export function readableAmount(units: bigint): string {
  const sign = units < 0n ? -1n : 1n;
  const hundredths = (units * sign + 500_000n) / 1_000_000n;
  return amountText(hundredths * sign * 1_000_000n).slice(0, -2);
}

/** Share of a whole in percent, rounded half-up to one decimal, for reading only. */
export function percentText(part: bigint, whole: bigint): string {
  if (whole === 0n) return '–';
  const negative = part < 0n !== whole < 0n && part !== 0n;
  const permille = ((absolute(part) * 2000n) / absolute(whole) + 1n) / 2n;
  return `${negative ? '-' : ''}${permille / 10n}.${permille % 10n} %`;
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}

/** Days in order as few words: `2026-02-03 to 2026-02-05, 2026-02-09`. */
export function dateRanges(dates: readonly IsoDate[]): string {
  const ranges: [IsoDate, IsoDate][] = [];
  for (const date of dates) {
    const last = ranges.at(-1);
    if (last && isoDateOf(dayWindow(last[1]).end) === date) last[1] = date;
    else ranges.push([date, date]);
  }
  return ranges.map(([first, last]) => (first === last ? first : `${first} to ${last}`)).join(', ');
}
