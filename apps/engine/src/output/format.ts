import { dayWindow, type IsoDate, isoDateOf } from '@chargeback/plugin-api';
import { stripVTControlCharacters, styleText } from 'node:util';
import { formatUnits } from '@chargeback/money';
import { getBorderCharacters, table } from 'table';

/** Writes what people read; colours only where the stream is a terminal that shows them. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
}

export function paintFor(stream: NodeJS.WriteStream): Paint {
  const style = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    styleText(format, text, { stream });
  return {
    bold: style('bold'),
    dim: style('dim'),
    good: style('green'),
    bad: style('red'),
    warn: style('yellow'),
  };
}

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

export interface TableColumn {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Longer cells are cut with an ellipsis. */
  readonly maxWidth?: number;
}

/** A borderless table with a rule below the titles. Numbers stand with their decimal points below one another. */
export function renderTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => title);
  const decimals = columns.map(({ align }, index) =>
    align === 'right' ? Math.max(0, ...rows.map((row) => decimalsOf(row[index] ?? ''))) : 0,
  );
  const aligned = rows.map((row) =>
    row.map(
      (cell, index) => cell + ' '.repeat(decimals[index]! > 0 ? decimals[index]! - decimalsOf(cell) : 0),
    ),
  );
  return table([titles, ...aligned], {
    border: { ...getBorderCharacters('void'), joinBody: '─', joinJoin: '──', bodyJoin: '  ' },
    columns: columns.map(({ align = 'left', maxWidth }) => ({
      alignment: align,
      paddingLeft: 0,
      paddingRight: 0,
      ...(maxWidth === undefined ? {} : { truncate: maxWidth }),
    })),
    drawHorizontalLine: (index) => index === 1,
  });
}

/** Characters from the decimal point on; 0 for what is not a number with decimals. */
function decimalsOf(cell: string): number {
  return (
    /^-?[\d,]+(?<decimals>\.\d+)$/.exec(stripVTControlCharacters(cell))?.groups?.['decimals']?.length ?? 0
  );
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
