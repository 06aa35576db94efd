import type { Coverage, IsoDate, Problem, UsageQuery, Window } from '@chargeback/plugin-api';
import { DayGrid, DaySums } from './day-grid.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { failureProblem, rejectedProblems, warningProblems } from './span-problems.ts';
import { type AnsweredSpan, walkDays } from './walk-days.ts';

/** One day of a query whose whole answer is one number. */
export interface DailyTotal {
  readonly date: IsoDate;
  /** Null when there was no usable sample at all. */
  readonly value: number | null;
  readonly coverage: Coverage;
  readonly problems: readonly Problem[];
}

export type DailyTotalQuery = Pick<UsageQuery, 'key' | 'expression' | 'stepSeconds' | 'reduce'>;

/**
 * Reduces a query to one number for each UTC day of a window: series are added up per instant, instants are
 * summed (`sum`), averaged over the instants seen (`mean`) or their largest is kept (`max`). Every day is
 * yielded once, ascending; only an abort throws.
 */
export async function* fetchDailyTotals(
  client: PrometheusClient,
  query: DailyTotalQuery,
  range: { window: Window; signal: AbortSignal },
): AsyncIterable<DailyTotal> {
  for await (const answered of walkDays(client, query, range)) {
    yield* answered.answer ? totalsOf(query, answered) : failedDays(query, answered);
  }
}

function failedDays({ key }: DailyTotalQuery, { span, error }: AnsweredSpan): DailyTotal[] {
  return span.days.map((date, index) => ({
    date,
    value: null,
    coverage: { samplesSeen: 0, samplesExpected: span.perDay },
    problems: index === 0 && error ? [failureProblem(error, span, key)] : [],
  }));
}

function totalsOf(query: DailyTotalQuery, { span, answer }: AnsweredSpan): DailyTotal[] {
  const grid = new DayGrid(span);
  const { series = [], warnings = [] } = answer ?? {};
  const instants = new DaySums(span.days.length * span.perDay);
  for (const one of series) grid.read(one, (instant, value) => instants.add(instant, value));
  return span.days.map((date, day) => {
    const seen = grid.seenOn(day);
    return {
      date,
      value: reduceDay(query, instants, { day, perDay: span.perDay }),
      // With a warning a part of the answer is missing, and nobody knows which: it never counts as whole.
      coverage: {
        samplesSeen: warnings.length > 0 ? Math.min(seen, span.perDay - 1) : seen,
        samplesExpected: span.perDay,
      },
      problems: [
        ...rejectedProblems(grid, day, query.key),
        ...(day === 0 ? warningProblems(warnings, span, query.key) : []),
      ],
    };
  });
}

function reduceDay(
  { reduce }: DailyTotalQuery,
  instants: DaySums,
  { day, perDay }: { day: number; perDay: number },
): number | null {
  const total = new DaySums(1);
  let count = 0;
  for (let instant = day * perDay; instant < (day + 1) * perDay; instant += 1) {
    const value = instants.of(instant);
    if (value === null) continue;
    count += 1;
    if (reduce === 'max') total.keepLargest(0, value);
    else total.add(0, value);
  }
  const value = total.of(0);
  return value === null || reduce !== 'mean' ? value : value / count;
}
