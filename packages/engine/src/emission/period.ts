import {
  type Aggregation,
  dayWindow,
  type IsoDate,
  MILLISECONDS_PER_DAY,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import { digestOf } from '../fingerprint.ts';

/** A day or a month with the calculations that it shows. */
export interface Period {
  /** Its first day. */
  readonly date: IsoDate;
  readonly window: Window;
  readonly batchId: string;
}

/** What one batch shows. */
export type PeriodLength = 'day' | 'month';

export function lengthOf(aggregation: Aggregation | null): PeriodLength {
  return aggregation === 'monthly' ? 'month' : 'day';
}

export function periodOf(
  date: IsoDate,
  states: readonly DateState[],
  aggregation: Aggregation | null,
): Period {
  const batchId = digestOf([aggregation ?? '', ...states.map(({ calculationId }) => calculationId ?? '')]);
  return { date, batchId, window: periodWindow(date, lengthOf(aggregation)) };
}

export function periodWindow(date: IsoDate, length: PeriodLength): Window {
  return length === 'day' ? dayWindow(date) : monthWindow(date);
}

function monthWindow(date: IsoDate): Window {
  const start = startOfDay(monthOf(date));
  return { start, end: new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1)) };
}

/** The first day of a date's month. */
export function monthOf(date: IsoDate): IsoDate {
  return `${date.slice(0, 7)}-01`;
}

/** From the first day to the end of the month of the window's last. */
export function throughMonth(first: IsoDate, window: Window): Window {
  const last = new Date(window.end.getTime() - MILLISECONDS_PER_DAY);
  const end = new Date(Date.UTC(last.getUTCFullYear(), last.getUTCMonth() + 1, 1));
  const start = startOfDay(first);
  return { start, end: end > start ? end : start };
}

export function overlap(left: Window, right: Window): boolean {
  return left.start < right.end && right.start < left.end;
}

/** By the day or month that they belong to, each in order. */
export function byPeriod(states: readonly DateState[], length: PeriodLength): Map<IsoDate, DateState[]> {
  return Map.groupBy(states, ({ date }) => (length === 'month' ? monthOf(date) : date));
}
