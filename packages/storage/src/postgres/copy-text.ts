/** A value of a column; arrays and objects are turned into text by whoever has them. */
export type CopyValue = string | number | bigint | null | undefined;

const PIECE_LENGTH = 65_536;
const SPECIAL = /[\\\t\n\r]/g;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** Joins encoded rows to pieces worth sending. */
export function* pieces(rows: Iterable<string>): Generator<string> {
  let piece = '';
  for (const row of rows) {
    piece += row;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** Rows in the text format of `COPY`, in pieces. */
export function copyText(rows: Iterable<readonly CopyValue[]>): Generator<string> {
  return pieces(encoded(rows));
}

function* encoded(rows: Iterable<readonly CopyValue[]>): Generator<string> {
  for (const row of rows) yield `${row.map(encode).join('\t')}\n`;
}

export function encode(value: CopyValue): string {
  if (value === null || value === undefined) return '\\N';
  return typeof value === 'string' ? value.replace(SPECIAL, (found) => ESCAPES[found]!) : String(value);
}
