import type { ChargebackError, Coverage, IsoDate, Problem, UsageQuery, Window } from '@chargeback/plugin-api';
import { DayGrid, DaySums } from './day-grid.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { coverageOf, failureProblem, rejectedProblems, warningProblems } from './span-problems.ts';
import type { DaySpan } from './plan-range.ts';
import type { RangeAnswer } from './range-answer.ts';
import { walkDays } from './walk-days.ts';

/** One day of a query whose whole answer is one number. */
export interface DailyTotal {
  readonly date: IsoDate;
  /** Null when there was no usable sample at all. */
  readonly value: number | null;
  /** Instants that went into the value: also those that had an unusable sample besides. */
  readonly instants: number;
  readonly coverage: Coverage;
  readonly problems: readonly Problem[];
}

export type DailyTotalQuery = Pick<UsageQuery, 'key' | 'expression' | 'stepSeconds' | 'reduce'>;

/**
 * Reduces a query to one number for each UTC day of a window: series are added up per instant, instants are
 * summed (`sum`), averaged over the instants with a usable sample (`mean`) or their largest is kept (`max`).
 * Every day is yielded once, in no promised order; only an abort throws. A day that could not be asked has the
 * value null, no coverage and a problem of severity `error`.
 */
export async function* fetchDailyTotals(
  client: PrometheusClient,
  query: DailyTotalQuery,
  range: { window: Window; signal: AbortSignal },
): AsyncIterable<DailyTotal> {
  for await (const answered of walkDays(client, query, range)) {
    const { span, answer, error } = answered;
    yield* answer ? totalsOf(query, span, answer) : failedDays(query, span, error);
  }
}

function failedDays({ key }: DailyTotalQuery, span: DaySpan, error: ChargebackError): DailyTotal[] {
  return span.days.map((date) => ({
    date,
    value: null,
    instants: 0,
    coverage: { samplesSeen: 0, samplesExpected: span.perDay },
    problems: [failureProblem(error, date, key)],
  }));
}

function totalsOf(query: DailyTotalQuery, span: DaySpan, { series, warnings }: RangeAnswer): DailyTotal[] {
  const grid = new DayGrid(span);
  const instants = new DaySums(span.days.length * span.perDay);
  for (const one of series) grid.read(one, (instant, value) => instants.add(instant, value));
  return span.days.map((date, day) => {
    return {
      date,
      value: reduceDay(query, instants, { day, perDay: span.perDay }),
      instants: grid.usableOn(day),
      coverage: coverageOf(grid.seenOn(day), span.perDay, warnings),
      problems: [...rejectedProblems(grid, day, query.key), ...warningProblems(warnings, date, query.key)],
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
