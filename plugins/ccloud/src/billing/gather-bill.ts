import {
  type BillingBatch,
  ChargebackError,
  daysOf,
  type IsoDate,
  isoDateOf,
  makeProblem,
  MILLISECONDS_PER_DAY,
  type Problem,
  type Window,
} from '@chargeback/plugin-api';
import { type CcloudClient, listAll } from '../http/ccloud-client.ts';
import type { JsonValue } from '../http/parse-json.ts';
import { isCalendarMonth, linesOf, spansOneDay } from './cost-lines.ts';
import { type CostRow, isRejected, readCostRow, type RejectedRow } from './cost-row.ts';
import { oldestDay, queryWindows } from './query-windows.ts';
import { RowProblems } from './row-problems.ts';
import { setAsideDuplicates } from './set-aside-duplicates.ts';

export interface BillSource {
  readonly client: CcloudClient;
  readonly daysPerQuery: number;
  /** The API names none. */
  readonly currency: string;
  readonly now: () => Date;
}

/** The vendor's default; its limit is 10,000. */
const PAGE_SIZE = 5000;
/** A row this near belongs to a neighbouring window, which brings it itself; further off its date is wrong. */
const NEAR_DAYS = 31;

/** The request that costs are read with; `days` is half-open. */
export function costsRequest(days: Window) {
  return {
    path: '/billing/v1/costs',
    query: { start_date: isoDateOf(days.start), end_date: isoDateOf(days.end), page_size: PAGE_SIZE },
    exactNumbers: true,
    needs: 'the role OrganizationAdmin or BillingAdmin',
  } as const;
}

/**
 * The bill of a window in batches, ascending. The windows are asked for side by side, within the client's
 * limits; one that fails holds its own days.
 */
export async function* gatherBill(
  source: BillSource,
  window: Window,
  signal: AbortSignal,
): AsyncGenerator<BillingBatch> {
  const oldest = oldestDay(source.now());
  const tooOld = { start: window.start, end: new Date(Math.min(oldest.getTime(), window.end.getTime())) };
  if (tooOld.start < tooOld.end) yield forgottenBatch(tooOld);
  const asked = { start: new Date(Math.max(oldest.getTime(), window.start.getTime())), end: window.end };
  const batches = queryWindows(asked, source.daysPerQuery).map((days) => fetchBatch(source, days, signal));
  // Each is awaited in its turn: one that fails earlier must not count as unhandled until then.
  for (const batch of batches) batch.catch(() => {});
  for (const batch of batches) yield await batch;
}

async function fetchBatch(source: BillSource, window: Window, signal: AbortSignal): Promise<BillingBatch> {
  let rows: JsonValue[];
  try {
    rows = await listAll(source.client, costsRequest(window), signal);
  } catch (cause) {
    signal.throwIfAborted();
    if (!ChargebackError.isInstance(cause)) throw cause;
    return { window, lines: [], problems: [failure(cause, window)] };
  }
  return batchOf(rows, window, source);
}

/** Turns the rows of a window into its lines; what cannot be billed holds the days it may belong to. */
export function batchOf(
  rows: readonly JsonValue[],
  window: Window,
  { currency, now }: Pick<BillSource, 'currency' | 'now'>,
): BillingBatch {
  const problems = new RowProblems();
  const inside: CostRow[] = [];
  const today = isoDateOf(now());
  const [first, end] = [isoDateOf(window.start), isoDateOf(window.end)];
  for (const raw of rows) {
    const row = readCostRow(raw);
    if (isRejected(row)) holdDays(row, { window, today, problems });
    else if (row.start >= first && row.start < end) inside.push(row);
    else setAside(row, { window, today, problems });
  }
  for (const row of inside) {
    const remark = (message: string): void =>
      problems.add('CB_BILLING_ROW', message, { severity: 'warning', date: row.start });
    for (const message of row.remarks) remark(message);
    if (!spansOneDay(row) && !isCalendarMonth(row)) {
      remark(`row ${row.id ?? row.lineType} lasts until ${row.end} and is allocated by its first day`);
    }
  }
  const lines = linesOf(setAsideDuplicates(inside, problems), { currency, problems });
  return { window, lines, problems: problems.all() };
}

function holdDays({ code, message, days }: RejectedRow, surroundings: Surroundings): void {
  const { window, problems } = surroundings;
  const concerned =
    days === null ? [] : daysOf(window).filter((day) => day >= days.first && day <= days.last);
  for (const date of concerned) problems.add(code, message, { severity: 'error', date });
  if (concerned.length > 0) return;
  if (days !== null && isNear(days.first, surroundings)) {
    const left = `${message}; it was sent with another window and holds its own`;
    problems.add(code, left, { severity: 'warning', date: null });
  } else {
    problems.add(code, message, { severity: 'error', date: null });
  }
}

interface Surroundings {
  readonly window: Window;
  readonly today: IsoDate;
  readonly problems: RowProblems;
}

function setAside(row: CostRow, surroundings: Surroundings): void {
  const { window, problems } = surroundings;
  const name = `row ${row.id ?? row.lineType} of ${row.start}`;
  if (isNear(row.start, surroundings)) {
    const message = `${name} was sent with another window; it counts with its own`;
    problems.add('CB_BILLING_ROW', message, { severity: 'warning', date: null });
  } else {
    const message = `${name} was sent for ${describeWindow(window)}`;
    problems.add('CB_BILLING_ROW', message, { severity: 'error', date: null });
  }
}

/** Whether a day outside a window belongs to one of its neighbours. */
function isNear(day: IsoDate, { window, today }: Surroundings): boolean {
  const from = isoDateOf(new Date(window.start.getTime() - NEAR_DAYS * MILLISECONDS_PER_DAY));
  const to = isoDateOf(new Date(window.end.getTime() + NEAR_DAYS * MILLISECONDS_PER_DAY));
  return day >= from && day < to && day <= today;
}

function failure(error: ChargebackError, window: Window): Problem {
  const message = `the bill of ${describeWindow(window)} could not be fetched: ${error.message}`;
  return makeProblem(error.code, message, {
    severity: 'error',
    fix: error.fix,
    path: 'billing/v1/costs',
  });
}

function forgottenBatch(window: Window): BillingBatch {
  const message = `the bill of ${describeWindow(window)} is older than the year that Confluent Cloud keeps`;
  const problem = makeProblem('CB_BILLING_HISTORY', message, { severity: 'error' });
  return { window, lines: [], problems: [problem] };
}

function describeWindow({ start, end }: Window): string {
  const last = isoDateOf(new Date(end.getTime() - MILLISECONDS_PER_DAY));
  return last === isoDateOf(start) ? last : `${isoDateOf(start)} to ${last}`;
}
