import { compareKeys } from '@chargeback/money';
import {
  makeProblem,
  type MetricsSource,
  type UsageDay,
  type UsageOutcome,
  type UsageQuery,
  type UsageTotals,
} from '@chargeback/plugin-api';
import { DayGrid, DaySums } from './day-grid.ts';
import { mergeInOrderOfArrival } from './merge.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import type { RangeSeries } from './scan-matrix.ts';
import { failureProblem, rejectedProblems, warningProblems } from './span-problems.ts';
import { type AnsweredSpan, walkDays } from './walk-days.ts';

/** Usage from a Prometheus server: many days in one request, several queries side by side. */
export function createMetricsSource(
  client: PrometheusClient,
  options: { readonly concurrency: number },
): MetricsSource {
  return {
    usage(queries, window, signal) {
      const answers = queries.map((query) => usageOf(client, query, { window, signal }));
      return mergeInOrderOfArrival(answers, options.concurrency);
    },
  };
}

async function* usageOf(
  client: PrometheusClient,
  query: UsageQuery,
  range: { window: Parameters<MetricsSource['usage']>[1]; signal: AbortSignal },
): AsyncGenerator<UsageDay> {
  for await (const answered of walkDays(client, query, range)) {
    yield* answered.answer ? daysOf(query, answered) : failedDays(query, answered);
  }
}

function expectedOf({ expects }: UsageQuery, perDay: number): number {
  return expects === 'any_instant' ? 1 : perDay;
}

function failedDays(query: UsageQuery, { span, error }: AnsweredSpan): UsageDay[] {
  return span.days.map((date, index) => ({
    date,
    queryKey: query.key,
    totals: { resourceIds: query.resourceLabel === null ? null : [], identityIds: [], values: [] },
    coverage: { samplesSeen: 0, samplesExpected: expectedOf(query, span.perDay) },
    outcome: 'failed',
    problems: index === 0 && error ? [failureProblem(error, span, query.key)] : [],
  }));
}

function* daysOf(query: UsageQuery, answered: AnsweredSpan): Iterable<UsageDay> {
  const { span, answer } = answered;
  const { series = [], warnings = [] } = answer ?? {};
  const missing = missingLabel(query, series);
  if (missing !== null) return yield* unlabelledDays(query, answered, missing);
  const grid = new DayGrid(span);
  const totals = addUp(query, series, grid);
  for (const [day, date] of span.days.entries()) {
    const expected = expectedOf(query, span.perDay);
    const instantsSeen = grid.seenOn(day);
    const seen = Math.min(instantsSeen, expected);
    const outcome: UsageOutcome = seen < expected || warnings.length > 0 ? 'partial' : 'complete';
    yield {
      date,
      queryKey: query.key,
      totals: columnsOf(query, totals, { day, instantsSeen }),
      coverage: { samplesSeen: seen, samplesExpected: expected },
      outcome,
      problems: [
        ...rejectedProblems(grid, day, query.key),
        ...(day === 0 ? warningProblems(warnings, span, query.key) : []),
      ],
    };
  }
}

/** The label that a series with samples lacks: its usage could be attributed to nobody. */
function missingLabel(
  { identityLabel, resourceLabel }: UsageQuery,
  series: readonly RangeSeries[],
): string | null {
  for (const { labels, times } of series) {
    if (times.length === 0) continue;
    if (!labels[identityLabel]) return identityLabel;
    if (resourceLabel !== null && !labels[resourceLabel]) return resourceLabel;
  }
  return null;
}

function* unlabelledDays(query: UsageQuery, answered: AnsweredSpan, label: string): Iterable<UsageDay> {
  const message = `${query.key}: a series does not carry the label ${label}`;
  const fix = `Aggregate by it in the query: sum by (${label}) (…).`;
  for (const [index, day] of failedDays(query, answered).entries()) {
    const problem = makeProblem('CB_METRICS_LABEL', message, {
      severity: 'error',
      date: day.date,
      path: query.key,
      fix,
    });
    yield { ...day, problems: index === 0 ? [problem] : [] };
  }
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
 * The day's column of each key that had samples. A mean is over the instants that the QUERY saw, not those of
 * the key: who held 10 GiB for half of the day held 5 GiB on average.
 */
function columnsOf(
  query: UsageQuery,
  totals: readonly KeyedSums[],
  { day, instantsSeen }: { day: number; instantsSeen: number },
): UsageTotals {
  const resourceIds: string[] = [];
  const identityIds: string[] = [];
  const values: number[] = [];
  for (const { resourceId, identityId, sums } of totals) {
    const value = sums.of(day);
    if (value === null) continue;
    if (resourceId !== null) resourceIds.push(resourceId);
    identityIds.push(identityId);
    values.push(query.reduce === 'mean' ? value / Math.max(1, instantsSeen) : value);
  }
  return { resourceIds: query.resourceLabel === null ? null : resourceIds, identityIds, values };
}
