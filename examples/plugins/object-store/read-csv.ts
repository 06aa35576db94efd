/** The rows of a CSV file without quotes, by the names of its first line. A row of another length is an error. */
export function readCsv<Column extends string>(
  text: string,
  columns: readonly Column[],
): Readonly<Record<Column, string>>[] {
  const [header, ...lines] = text.trim().split(/\r?\n/);
  if (header !== columns.join(','))
    throw new Error(`the columns are ${header}; ${columns.join(',')} are wanted`);
  return lines.map((line, index) => {
    const cells = line.split(',');
    if (cells.length !== columns.length) throw new Error(`row ${index + 2} is not understood: ${line}`);
    return Object.fromEntries(columns.map((column, at) => [column, cells[at]])) as Record<Column, string>;
  });
}

/** True when a row is of a day: of that day, or of every day. */
export function isOf(date: string, row: { readonly day: string }): boolean {
  return row.day === date || row.day === 'daily';
}
