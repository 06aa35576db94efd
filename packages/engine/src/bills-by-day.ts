import {
  type BillingBatch,
  type BillingLineItem,
  daysOf,
  type IsoDate,
  isoDateOf,
  makeProblem,
  type Problem,
} from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import { duplicateLines, invalidLines, isInside, wellFormedLine } from './check-lines.ts';
import type { TenantContext } from './tenant-context.ts';

/** What a source billed for some days. */
export interface Bills {
  readonly span: readonly IsoDate[];
  readonly states: ReadonlyMap<IsoDate, DateState>;
  readonly problems: Problem[];
  readonly batches: readonly BillingBatch[];
}

/** The lines of each day that can be believed; any other day is missing and has a problem. */
export function billsByDay(context: TenantContext, billed: Bills): Map<IsoDate, BillingLineItem[]> {
  const bills = soundBills(billed);
  for (const date of emptiedDays(context, billed, bills)) {
    bills.delete(date);
    billed.problems.push(emptiedProblem(date));
  }
  return bills;
}

function soundBills({ span, batches, problems }: Bills): Map<IsoDate, BillingLineItem[]> {
  const bills = new Map<IsoDate, BillingLineItem[]>();
  const broken = new Set<IsoDate>();
  const complain = (found: readonly Problem[], days: readonly IsoDate[]): void => {
    problems.push(...found);
    for (const { severity, date } of found) {
      if (severity === 'error') for (const day of date === null ? days : [date]) broken.add(day);
    }
  };
  for (const batch of batches) {
    const days = daysOf(batch.window);
    complain(batch.problems, days);
    for (const day of days) if (!bills.has(day)) bills.set(day, []);
    complain(invalidLines(batch), days);
    // A line that is not inside has held the days of its batch above.
    for (const line of batch.lines.filter((inside) => isInside(inside, batch))) {
      bills.get(isoDateOf(line.timestamp))?.push(wellFormedLine(line));
    }
  }
  for (const [date, lines] of bills) complain(duplicateLines(date, lines), [date]);
  for (const date of span) {
    if (broken.has(date)) bills.delete(date);
    else if (!bills.has(date)) complain([noBill(date)], [date]);
  }
  return bills;
}

/**
 * Days of which lines are known, when a source that restates brings not one line for any day it was asked about:
 * a bill that is gone altogether is more likely a fault than a restatement.
 */
function emptiedDays(
  context: TenantContext,
  { span, states }: Bills,
  bills: ReadonlyMap<IsoDate, readonly BillingLineItem[]>,
): IsoDate[] {
  if (context.regather || context.ecosystem.regather !== 'always') return [];
  if ([...bills.values()].some((lines) => lines.length > 0)) return [];
  return span.filter((date) => bills.has(date) && (states.get(date)?.lineCount ?? 0) > 0);
}

function emptiedProblem(date: IsoDate): Problem {
  const message = `${date}: the source brings no line at all any more; what was stored stays`;
  return makeProblem('CB_BILLING_GATHER', message, {
    severity: 'error',
    date,
    fix: 'Check the credentials and the source. When the bill is really gone, run with --regather for these days.',
  });
}

function noBill(date: IsoDate): Problem {
  const message = `${date}: the source answered no bill for the day`;
  return makeProblem('CB_BILLING_GATHER', message, { severity: 'error', date });
}
