import type { ChargebackError, Coverage, IsoDate, Problem, UsageQuery, Window } from '@chargeback/plugin-api';
import { DayGrid, DaySums } from './day-grid.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { coverageOf, failureProblem, rejectedProblems, warningProblems } from './span-problems.ts';
import type { DaySpan } from './plan-range.ts';
import type { RangeAnswer } from './range-answer.ts';
import {
  type DayScrapes,
  gapProblems,
  type ScrapeCoverage,
  seenOf,
  stepScrapes,
  wholeSteps,
} from './scrape-coverage.ts';
import { walkDays } from './walk-days.ts';

/** One day of a query whose whole answer is one number. */
export interface DailyTotal {
  readonly date: IsoDate;
  /** Null when there was no usable sample at all. */
  readonly value: number | null;
  /**
   * What was measured whole: a sum over so many instants, also over those that had an unusable sample besides.
   * Where scrapes are counted, only instants at which every source was scraped as it takes.
   */
  readonly whole: { readonly value: number; readonly instants: number };
  readonly coverage: Coverage;
  readonly problems: readonly Problem[];
}

export interface DailyTotalQuery extends Pick<UsageQuery, 'key' | 'expression' | 'stepSeconds' | 'reduce'> {
  /** Where the sources were scraped, an instant without a sample is one at which nothing moved. */
  readonly quiet?: boolean;
}

interface DayRange {
  readonly window: Window;
  readonly signal: AbortSignal;
  /** Says which instants are whole; without it those are that have a sample. */
  readonly scrapes?: ScrapeCoverage;
}

/**
 * Reduces a query to one number for each UTC day of a window: series are added up per instant, instants are
 * summed (`sum`), averaged over the instants with a usable sample (`mean`) or their largest is kept (`max`).
 * A mean is taken over whole instants, if there is one: those that lack a source hold less than there was.
 * Every day is yielded once, in no promised order; only an abort throws. A day that could not be asked has the
 * value null, no coverage and a problem of severity `error`.
 */
export async function* fetchDailyTotals(
  client: PrometheusClient,
  query: DailyTotalQuery,
  range: DayRange,
): AsyncIterable<DailyTotal> {
  const { scrapes, window, signal } = range;
  const asked = scrapes?.days(window, signal);
  // Awaited below, as soon as there is something to compare it with.
  asked?.catch(() => {});
  for await (const answered of walkDays(client, query, range)) {
    const { span, answer, error } = answered;
    if (!answer) {
      yield* failedDays(query, span, error);
      continue;
    }
    const days = await asked;
    yield* totalsOf(query, answer, { span, scrapesOf: (date) => scrapesOn(scrapes, days?.get(date)) });
  }
}

type ScrapesOf = (date: IsoDate) => { coverage: ScrapeCoverage; day: DayScrapes } | null;

function scrapesOn(coverage: ScrapeCoverage | undefined, day: DayScrapes | undefined): ReturnType<ScrapesOf> {
  return coverage && day ? { coverage, day } : null;
}

function failedDays({ key }: DailyTotalQuery, span: DaySpan, error: ChargebackError): DailyTotal[] {
  return span.days.map((date) => ({
    date,
    value: null,
    whole: { value: 0, instants: 0 },
    coverage: { samplesSeen: 0, samplesExpected: span.perDay },
    problems: [failureProblem(error, date, key)],
  }));
}

function totalsOf(
  query: DailyTotalQuery,
  { series, warnings }: RangeAnswer,
  { span, scrapesOf }: { span: DaySpan; scrapesOf: ScrapesOf },
): DailyTotal[] {
  const grid = new DayGrid(span);
  const { key, stepSeconds, reduce, quiet = false } = query;
  const { perDay } = span;
  const instants = new DaySums(span.days.length * perDay);
  for (const one of series) grid.read(one, (instant, value) => instants.add(instant, value));
  return span.days.map((date, day) => {
    const scraped = scrapesOf(date);
    const kind = reduce === 'sum' ? 'moved' : 'held';
    const steps = scraped && stepScrapes(scraped.coverage, scraped.day, { stepSeconds, kind, date });
    const whole = steps && wholeSteps(grid, steps, { day, quiet });
    const usable = grid.usableOn(day);
    const seen = whole ? seenOf(whole, usable > 0) : grid.seenOn(day);
    const all = reduceDay(query, instants, { day, perDay });
    const part = whole ? reduceDay(query, instants, { day, perDay, whole }) : all;
    return {
      date,
      value: reduce === 'mean' ? (part ?? all) : all,
      whole: { value: part ?? 0, instants: whole ? whole.filter((one) => one === 1).length : usable },
      coverage: coverageOf(seen, perDay, warnings),
      problems: [
        ...(steps?.failure ? [steps.failure] : []),
        ...(scraped && steps ? gapProblems(scraped.coverage, steps, { key, date }) : []),
        ...rejectedProblems(grid, day, key),
        ...warningProblems(warnings, date, key),
      ],
    };
  });
}

function reduceDay(
  { reduce }: DailyTotalQuery,
  instants: DaySums,
  { day, perDay, whole }: { day: number; perDay: number; whole?: Uint8Array },
): number | null {
  const total = new DaySums(1);
  let count = 0;
  for (let index = 0; index < perDay; index += 1) {
    const value = instants.of(day * perDay + index);
    if (value === null || whole?.[index] === 0) continue;
    count += 1;
    if (reduce === 'max') total.keepLargest(0, value);
    else total.add(0, value);
  }
  const value = total.of(0);
  return value === null || reduce !== 'mean' ? value : value / count;
}
