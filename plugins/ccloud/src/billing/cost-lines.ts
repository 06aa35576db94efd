import { compareKeys, Decimal, formatMoney, MoneyError, moneyFromDecimal } from '@chargeback/money';
import {
  type BillingLineItem,
  dayWindow,
  isoDateOf,
  type Json,
  type Metadata,
  startOfDay,
} from '@chargeback/plugin-api';
import type { CostRow } from './cost-row.ts';
import { remembered } from './remembered.ts';
import type { RowProblems } from './row-problems.ts';

/**
 * Adds up the rows that are one line of the bill: the same day, environment, resource, product and line type.
 * Tiers of a price, and a refund beside the usage it refunds, are such rows; each stays readable in the
 * line's metadata. The amounts are added exactly and rounded to the ledger once.
 */
export function linesOf(
  rows: readonly CostRow[],
  { currency, problems }: { currency: string; problems: RowProblems },
): BillingLineItem[] {
  const byLine = new Map<string, CostRow[]>();
  for (const row of rows) {
    const lineId = lineIdOf(row);
    const group = byLine.get(lineId);
    if (group) group.push(row);
    else byLine.set(lineId, [row]);
  }
  const lines: BillingLineItem[] = [];
  for (const [lineId, group] of byLine) {
    try {
      lines.push(lineOf(lineId, group, currency));
    } catch (cause) {
      if (!(cause instanceof MoneyError)) throw cause;
      const date = group[0]!.start;
      problems.add('CB_BILLING_AMOUNT', `${lineId}: ${cause.message}`, { severity: 'error', date });
    }
  }
  return lines;
}

/** Made of what the line is, never of where its rows stood: gathering again replaces it. */
export function lineIdOf(row: CostRow): string {
  const { start, end, environmentId, resourceId, resourceName, product, lineType } = row;
  const days = spansOneDay(row) ? start : `${start}..${end}`;
  // Things without an id are told apart by their names.
  const resource = resourceId ?? (resourceName === null ? '-' : `- ${resourceName}`);
  return [days, environmentId ?? '-', resource, product, lineType].map(escapeSlash).join('/');
}

function escapeSlash(part: string): string {
  return !part.includes('/') && !part.includes('%') ? part : part.replace(/[%/]/g, encodeURIComponent);
}

function lineOf(lineId: string, unsorted: readonly CostRow[], currency: string): BillingLineItem {
  // In an order of their own, so that a bill that is sent in another order is the same bill.
  const rows =
    unsorted.length === 1
      ? unsorted
      : unsorted.toSorted((left, right) => compareKeys(orderOf(left), orderOf(right)));
  const first = rows[0]!;
  const exact = sumOf(rows, ({ amount }) => amount);
  const { amount: totalCost, rounded } = moneyFromDecimal(exact, currency);
  const source = rows.length === 1 ? first.amountSource : exact.toString();
  return {
    lineId,
    timestamp: startOfDay(first.start),
    granularity: granularityOf(first),
    resourceId: first.resourceId,
    environmentId: first.environmentId,
    productCategory: first.product,
    productType: first.lineType,
    quantity: sumOf(rows, ({ quantity }) => quantity),
    // Several tiers have several prices.
    unitPrice: rows.length === 1 ? first.price : new Decimal(0),
    totalCost,
    coverage: null,
    metadata: {
      ...(rows.length === 1 ? first.details : sharedDetails(rows)),
      ...(first.resourceName === null ? {} : { resource_name: first.resourceName }),
      ...(rows.length === 1 ? {} : { tiers: rows.map(tierOf) }),
      ...(rounded ? { total_cost_source: source, total_cost_rounded: formatMoney(totalCost) } : {}),
    },
  };
}

function orderOf({ id, price, quantity, amountSource, details }: CostRow): string {
  return JSON.stringify([price.toString(), quantity.toString(), amountSource, id, details]);
}

/** What all rows of a line say alike. */
function sharedDetails(rows: readonly CostRow[]): Metadata {
  const [first, ...others] = rows;
  const shared = Object.entries(first!.details).filter(([field, value]) => {
    const text = JSON.stringify(value);
    return others.every(({ details }) => JSON.stringify(details[field]) === text);
  });
  // An amount that happens to be the same twice is still not that of the line.
  const ofOneRow = new Set(['id', 'original_amount', 'discount_amount']);
  return Object.fromEntries(shared.filter(([field]) => !ofOneRow.has(field)));
}

function tierOf({ price, quantity, amountSource, details }: CostRow): Json {
  return { price: price.toString(), quantity: quantity.toString(), cost: amountSource, ...details };
}

function sumOf(rows: readonly CostRow[], valueOf: (row: CostRow) => Decimal): Decimal {
  return rows.map(valueOf).reduce((sum, value) => sum.plus(value));
}

/** True for the daily rows that the vendor documents. */
export function spansOneDay({ start, end }: CostRow): boolean {
  return end === null || end <= dayAfter(start);
}

const dayAfter = remembered((day) => isoDateOf(dayWindow(day).end));

/** A row over a whole calendar month is a monthly line; any other is allocated by its first day. */
function granularityOf(row: CostRow): string {
  return isCalendarMonth(row) ? 'monthly' : 'daily';
}

export function isCalendarMonth({ start, end }: CostRow): boolean {
  if (!start.endsWith('-01')) return false;
  const first = startOfDay(start);
  const next = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 1));
  return end === isoDateOf(next);
}
