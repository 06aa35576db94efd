import {
  ChargebackError,
  daysOf,
  dayWindow,
  type IsoDate,
  MILLISECONDS_PER_DAY,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';

const SECONDS_PER_DAY = 86_400;
/** What a Prometheus server answers at most per series. */
const MAX_POINTS_PER_SERIES = 11_000;

/** Some consecutive UTC days that one request asks for. */
export interface DaySpan {
  readonly days: readonly IsoDate[];
  /** Midnight at the start of the first day, unix seconds. */
  readonly start: number;
  readonly stepSeconds: number;
  /** Sampling instants of one day. */
  readonly perDay: number;
}

/** First and last sampling instant of one request, both included. */
export interface RangeChunk {
  readonly start: Date;
  readonly end: Date;
}

/**
 * The requests that ask for whole days: the END of each step, so 24 instants a day for an hourly step, never
 * 25. In chunks of whole days; a day that is more than `maxPoints` by itself is cut into several.
 * @throws {ChargebackError} `CB_CONFIG_VALUE` unless the step divides a day.
 */
export function planRange(
  window: Window,
  stepSeconds: number,
  maxPoints: number = MAX_POINTS_PER_SERIES,
): RangeChunk[] {
  const perDay = instantsPerDay(stepSeconds);
  const perChunk = perDay > maxPoints ? maxPoints : Math.floor(maxPoints / perDay) * perDay;
  const step = stepSeconds * 1000;
  const chunks: RangeChunk[] = [];
  const cuts = perDay > maxPoints ? daysOf(window).map(dayWindow) : [window];
  for (const cut of cuts) {
    const last = cut.end.getTime();
    for (let before = cut.start.getTime(); before < last; before += perChunk * step) {
      const end = Math.min(before + perChunk * step, last);
      chunks.push({ start: new Date(before + step), end: new Date(end) });
    }
  }
  return chunks;
}

/** Index of the day that an instant belongs to: midnight is the last instant of the day before it. */
export function dayIndexOf({ start }: DaySpan, seconds: number): number {
  return Math.ceil((seconds - start) / SECONDS_PER_DAY) - 1;
}

export function windowOf(span: DaySpan): Window {
  const end = span.start + span.days.length * SECONDS_PER_DAY;
  return { start: new Date(span.start * 1000), end: new Date(end * 1000) };
}

/** Sampling instants in a day. @throws {ChargebackError} `CB_CONFIG_VALUE` unless the step divides a day. */
function instantsPerDay(stepSeconds: number): number {
  if (!Number.isInteger(stepSeconds) || stepSeconds < 1 || SECONDS_PER_DAY % stepSeconds !== 0) {
    throw new ChargebackError('CB_CONFIG_VALUE', `a step of ${stepSeconds} s does not divide a day`, {
      fix: 'Use a step or range such as 300, 900, 1800 or 3600 seconds.',
    });
  }
  return SECONDS_PER_DAY / stepSeconds;
}

/** The largest span that a server answers at once with this step. */
function mostDays(stepSeconds: number): number {
  return Math.max(1, Math.floor(MAX_POINTS_PER_SERIES / instantsPerDay(stepSeconds)));
}

/**
 * Walks the whole UTC days of a window in spans. How long the next one may be is said each time, so that it
 * can follow the size of the answers.
 */
export class DayWalk {
  readonly #days: IsoDate[];
  readonly #stepSeconds: number;
  #next = 0;

  constructor(window: Window, stepSeconds: number) {
    const aligned = [window.start, window.end].every((edge) => edge.getTime() % MILLISECONDS_PER_DAY === 0);
    if (!aligned) throw new ChargebackError('CB_INTERNAL', 'usage is asked for in whole UTC days');
    this.#days = daysOf(window);
    this.#stepSeconds = stepSeconds;
  }

  get done(): boolean {
    return this.#next >= this.#days.length;
  }

  next(most: number): DaySpan {
    const length = Math.min(most, mostDays(this.#stepSeconds));
    const span = this.#span(this.#days.slice(this.#next, this.#next + length));
    this.#next += span.days.length;
    return span;
  }

  /** The last day of all, taken before its turn. */
  takeLast(): DaySpan {
    return this.#span(this.#days.splice(-1));
  }

  /** All that is left, in one span that is not meant to be asked for. */
  rest(): DaySpan {
    const span = this.#span(this.#days.slice(this.#next));
    this.#next = this.#days.length;
    return span;
  }

  /** The last span was not answered: it is to be walked again. */
  back(span: DaySpan): void {
    this.#next -= span.days.length;
  }

  #span(days: readonly IsoDate[]): DaySpan {
    const start = days[0] === undefined ? 0 : startOfDay(days[0]).getTime() / 1000;
    return { days, start, stepSeconds: this.#stepSeconds, perDay: instantsPerDay(this.#stepSeconds) };
  }
}
