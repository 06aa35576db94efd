/** A span of time in UTC: `start` inclusive, `end` exclusive. */
export interface Window {
  readonly start: Date;
  readonly end: Date;
}

export const MILLISECONDS_PER_HOUR = 3_600_000;
export const MILLISECONDS_PER_DAY = 86_400_000;

/** A UTC day as text, `2026-02-01`. Sorts as time does. */
export type IsoDate = string;

/** The UTC day that an instant falls on. */
export function isoDateOf(instant: Date): IsoDate {
  return instant.toISOString().slice(0, 10);
}

/** Midnight UTC at the start of a day. */
export function startOfDay(date: IsoDate): Date {
  return new Date(`${date}T00:00:00.000Z`);
}

/** The 24 hours of a UTC day. */
export function dayWindow(date: IsoDate): Window {
  const start = startOfDay(date);
  return { start, end: new Date(start.getTime() + MILLISECONDS_PER_DAY) };
}

/** The UTC days that begin inside the window, ascending. */
export function daysOf(window: Window): IsoDate[] {
  const days: IsoDate[] = [];
  const first = Math.ceil(window.start.getTime() / MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY;
  for (let time = first; time < window.end.getTime(); time += MILLISECONDS_PER_DAY) {
    days.push(isoDateOf(new Date(time)));
  }
  return days;
}
