import { MILLISECONDS_PER_DAY, type Window } from '@chargeback/plugin-api';

/** Consecutive windows of whole days, none longer than the given days or than the month the API allows. */
export function queryWindows({ start, end }: Window, daysPerQuery: number): Window[] {
  const windows: Window[] = [];
  for (let from = start; from < end;) {
    const wanted = new Date(from.getTime() + daysPerQuery * MILLISECONDS_PER_DAY);
    const to = earliest(end, earliest(wanted, oneMonthAfter(from)));
    windows.push({ start: from, end: to });
    from = to;
  }
  return windows;
}

/** The first day that the API still answers for: a request may begin at most one year back. */
export function oldestDay(now: Date): Date {
  const yearBack = Date.UTC(now.getUTCFullYear() - 1, now.getUTCMonth(), now.getUTCDate());
  return new Date(yearBack + MILLISECONDS_PER_DAY);
}

/** A month after 31 January is the last day of February. */
function oneMonthAfter(day: Date): Date {
  const [year, month] = [day.getUTCFullYear(), day.getUTCMonth()];
  const lastOfNext = new Date(Date.UTC(year, month + 2, 0)).getUTCDate();
  return new Date(Date.UTC(year, month + 1, Math.min(day.getUTCDate(), lastOfNext)));
}

function earliest(left: Date, right: Date): Date {
  return left < right ? left : right;
}
