import {
  dayWindow,
  type IsoDate,
  MILLISECONDS_PER_DAY,
  MILLISECONDS_PER_HOUR,
  type Window,
} from '@chargeback/plugin-api';

/** How long the Metrics API keeps what it measured. */
const RETENTION = 7 * MILLISECONDS_PER_DAY;
/** Points of the last minutes may still change. */
const LAG = 10 * 60_000;

/** The whole hours of a day that the Metrics API can tell of; null when there are none. */
export function availableHours(day: Window, now: Date): Window | null {
  const oldest = Math.ceil((now.getTime() - RETENTION) / MILLISECONDS_PER_HOUR) * MILLISECONDS_PER_HOUR;
  const newest = Math.floor((now.getTime() - LAG) / MILLISECONDS_PER_HOUR) * MILLISECONDS_PER_HOUR;
  const start = Math.max(day.start.getTime(), oldest);
  const end = Math.min(day.end.getTime(), newest);
  return start < end ? { start: new Date(start), end: new Date(end) } : null;
}

/** The days, of those given, that have been forgotten altogether. */
export function lostDays(days: readonly IsoDate[], now: Date): IsoDate[] {
  return days.filter((date) => {
    const day = dayWindow(date);
    return day.start < now && availableHours(day, now) === null && day.end.getTime() <= now.getTime() - LAG;
  });
}
