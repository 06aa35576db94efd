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

export function csvHeader(): string {
  return CSV_COLUMNS.join(',') + NEWLINE;
}

/** Distinct cells whose text is remembered; a hundred thousand identities fit. */
const REMEMBERED_CELLS = 200_000;

/**
 * Turns rows into CSV text, each row ending in CRLF. Keep one per file: the same few names stand in millions
 * of rows, so the text of a cell is made once and remembered.
 */
export class CsvText {
  readonly #timestamps = new Map<number, string>();
  readonly #cells = new Map<string, string>();
  #last: ChargebackRow | null = null;
  #beforeIdentity = '';
  #afterAmount = '';

  lines(rows: readonly ChargebackRow[]): string {
    let text = '';
    for (const row of rows) {
      // In the order of CSV_COLUMNS. Rows come in that order too, so most differ in identity and amount only.
      if (this.#last === null || !agree(this.#last, row)) this.#remember(row);
      // The amount is a number and stays one, a negative one too.
      text +=
        `${this.#beforeIdentity}${this.#cell(row.identityId)},${row.costType},${formatUnits(row.amount.units)}` +
        this.#afterAmount;
    }
    return text;
  }

  /** Makes the text around identity and amount. */
  #remember(row: ChargebackRow): void {
    this.#last = row;
    this.#beforeIdentity =
      `${this.#cell(row.ecosystem)},${this.#cell(row.tenantId)},${this.#timestamp(row.timestamp)},` +
      `${this.#cell(row.resourceId)},${this.#cell(row.productCategory)},${this.#cell(row.productType)},`;
    this.#afterAmount = `,${this.#cell(row.allocationMethod)},${this.#cell(row.allocationDetail)}${NEWLINE}`;
  }

  #cell(value: string | null): string {
    if (value === null) return '';
    let text = this.#cells.get(value);
    if (text === undefined) {
      if (this.#cells.size >= REMEMBERED_CELLS) this.#cells.clear();
      text = Papa.unparse([[inert(value)]]);
      this.#cells.set(value, text);
    }
    return text;
  }

  #timestamp(timestamp: Date): string {
    const time = timestamp.getTime();
    let text = this.#timestamps.get(time);
    if (text === undefined) {
      text = `${timestamp.toISOString().slice(0, 19)}+00:00`;
      this.#timestamps.set(time, text);
    }
    return text;
  }
}

/** In every column but identity, cost type and amount. */
function agree(left: ChargebackRow, right: ChargebackRow): boolean {
  return (
    left.resourceId === right.resourceId &&
    left.productType === right.productType &&
    left.productCategory === right.productCategory &&
    left.allocationMethod === right.allocationMethod &&
    left.allocationDetail === right.allocationDetail &&
    left.timestamp.getTime() === right.timestamp.getTime() &&
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
