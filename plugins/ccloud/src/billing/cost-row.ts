import { Decimal } from '@chargeback/money';
import { type IsoDate, isoDateOf, type Json, type Metadata } from '@chargeback/plugin-api';
import { isJsonObject, type JsonObject, type JsonValue } from '../http/parse-json.ts';
import { remembered } from './remembered.ts';

/** One row of the bill as the vendor sent it, in the terms of billing. */
export interface CostRow {
  readonly id: string | null;
  readonly start: IsoDate;
  /** First day that is no longer billed; null when the row does not say. */
  readonly end: IsoDate | null;
  readonly product: string;
  readonly lineType: string;
  readonly resourceId: string | null;
  readonly resourceName: string | null;
  readonly environmentId: string | null;
  /** After discount; negative for a refund or credit. */
  readonly amount: Decimal;
  /** The amount as it was written. */
  readonly amountSource: string;
  readonly quantity: Decimal;
  readonly price: Decimal;
  /** Everything else that the row says, by the vendor's names; amounts as they were written. */
  readonly details: Metadata;
  /** What deserves a look without holding the day. */
  readonly remarks: readonly string[];
}

/** Why a row cannot be billed, and which day that concerns. */
export interface RejectedRow {
  readonly code: 'CB_BILLING_AMOUNT' | 'CB_BILLING_ROW';
  readonly message: string;
  /** Days that the row may belong to, from the first up to and including the last; null when it says none. */
  readonly days: { readonly first: IsoDate; readonly last: IsoDate } | null;
}

/** Stands for a product or line type that a row does not name: the cost is kept and shown. */
export const UNNAMED = 'UNKNOWN';

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/;
const DAY = /^(\d{4}-\d{2}-\d{2})(?:T00:00(?::00(?:\.0+)?)?(?:Z|\+00:00)?)?$/;
/** What has a place of its own on the line. */
const PLACED = new Set(['start_date', 'product', 'line_type', 'quantity', 'price', 'amount', 'resource']);

const PLACED_OF_RESOURCE = new Set(['id', 'display_name', 'environment']);
const PLACED_OF_ENVIRONMENT = new Set(['id']);

/**
 * Reads a row whose numbers are source texts (see `parseJson`).
 * Source: the Costs API of the vendor; what it guarantees is only id, dates, unit and original amount.
 */
export function readCostRow(row: JsonValue): CostRow | RejectedRow {
  if (!isJsonObject(row)) return reject('CB_BILLING_ROW', `a row is no object: ${quoted(row)}`, null);
  const start = dayOf(row['start_date']);
  const end = dayOf(row['end_date']);
  const name = describeRow(row);
  if (start === null) {
    const said = row['start_date'] === undefined ? 'none' : quoted(row['start_date']);
    return reject('CB_BILLING_ROW', `${name} has no usable start_date (${said})`, null);
  }
  if (end !== null && end < start) {
    const message = `${name} ends on ${end}, before it starts on ${start}`;
    return reject('CB_BILLING_ROW', message, { first: end, last: start });
  }
  const remarks: string[] = [];
  const amount = amountOf(row, remarks);
  if (amount === null) {
    const days = { first: start, last: start };
    return reject('CB_BILLING_AMOUNT', `${name} has the amount ${quoted(row['amount'])}`, days);
  }
  const resource = resourceOf(row, remarks);
  const environment = isJsonObject(resource['environment']) ? resource['environment'] : {};
  return {
    id: textOf(row['id']),
    start,
    end,
    product: textOf(row['product']) ?? UNNAMED,
    lineType: textOf(row['line_type']) ?? UNNAMED,
    resourceId: textOf(resource['id']),
    resourceName: textOf(resource['display_name']),
    environmentId: textOf(environment['id']),
    amount: amount.value,
    amountSource: amount.source,
    quantity: measureOf(row, 'quantity', remarks),
    price: measureOf(row, 'price', remarks),
    details: detailsOf(row),
    remarks: remarks.map((remark) => `${name} ${remark}`),
  };
}

export function isRejected(row: CostRow | RejectedRow): row is RejectedRow {
  return 'code' in row;
}

/** `row dlz-1 (KAFKA_NUM_CKUS of lkc-1)` */
function describeRow(row: JsonObject): string {
  const resource = isJsonObject(row['resource']) ? textOf(row['resource']['id']) : null;
  const what = textOf(row['line_type']) ?? UNNAMED;
  return `row ${textOf(row['id']) ?? 'without id'} (${what}${resource === null ? '' : ` of ${resource}`})`;
}

/** The amount, or what the vendor defines it as where the row leaves it out altogether. */
function amountOf(row: JsonObject, remarks: string[]): { value: Decimal; source: string } | null {
  if (row['amount'] !== undefined) {
    const value = decimalOf(row['amount']);
    return value === null ? null : { value, source: String(row['amount']).trim() };
  }
  const original = decimalOf(row['original_amount']);
  const discount = row['discount_amount'] === undefined ? new Decimal(0) : decimalOf(row['discount_amount']);
  if (original === null || discount === null) return null;
  const value = original.minus(discount);
  remarks.push('has no amount; original_amount less discount_amount was taken');
  return { value, source: value.toString() };
}

/** Quantity and price explain a cost and do not change it: what cannot be read is 0, and said. */
function measureOf(row: JsonObject, field: 'quantity' | 'price', remarks: string[]): Decimal {
  const value = row[field];
  if (value === undefined || value === null) return new Decimal(0);
  const read = decimalOf(value);
  if (read === null) remarks.push(`has the ${field} ${quoted(value)}, which is kept as 0`);
  return read ?? new Decimal(0);
}

/** What the row is for; nothing where it says so, or where it cannot be understood. */
function resourceOf({ resource }: JsonObject, remarks: string[]): JsonObject {
  if (isJsonObject(resource)) return resource;
  if (resource !== undefined && resource !== null) {
    remarks.push(`has the resource ${quoted(resource)}, which is no object: its line has no resource`);
  }
  return {};
}

function detailsOf(row: JsonObject): Metadata {
  const details = without(row, PLACED);
  const { resource } = row;
  if (!isJsonObject(resource)) return resource ? { ...details, resource: resource as Json } : details;
  const { environment } = resource;
  const ofEnvironment = isJsonObject(environment) ? without(environment, PLACED_OF_ENVIRONMENT) : {};
  const ofResource = {
    ...without(resource, PLACED_OF_RESOURCE),
    ...(Object.keys(ofEnvironment).length > 0 ? { environment: ofEnvironment } : {}),
  };
  return Object.keys(ofResource).length > 0 ? { ...details, resource: ofResource } : details;
}

function without(object: JsonObject, placed: ReadonlySet<string>): Record<string, Json> {
  const rest: Record<string, Json> = {};
  for (const field of Object.keys(object)) {
    const value = object[field];
    if (!placed.has(field) && value !== undefined && value !== null) rest[field] = value as Json;
  }
  return rest;
}

function decimalOf(value: JsonValue | undefined): Decimal | null {
  if (typeof value !== 'string' || !DECIMAL.test(value.trim())) return null;
  return new Decimal(value.trim());
}

/** A day that exists in the calendar. */
const dayIn = remembered((text): IsoDate | null => {
  const day = DAY.exec(text.trim())?.[1];
  if (day === undefined) return null;
  const time = Date.parse(`${day}T00:00:00.000Z`);
  return !Number.isNaN(time) && isoDateOf(new Date(time)) === day ? day : null;
});

function dayOf(value: JsonValue | undefined): IsoDate | null {
  return typeof value === 'string' ? dayIn(value) : null;
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

function reject(code: RejectedRow['code'], message: string, days: RejectedRow['days']): RejectedRow {
  return { code, message, days };
}

function quoted(value: JsonValue | undefined): string {
  return value === undefined ? 'none' : JSON.stringify(value).slice(0, 60);
}
