import { stripVTControlCharacters } from 'node:util';
import { getBorderCharacters, table } from 'table';

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
