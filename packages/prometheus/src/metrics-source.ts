import { compareKeys } from '@chargeback/money';
import {
  isComplete,
  type IsoDate,
  type Logger,
  makeProblem,
  type MetricsSource,
  type UsageDay,
  type UsageQuery,
  type UsageTotals,
  type Window,
} from '@chargeback/plugin-api';
import type { MetricsConnection } from './connection.ts';
import { DayGrid, DaySums } from './day-grid.ts';
import { mergeInOrderOfArrival } from './merge.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { dayIndexOf, type DaySpan } from './plan-range.ts';
import type { RangeSeries } from './scan-matrix.ts';
import {
  coverageOf,
  missingLabel,
  type DayProblem,
  failureProblem,
  rejectedProblems,
  warningProblems,
} from './span-problems.ts';
import { createSubquerySupport } from './subquery-support.ts';
import { type AnsweredSpan, walkDays } from './walk-days.ts';
import { walkSummedDays } from './walk-summed-days.ts';

const SECONDS_PER_DAY = 86_400;

export interface MetricsSourceOptions {
  /** Queries at work at the same time. */
  readonly concurrency: number;
  /** `auto`: the server adds the samples of whole days up where it does so exactly. Default: `off`. */
  readonly dailySubqueries?: MetricsConnection['daily_subqueries'];
  /** Hears why a server does not add up. */
  readonly logger: Logger;
}

/** Usage from a Prometheus server: many days in one request, several queries side by side. */
export function createMetricsSource(
  client: PrometheusClient,
  { concurrency, dailySubqueries = 'off', logger }: MetricsSourceOptions,
): MetricsSource {
  const server = { client, logger, support: createSubquerySupport(client, logger) };
  const walk: Walk = (query, range) =>
    dailySubqueries === 'auto' && query.stepSeconds < SECONDS_PER_DAY
      ? walkSummedDays(server, query, range)
      : walkDays(client, query, range);
  return {
    usage(queries, window, signal) {
      const answers = queries.map((query) => usageOf(query, walk(query, { window, signal })));
      return mergeInOrderOfArrival(answers, concurrency);
    },
  };
}

type Walk = (
  query: UsageQuery,
  range: { window: Window; signal: AbortSignal },
) => AsyncIterable<AnsweredSpan>;

async function* usageOf(query: UsageQuery, spans: AsyncIterable<AnsweredSpan>): AsyncGenerator<UsageDay> {
  for await (const answered of spans) {
    const { span, answer, error } = answered;
    if (answer) yield* answeredDays(query, answered);
    else
      for (const date of span.days)
        yield failedDay(query, span.perDay, failureProblem(error, date, query.key));
  }
}

function expectedOf({ expects }: UsageQuery, perDay: number): number {
  return expects === 'any_instant' ? 1 : perDay;
}

function failedDay(query: UsageQuery, perDay: number, problem: DayProblem): UsageDay {
  return {
    date: problem.date,
    queryKey: query.key,
    totals: { resourceIds: query.resourceLabel === null ? null : [], identityIds: [], values: [] },
    coverage: { samplesSeen: 0, samplesExpected: expectedOf(query, perDay) },
    outcome: 'failed',
    problems: [problem],
  };
}

function* answeredDays(
  query: UsageQuery,
  { span, answer: { series, warnings }, instantsEach = 1 }: Exclude<AnsweredSpan, { answer: null }>,
): Iterable<UsageDay> {
  const expected = expectedOf(query, span.perDay * instantsEach);
  const grid = new DayGrid(span);
  const missing = missingLabels(query, series, span);
  const totals = addUp(query, series, grid);
  for (const [day, date] of span.days.entries()) {
    const label = missing[day];
    if (label !== undefined) {
      yield failedDay(query, span.perDay * instantsEach, labelProblem(query, label, date));
      continue;
    }
    const coverage = coverageOf(grid.seenOn(day) * instantsEach, expected, warnings);
    yield {
      date,
      queryKey: query.key,
      totals: columnsOf(query, totals, { day, instants: grid.usableOn(day) * instantsEach }),
      coverage,
      outcome: isComplete(coverage) ? 'complete' : 'partial',
      problems: [...rejectedProblems(grid, day, query.key), ...warningProblems(warnings, date, query.key)],
    };
  }
}

/** For each day the label that a series with samples on it lacks: its usage could be attributed to nobody. */
function missingLabels(
  query: UsageQuery,
  series: readonly RangeSeries[],
  span: DaySpan,
): (string | undefined)[] {
  const missing: (string | undefined)[] = span.days.map(() => undefined);
  for (const { labels, times } of series) {
    const label = missingLabel(query, labels);
    if (label === undefined) continue;
    for (const time of times) {
      const day = dayIndexOf(span, time);
      if (day >= 0 && day < missing.length) missing[day] ??= label;
    }
  }
  return missing;
}

function labelProblem({ key }: UsageQuery, label: string, date: IsoDate): DayProblem {
  const message = `${key}: a series does not carry the label ${label}`;
  const fix = `Aggregate by it in the query: sum by (${label}) (…).`;
  return { ...makeProblem('CB_METRICS_LABEL', message, { severity: 'error', path: key, fix }), date };
}

interface KeyedSums {
  readonly resourceId: string | null;
  readonly identityId: string;
  readonly sums: DaySums;
}

/** Totals per resource and identity, in code-unit order of both. */
function addUp(query: UsageQuery, series: readonly RangeSeries[], grid: DayGrid): KeyedSums[] {
  const { days, perDay } = grid.span;
  const byKey = new Map<string, KeyedSums>();
  for (const one of series) {
    const identityId = one.labels[query.identityLabel] ?? '';
    const resourceId = query.resourceLabel === null ? null : (one.labels[query.resourceLabel] ?? '');
    const key = resourceId === null ? identityId : `${resourceId}\u0000${identityId}`;
    let keyed = byKey.get(key);
    if (!keyed) {
      keyed = { resourceId, identityId, sums: new DaySums(days.length) };
      byKey.set(key, keyed);
    }
    const { sums } = keyed;
    if (query.reduce === 'max') {
      grid.read(one, (instant, value) => sums.keepLargest(Math.floor(instant / perDay), value));
    } else {
      grid.read(one, (instant, value) => sums.add(Math.floor(instant / perDay), value));
    }
  }
  return [...byKey.entries()]
    .toSorted(([left], [right]) => compareKeys(left, right))
    .map(([, keyed]) => keyed);
}

/**
 * The day's column of each key that had samples. A mean is over the instants at which the QUERY had a usable
 * sample, not those of the key: who held 10 GiB for half of the day held 5 GiB on average. Instants at which
 * another series was unusable count too, as their samples are in the sum.
 */
function columnsOf(
  query: UsageQuery,
  totals: readonly KeyedSums[],
  { day, instants }: { day: number; instants: number },
): UsageTotals {
  const resourceIds: string[] = [];
  const identityIds: string[] = [];
  const values: number[] = [];
  for (const { resourceId, identityId, sums } of totals) {
    const value = sums.of(day);
    if (value === null) continue;
    if (resourceId !== null) resourceIds.push(resourceId);
    identityIds.push(identityId);
    values.push(query.reduce === 'mean' ? value / instants : value);
  }
  return { resourceIds: query.resourceLabel === null ? null : resourceIds, identityIds, values };
}
