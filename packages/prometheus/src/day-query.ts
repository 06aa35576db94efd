import type { UsageQuery } from '@chargeback/plugin-api';
import { DaySums, LARGEST_USABLE } from './day-grid.ts';
import type { RangeSeries } from './scan-matrix.ts';

const SECONDS_PER_DAY = 86_400;
/** A sample's weight in the answer of {@link censusExpression}; more series than this are not counted right. */
const SAMPLE = 2 ** 20;
const MOST_SERIES = SAMPLE - 1;

/**
 * A sub-query that holds the sampling instants of the day that ends where it is evaluated, each once. A server
 * evaluates it at multiples of the step counted from 1970, and midnight is one. Prometheus 2 includes the instant
 * at which a range begins, Prometheus 3 does not: this one begins half a step after midnight, where there is none.
 */
function wholeDay(stepSeconds: number): string {
  const milliseconds = SECONDS_PER_DAY * 1000 - stepSeconds * 500;
  const range = milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
  return `[${range}:${stepSeconds}s]`;
}

/** For each series its largest sample of a day, or their sum; means are made of sums. */
export function dayExpression({ expression, stepSeconds, reduce }: DayQuery): string {
  const over = reduce === 'max' ? 'max_over_time' : 'sum_over_time';
  return `${over}(${bracketed(expression(`${stepSeconds}s`))}${wholeDay(stepSeconds)})`;
}

export type DayQuery = Pick<UsageQuery, 'expression' | 'stepSeconds' | 'reduce'>;

/**
 * For each instant how many samples the query has there, and how many of them are neither negative nor NaN: both in
 * one number, so that the server evaluates the query once.
 */
export function censusExpression({ expression, stepSeconds }: DayQuery): string {
  return `sum((${bracketed(expression(`${stepSeconds}s`))} >= bool 0) + ${SAMPLE})`;
}

/** A line end before the bracket: a query may end in a comment. */
function bracketed(expression: string): string {
  return `(\n${expression}\n)`;
}

/** What a day's sampling instants held, from the answer to {@link censusExpression}. */
export interface Census {
  /** Samples of all series at all instants. */
  readonly samples: number;
  /** Series at the instant that has most of them. */
  readonly mostSeries: number;
  /** Whether every instant has a sample and none is negative or NaN. Infinite ones are not told apart here. */
  readonly whole: boolean;
}

/** @param counts the answer's values at the instants of one day. */
export function takeCensus(counts: readonly number[], perDay: number): Census {
  let samples = 0;
  let mostSeries = 0;
  let whole = counts.length === perDay;
  for (const count of counts) {
    const series = Math.floor(count / SAMPLE);
    samples += series;
    mostSeries = Math.max(mostSeries, series);
    if (!(series >= 1 && series <= MOST_SERIES && count % SAMPLE === series)) whole = false;
  }
  return { samples, mostSeries, whole };
}

/** Whether an answer to {@link dayExpression} is what the hours of a whole day add up to. */
export function fitsCensus(series: readonly RangeSeries[], census: Census, midnight: number): boolean {
  if (series.length < census.mostSeries || series.length > census.samples) return false;
  return series.every(({ times, values }) => {
    return times.length === 1 && times[0] === midnight && values[0]! >= 0 && values[0]! <= LARGEST_USABLE;
  });
}

/** A sum that a server is asked for, and what it must be. */
export interface Proof {
  readonly expression: string;
  readonly sum: number;
}

/**
 * The day's sampling instants by a divisor, added up by the server: proof that it reads a sub-query's range as we
 * do, and that it adds up as we do. The divisor is one where adding up without compensation ends elsewhere.
 * @param midnight unix seconds, where it is to be asked for.
 */
export function proofOf(stepSeconds: number, midnight: number): Proof {
  for (let divisor = 3; ; divisor += 2) {
    const sums = new DaySums(1);
    let careless = 0;
    for (let time = midnight - SECONDS_PER_DAY + stepSeconds; time <= midnight; time += stepSeconds) {
      sums.add(0, time / divisor);
      careless += time / divisor;
    }
    const sum = sums.of(0)!;
    if (sum === careless && divisor < LARGEST_DIVISOR) continue;
    return { expression: `sum_over_time((vector(time()) / ${divisor})${wholeDay(stepSeconds)})`, sum };
  }
}

/** A step of half a day has too few instants for a difference. */
const LARGEST_DIVISOR = 99;

/**
 * Whether a name has several series: added up by the server each is rounded, added up here only their sum is, so
 * that the last digit may differ. The largest of several is the same either way.
 */
export function hasNamesakes(
  series: readonly RangeSeries[],
  { identityLabel, resourceLabel }: Pick<UsageQuery, 'identityLabel' | 'resourceLabel'>,
): boolean {
  const names = new Set<string>();
  for (const { labels } of series) {
    const name = labels[identityLabel] ?? '';
    names.add(resourceLabel === null ? name : `${labels[resourceLabel] ?? ''}\u0000${name}`);
  }
  return names.size < series.length;
}
