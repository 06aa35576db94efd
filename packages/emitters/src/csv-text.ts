import { formatUnits } from '@chargeback/money';
import type { ChargebackRow } from '@chargeback/plugin-api';
import Papa from 'papaparse';

/** The columns of the CSV form, in order. */
export const CSV_COLUMNS = [
  'ecosystem',
  'tenant_id',
  'timestamp',
  'resource_id',
  'product_category',
  'product_type',
  'identity_id',
  'cost_type',
  'amount',
  'allocation_method',
  'allocation_detail',
] as const;

/** RFC 4180. */
const NEWLINE = '\r\n';

const HEADER = Buffer.from(CSV_COLUMNS.join(',') + NEWLINE);
const COMMA = 0x2c;

/** Distinct cells whose text is remembered; a hundred thousand identities fit. */
const REMEMBERED_CELLS = 200_000;

/** Cells of these characters stand as they are, in every spreadsheet: most are names. */
const PLAIN = /^[A-Za-z0-9][\w.:/-]*$/;

/** The text of cells in UTF-8. The same few names stand in millions of rows, so each is made once and remembered. */
export class CsvCells {
  readonly #cells = new Map<string, Uint8Array>();

  of(value: string | null): Uint8Array {
    if (value === null) return NOTHING;
    let cell = this.#cells.get(value);
    if (cell === undefined) {
      if (this.#cells.size >= REMEMBERED_CELLS) this.#cells.clear();
      cell = Buffer.from(PLAIN.test(value) ? value : Papa.unparse([[inert(value)]]));
      this.#cells.set(value, cell);
    }
    return cell;
  }
}

const NOTHING = new Uint8Array();

const FIRST_LENGTH = 65_536;
/** The longest amount has 21 characters; beside it there are the commas around the cost type. */
const AMOUNT_LENGTH = 32;

/** Turns the rows of a file into CSV, each row ending in CRLF: straight into bytes, as the file and its digest want them. */
export class CsvText {
  readonly #cells: CsvCells;
  #bytes = new Uint8Array(FIRST_LENGTH);
  #length = 0;
  #last: ChargebackRow | null = null;
  #beforeIdentity: Uint8Array = NOTHING;
  readonly #after = new Map<string | null, Map<string | null, Uint8Array>>();

  constructor(cells: CsvCells) {
    this.#cells = cells;
  }

  addHeader(): void {
    this.#reserve(HEADER.length);
    this.#put(HEADER);
  }

  add(rows: readonly ChargebackRow[]): void {
    for (let index = 0; index < rows.length; index += 1) {
      const row = rows[index]!;
      // In the order of CSV_COLUMNS. Rows come in that order too, so most have the text before the identity in common.
      if (this.#last === null || !agreeBefore(this.#last, row)) this.#beforeIdentity = this.#textBefore(row);
      this.#last = row;
      const identity = this.#cells.of(row.identityId);
      const after = this.#textAfter(row);
      this.#reserve(this.#beforeIdentity.length + identity.length + AMOUNT_LENGTH + after.length);
      this.#put(this.#beforeIdentity);
      this.#put(identity);
      this.#bytes[this.#length++] = COMMA;
      this.#putAscii(row.costType);
      this.#bytes[this.#length++] = COMMA;
      // The amount is a number and stays one, a negative one too.
      this.#putAscii(formatUnits(row.amount.units));
      this.#put(after);
    }
  }

  /** What was added since the last time; it is overwritten by what is added next. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #textBefore(row: ChargebackRow): Uint8Array {
    const cells = this.#cells;
    const before = [
      cells.of(row.ecosystem),
      cells.of(row.tenantId),
      Buffer.from(`${row.timestamp.toISOString().slice(0, 19)}+00:00`),
      cells.of(row.resourceId),
      cells.of(row.productCategory),
      cells.of(row.productType),
    ];
    return Buffer.concat(before.flatMap((cell) => [cell, SEPARATOR]));
  }

  /** There are few methods and details, but neighbours may differ in them. */
  #textAfter({ allocationMethod, allocationDetail }: ChargebackRow): Uint8Array {
    let ofMethod = this.#after.get(allocationMethod);
    if (!ofMethod) this.#after.set(allocationMethod, (ofMethod = new Map()));
    let text = ofMethod.get(allocationDetail);
    if (!text) {
      const after = [this.#cells.of(allocationMethod), this.#cells.of(allocationDetail)];
      text = Buffer.concat([...after.flatMap((cell) => [SEPARATOR, cell]), LINE_END]);
      ofMethod.set(allocationDetail, text);
    }
    return text;
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  #put(bytes: Uint8Array): void {
    if (bytes.length > SHORT) this.#bytes.set(bytes, this.#length);
    else
      for (let index = 0; index < bytes.length; index += 1) this.#bytes[this.#length + index] = bytes[index]!;
    this.#length += bytes.length;
  }

  #putAscii(text: string): void {
    for (let index = 0; index < text.length; index += 1) {
      this.#bytes[this.#length + index] = text.charCodeAt(index);
    }
    this.#length += text.length;
  }
}

const SEPARATOR = Buffer.from(',');
const LINE_END = Buffer.from(NEWLINE);
/** Up to here bytes are copied faster one by one. */
const SHORT = 32;

/** In every column before the identity. */
function agreeBefore(left: ChargebackRow, right: ChargebackRow): boolean {
  return (
    left.resourceId === right.resourceId &&
    left.productType === right.productType &&
    left.productCategory === right.productCategory &&
    (left.timestamp === right.timestamp || left.timestamp.getTime() === right.timestamp.getTime()) &&
    left.tenantId === right.tenantId &&
    left.ecosystem === right.ecosystem
  );
}

/**
 * A cell that a spreadsheet will not run as a formula: an apostrophe goes before a leading `=`, `+`, `-`,
 * `@`, tab or carriage return.
 */
function inert(text: string): string {
  switch (text.charCodeAt(0)) {
    case 0x3d: // =
    case 0x2b: // +
    case 0x2d: // -
    case 0x40: // @
    case 0x09:
    case 0x0d:
      return `'${text}`;
    default:
      return text;
  }
}
