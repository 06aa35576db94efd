import type { ReconciliationGrouping, ReconciliationRow, Store } from '@chargeback/storage';
import { formatUnits } from '@chargeback/money';
import { daysOf, ERROR_CODES, type ErrorCode, type IsoDate, type Window } from '@chargeback/plugin-api';
import { amountText, dateRanges } from '../output/format.ts';
import { paintFor } from '../output/paint.ts';
import { renderTable } from '../output/render-table.ts';
import { type ConfigOptions, openSession, type ProcessContext } from '../session.ts';
import { type DateRange, runWindow } from '../window.ts';
import { tenantWithDatabase } from './open-tenant.ts';

const DIFFERENCE: ErrorCode = 'CB_RECONCILE_DIFFERENCE';

export interface ReconcileOptions extends ConfigOptions, DateRange {
  readonly tenant: string;
  readonly by: ReconciliationGrouping;
  readonly json?: boolean;
}

/** `chargeback reconcile`: billed against allocated, retained and held, to the last digit. Exit 3 when it is off. */
export async function reconcile(options: ReconcileOptions, context: ProcessContext): Promise<number> {
  const session = await openSession(options, context);
  const tenant = await tenantWithDatabase(session, options.tenant);
  const window = runWindow(tenant.config, options, new Date());
  await using store: Store = await tenant.openStore();
  const rows = await store.reconcile(window, options.by);
  const totals = totalsOf(rows);
  const missing = await missingDays(store, window);
  if (options.json) {
    const report = { ...jsonOf(options, rows, totals), missing_days: missing };
    context.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  } else {
    context.stdout.write(renderReconciliation(rows, totals, context.stdout));
    context.stdout.write(notesOf(totals, missing, context.stdout));
  }
  return totals.every(({ difference }) => difference === 0n) &&
    rows.every(({ difference }) => difference === 0n)
    ? 0
    : ERROR_CODES[DIFFERENCE].exitCode;
}

/** Days since the tenant's first that have no inputs: what they cost is in none of the sums. */
async function missingDays(store: Store, window: Window): Promise<IsoDate[]> {
  const first = await store.firstDate();
  const known = new Set((await store.dateStates(window)).map(({ date }) => date));
  return daysOf(window).filter((date) => first !== null && date > first && !known.has(date));
}

function notesOf(
  totals: readonly ReconciliationRow[],
  missing: readonly IsoDate[],
  stream: NodeJS.WriteStream,
): string {
  const paint = paintFor(stream);
  const held = totals.reduce((sum, { heldLines }) => sum + heldLines, 0);
  const notes: string[] = [];
  if (held > 0) {
    const lines = held === 1 ? '1 line is' : `${held} lines are`;
    notes.push(`${lines} held: what was measured for them is not whole, so their cost may still change.`);
  }
  if (missing.length > 0) {
    notes.push(`No inputs for ${dateRanges(missing)}: what these days cost is in none of the sums.`);
  }
  return notes.map((note) => `${paint.warn('!')} ${note}\n`).join('');
}

/** One total per currency: amounts of different currencies are never added. */
export function totalsOf(rows: readonly ReconciliationRow[]): ReconciliationRow[] {
  const totals = new Map<string, ReconciliationRow>();
  for (const row of rows) {
    const sum = totals.get(row.currency);
    totals.set(row.currency, sum ? addRows(sum, row) : { ...row, key: 'Total', date: '' });
  }
  return [...totals.values()];
}

function addRows(sum: ReconciliationRow, row: ReconciliationRow): ReconciliationRow {
  return {
    ...sum,
    billed: sum.billed + row.billed,
    allocated: sum.allocated + row.allocated,
    unallocated: sum.unallocated + row.unallocated,
    retained: sum.retained + row.retained,
    held: sum.held + row.held,
    difference: sum.difference + row.difference,
    heldLines: sum.heldLines + row.heldLines,
  };
}

function renderReconciliation(
  rows: readonly ReconciliationRow[],
  totals: readonly ReconciliationRow[],
  stream: NodeJS.WriteStream,
): string {
  const paint = paintFor(stream);
  const titles = [
    '',
    'Currency',
    'Billed',
    'Allocated',
    'Of which unallocated',
    'Retained',
    'Held',
    'Difference',
  ];
  const cells = (row: ReconciliationRow): string[] => [
    row.key,
    row.currency,
    amountText(row.billed),
    amountText(row.allocated),
    amountText(row.unallocated),
    amountText(row.retained),
    amountText(row.held),
    row.difference === 0n ? paint.good('0') : paint.bad(amountText(row.difference)),
  ];
  const columns = titles.map((title, index) => ({
    title,
    align: index < 2 ? ('left' as const) : ('right' as const),
  }));
  if (rows.length === 0) return `${paint.warn('!')} Nothing was billed in these days.\n`;
  const off =
    totals.some(({ difference }) => difference !== 0n) || rows.some(({ difference }) => difference !== 0n);
  const verdict = off
    ? paint.bad(`✗ ${DIFFERENCE}: ${ERROR_CODES[DIFFERENCE].meaning} ${ERROR_CODES[DIFFERENCE].fix}`)
    : paint.good('✓ Every line adds up to its last digit.');
  return `${renderTable(columns, [...rows.map(cells), ...totals.map(cells)])}${verdict}\n`;
}

function jsonOf(
  { tenant, by }: ReconcileOptions,
  rows: readonly ReconciliationRow[],
  totals: readonly ReconciliationRow[],
): object {
  return { tenant, by, rows: rows.map(jsonRow), totals: totals.map(jsonRow) };
}

function jsonRow(row: ReconciliationRow): object {
  return {
    key: row.key,
    currency: row.currency,
    billed: formatUnits(row.billed),
    allocated: formatUnits(row.allocated),
    unallocated: formatUnits(row.unallocated),
    retained: formatUnits(row.retained),
    held: formatUnits(row.held),
    held_lines: row.heldLines,
    difference: formatUnits(row.difference),
  };
}
