import { compareKeys } from '@chargeback/money';
import {
  type Coverage,
  isComplete,
  type IsoDate,
  type Logger,
  type MetricsSource,
  UNALLOCATED,
  type UsageDay,
  type UsageQuery,
  type UsageTotals,
  type Window,
} from '@chargeback/plugin-api';
import type { MetricsConnection } from './connection.ts';
import { DayGrid, DaySums } from './day-grid.ts';
import { mergeInOrderOfArrival } from './merge.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { namelessOf, namelessProblem, type NamelessSeries } from './nameless-series.ts';
import { type DaySpan, windowOf } from './plan-range.ts';
import type { RangeAnswer } from './range-answer.ts';
import type { RangeSeries } from './scan-matrix.ts';
import {
  coverageOf,
  type DayProblem,
  failureProblem,
  rejectedProblems,
  warningProblems,
} from './span-problems.ts';
import {
  type DayScrapes,
  type ScrapeCoverage,
  seenOf,
  stepScrapes,
  type StepScrapes,
  wholeSteps,
} from './scrape-coverage.ts';
import { createSubquerySupport } from './subquery-support.ts';
import { type AnswerSizes, type AnsweredSpan, walkDays } from './walk-days.ts';
import { type SummingServer, walkSummedDays, WORTHWHILE_SAMPLES } from './walk-summed-days.ts';

const SECONDS_PER_DAY = 86_400;

export interface MetricsSourceOptions {
  /** Queries at work at the same time. */
  readonly concurrency: number;
  /** `auto`: the server adds the samples of whole days up where it does so exactly. Default: `off`. */
  readonly dailySubqueries?: MetricsConnection['daily_subqueries'];
  /** Samples of a day from which it is asked to. Default: 20,000. */
  readonly worthwhileSamples?: number;
  /** Hears why a server does not add up. */
  readonly logger: Logger;
  /**
   * Says at which instants the sources were scraped. Then the coverage of a query that expects `any_instant` is
   * that of the scrapes: an instant without a sample is no outage, and an outage is not the absence of usage.
   */
  readonly scrapes?: ScrapeCoverage;
  /**
   * Days on which something else says that nothing moved of what a query would tell. Asked for days without one
   * sample on which every source was scraped all day: then nobody is known to have used anything.
   */
  readonly idleDays?: IdleDays;
}

type IdleDays = (queryKey: string, window: Window, signal: AbortSignal) => Promise<ReadonlySet<IsoDate>>;

/** Usage from a Prometheus server: many days in one request, several queries side by side. */
export function createMetricsSource(client: PrometheusClient, options: MetricsSourceOptions): MetricsSource {
  const { dailySubqueries = 'off', logger, worthwhileSamples = WORTHWHILE_SAMPLES } = options;
  const { scrapes, idleDays } = options;
  const summing = dailySubqueries === 'auto';
  const support = createSubquerySupport(client, logger);
  const sizes: AnswerSizes = new Map();
  const server = { client, logger, support, summing, worthwhileSamples, sizes };
  return {
    usage(queries, window, signal) {
      const range = { window, signal, ...(scrapes ? { scrapes } : {}), ...(idleDays ? { idleDays } : {}) };
      const answers = queries.map((query) => usageOf(server, query, range));
      return mergeInOrderOfArrival(answers, options.concurrency);
    },
  };
}

interface UsageRange {
  readonly window: Window;
  readonly signal: AbortSignal;
  readonly scrapes?: ScrapeCoverage;
  readonly idleDays?: IdleDays;
}

async function* usageOf(
  server: SummingServer & { readonly summing: boolean },
  query: UsageQuery,
  range: UsageRange,
): AsyncGenerator<UsageDay> {
  const { window, signal } = range;
  const spans =
    server.summing && query.stepSeconds < SECONDS_PER_DAY
      ? walkSummedDays(server, query, { window, signal })
      : walkDays(server.client, query, { window, signal, sizes: server.sizes });
  for await (const answered of spans) {
    if (answered.answer) {
      yield* answeredDays(query, answered.answer, await knownOf(query, answered, range));
    } else {
      const { span, error } = answered;
      for (const date of span.days) yield failedDay(query, span, failureProblem(error, date, query.key));
    }
  }
}

/** Adds an answer up, and tells what is known beside it. */
async function knownOf(
  query: UsageQuery,
  { span, answer, summed }: Exclude<AnsweredSpan, { answer: null }>,
  { scrapes, idleDays, window, signal }: UsageRange,
): Promise<AnsweredRange> {
  const days = await scrapes?.days(window, signal);
  const grid = new DayGrid(span);
  if (summed) grid.seeAll();
  const totals = addUp(query, answer.series, grid);
  const scraped = span.days.map((date) =>
    scrapes ? stepsOn(query, scrapes, { day: days?.get(date), date }) : null,
  );
  const silent = span.days.some((_, day) => isSilent(grid, day, scraped[day]));
  const idle = silent ? await idleDays?.(query.key, windowOf(span), signal) : undefined;
  return { grid, totals, scraped, idle };
}

interface AnsweredRange {
  readonly grid: DayGrid;
  readonly totals: Totals;
  /** By day of the span. */
  readonly scraped: readonly (StepScrapes | null)[];
  readonly idle: ReadonlySet<IsoDate> | undefined;
}

/** Whether there is no sample, usable or not, of a day on which every source was scraped. */
function isSilent(grid: DayGrid, day: number, scraped: StepScrapes | null | undefined): boolean {
  const { perDay } = grid.span;
  const [from, to] = [day * perDay, (day + 1) * perDay];
  if (grid.isSeen(from, to) || grid.isSpoilt(from, to)) return false;
  return scraped ? !scraped.blind && !scraped.covered.includes(0) : false;
}

function expectedOf({ expects }: UsageQuery, perDay: number): number {
  return expects === 'any_instant' ? 1 : perDay;
}

function failedDay(query: UsageQuery, span: DaySpan, problem: DayProblem): UsageDay {
  return {
    date: problem.date,
    queryKey: query.key,
    totals: { resourceIds: query.resourceLabel === null ? null : [], identityIds: [], values: [] },
    coverage: { samplesSeen: 0, samplesExpected: expectedOf(query, span.perDay) },
    outcome: 'failed',
    problems: [problem],
  };
}

function* answeredDays(
  query: UsageQuery,
  { series, warnings }: RangeAnswer,
  { grid, totals, scraped: steps, idle }: AnsweredRange,
): Iterable<UsageDay> {
  const { span } = grid;
  const nameless = namelessOf(query, series, grid);
  for (const [day, date] of span.days.entries()) {
    const without = nameless[day]!;
    const problem = namelessProblem(query, without, date);
    if (problem?.severity === 'error') {
      yield failedDay(query, span, problem);
      continue;
    }
    const scraped = steps[day] ?? null;
    const nobody = idle?.has(date) === true && isSilent(grid, day, scraped);
    const seen = instantsSeen(query, grid, { day, scraped, nobody });
    const coverage = placed(coverageOf(seen.seen, seen.expected, warnings), without);
    yield {
      date,
      queryKey: query.key,
      totals: columnsOf(query, totals, { day, instants: grid.usableOn(day) }),
      coverage,
      outcome: isComplete(coverage) ? 'complete' : 'partial',
      problems: [
        ...(scraped?.failures ?? []),
        ...rejectedProblems(grid, day, query.key),
        ...(problem ? [problem] : []),
        ...warningProblems(warnings, date, query.key),
      ],
    };
  }
}

/** A query that is asked once a day goes by the scrapes of the steps that it looks back over. */
function stepsOn(
  { key, stepSeconds, reduce }: UsageQuery,
  coverage: ScrapeCoverage,
  { day, date }: { day: DayScrapes | undefined; date: IsoDate },
): StepScrapes | null {
  if (!day) return null;
  const seconds = Math.min(stepSeconds, coverage.stepSeconds);
  const kind = reduce === 'sum' ? 'moved' : 'held';
  return stepScrapes(day, { key, stepSeconds: seconds, kind, date });
}

function instantsSeen(
  query: UsageQuery,
  grid: DayGrid,
  { day, scraped, nobody }: { day: number; scraped: StepScrapes | null; nobody: boolean },
): { seen: number; expected: number } {
  const { perDay } = grid.span;
  if (!scraped) return { seen: grid.seenOn(day), expected: expectedOf(query, perDay) };
  if (nobody) {
    const expected = Math.min(scraped.covered.length, perDay);
    return { seen: expected, expected };
  }
  const whole = wholeSteps(grid, scraped, { day, quiet: query.expects === 'any_instant' });
  if (whole.length > perDay) return { seen: showsTheDay(whole) ? perDay : 0, expected: perDay };
  return { seen: seenOf(whole, grid.usableOn(day) > 0), expected: whole.length };
}

/**
 * For a query that looks back over many steps, such as who was there that day: a gap hides only what was there in
 * the gap alone, but a day whose end has not come in yet, or most of which is missing, is still to be asked.
 */
function showsTheDay(whole: Uint8Array): boolean {
  return whole.at(-1) === 1 && whole.reduce((count, one) => count + one, 0) * 2 >= whole.length;
}

/** What no resource can be given is missing from one of them, and nobody knows which: the day is not whole. */
function placed(coverage: Coverage, { misplaced, named, moved }: NamelessSeries): Coverage {
  const { samplesSeen, samplesExpected } = coverage;
  // A day of which nothing at all says whose it is waits for its tries: a label may have been renamed.
  return misplaced > 0 || (moved && !named)
    ? { samplesSeen: Math.min(samplesSeen, samplesExpected - 1), samplesExpected }
    : coverage;
}

interface Key {
  readonly resourceId: string | null;
  readonly identityId: string;
  /** Where the days of the key begin among the sums. */
  readonly first: number;
}

interface Totals {
  /** In code-unit order of resource and identity. */
  readonly keys: readonly Key[];
  readonly sums: DaySums;
}

/** Totals per resource and identity; UNALLOCATED stands for a name that is missing. */
function addUp(query: UsageQuery, series: readonly RangeSeries[], grid: DayGrid): Totals {
  const days = grid.span.days.length;
  const byKey = new Map<string, Key>();
  // No more keys than series.
  const sums = new DaySums(series.length * days);
  for (const one of series) {
    const identityId = one.labels[query.identityLabel] || UNALLOCATED;
    const resourceId = query.resourceLabel === null ? null : one.labels[query.resourceLabel] || UNALLOCATED;
    const text = resourceId === null ? identityId : `${resourceId}\u0000${identityId}`;
    let key = byKey.get(text);
    if (!key) {
      key = { resourceId, identityId, first: byKey.size * days };
      byKey.set(text, key);
    }
    grid.addUp(one, sums, { first: key.first, reduce: query.reduce });
  }
  const sorted = [...byKey].toSorted(([left], [right]) => compareKeys(left, right));
  return { keys: sorted.map(([, key]) => key), sums };
}

/**
 * The day's column of each key that had samples. A mean is over the instants at which the QUERY had a usable
 * sample, not those of the key: who held 10 GiB for half of the day held 5 GiB on average. Instants at which
 * another series was unusable count too, as their samples are in the sum.
 */
function columnsOf(
  query: UsageQuery,
  { keys, sums }: Totals,
  { day, instants }: { day: number; instants: number },
): UsageTotals {
  const resourceIds: string[] = [];
  const identityIds: string[] = [];
  const values: number[] = [];
  for (const { resourceId, identityId, first } of keys) {
    const value = sums.of(first + day);
    if (value === null) continue;
    if (resourceId !== null) resourceIds.push(resourceId);
    identityIds.push(identityId);
    values.push(query.reduce === 'mean' ? value / instants : value);
  }
  return { resourceIds: query.resourceLabel === null ? null : resourceIds, identityIds, values };
}
