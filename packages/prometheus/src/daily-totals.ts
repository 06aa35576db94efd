import type { ChargebackError, Coverage, IsoDate, Problem, UsageQuery, Window } from '@chargeback/plugin-api';
import { type BridgedDay, bridgedDays, type CounterBridge } from './bridged-days.ts';
import { DayGrid, DaySums } from './day-grid.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { coverageOf, failureProblem, rejectedProblems, warningProblems } from './span-problems.ts';
import { type DaySpan, windowOf } from './plan-range.ts';
import type { RangeAnswer } from './range-answer.ts';
import {
  type DayScrapes,
  type ScrapeCoverage,
  seenOf,
  stepScrapes,
  type StepScrapes,
  wholeSteps,
} from './scrape-coverage.ts';
import { walkDays } from './walk-days.ts';

/** One day of a query whose whole answer is one number. */
export interface DailyTotal {
  readonly date: IsoDate;
  /** Null when there was no usable sample at all. */
  readonly value: number | null;
  /**
   * A sum, and over how many steps' worth of time it was measured; none when no step was measured whole. Where
   * scrapes are counted, only the time in which sources lacked them is missing, and none that a counter bridges.
   */
  readonly measured: { readonly value: number; readonly steps: number };
  readonly coverage: Coverage;
  readonly problems: readonly Problem[];
}

export interface DailyTotalQuery extends Pick<UsageQuery, 'key' | 'expression' | 'stepSeconds' | 'reduce'> {
  /** Where the sources were scraped, an instant without a sample is one at which nothing moved. */
  readonly quiet?: boolean;
  /** The same of counters over a whole day, for days with gaps: whoever is there again has counted on. */
  readonly bridge?: CounterBridge;
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
 * A mean is taken over whole instants, if there is one: those that lack a source hold less than there was. Where
 * `bridge` asks for it, a sum over gaps that count as none is that of the day as a whole, if it is more.
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
    const steps = span.days.map((date) => stepsOn(query, date, days?.get(date)));
    const bridged = steps.some((one) => one?.gaps)
      ? await bridgedDays(client, query, { window: windowOf(span), signal })
      : new Map<IsoDate, BridgedDay>();
    yield* totalsOf(query, answer, { span, steps, bridged });
  }
}

function stepsOn(
  { key, stepSeconds, reduce, quiet = false }: DailyTotalQuery,
  date: IsoDate,
  scrapes: DayScrapes | undefined,
): StepScrapes | null {
  // What may be silent is a gauge added up: no counter, whose next sample tells of a gap.
  const moved = quiet ? 'rate' : 'moved';
  return scrapes
    ? stepScrapes(scrapes, { key, stepSeconds, kind: reduce === 'sum' ? moved : 'held', date })
    : null;
}

function failedDays({ key }: DailyTotalQuery, span: DaySpan, error: ChargebackError): DailyTotal[] {
  return span.days.map((date) => ({
    date,
    value: null,
    measured: { value: 0, steps: 0 },
    coverage: { samplesSeen: 0, samplesExpected: span.perDay },
    problems: [failureProblem(error, date, key)],
  }));
}

interface KnownBesides {
  readonly span: DaySpan;
  readonly steps: readonly (StepScrapes | null)[];
  readonly bridged: ReadonlyMap<IsoDate, BridgedDay>;
}

function totalsOf(
  query: DailyTotalQuery,
  { series, warnings }: RangeAnswer,
  { span, steps: scraped, bridged }: KnownBesides,
): DailyTotal[] {
  const grid = new DayGrid(span);
  const { key, reduce, quiet = false } = query;
  const { perDay } = span;
  const instants = new DaySums(span.days.length * perDay);
  for (const one of series) grid.read(one, (instant, value) => instants.add(instant, value));
  return span.days.map((date, day) => {
    const steps = scraped[day] ?? null;
    const whole = steps && wholeSteps(grid, steps, { day, quiet });
    const usable = grid.usableOn(day);
    const seen = whole ? seenOf(whole, usable > 0) : grid.seenOn(day);
    const reduceOver = (part?: Uint8Array): number | null =>
      reduceDay(query, instants, { day, perDay, ...(part ? { part } : {}) });
    const all = reduceOver();
    const bridge = steps?.gaps && all !== null && reduce === 'sum' ? bridged.get(date) : undefined;
    // Nobody knows whether silence is that of the exporters, or what passed in a gap that only counters could tell.
    const isKnown = !(steps?.blind && quiet) && bridge?.value !== null;
    return {
      date,
      value: bestOf(all, {
        reduce,
        full: () => (whole ? (reduceOver(both(whole, steps!.full)) ?? reduceOver(whole)) : null),
        // An outage stays one: what the policy makes of it is the line's business.
        bridge: whole?.includes(0) ? undefined : bridge,
      }),
      measured:
        whole && steps
          ? measuredOf(
              { whole, steps, bridge, all, spoilt: grid.isSpoilt(day * perDay, (day + 1) * perDay) },
              reduceOver,
            )
          : { value: all ?? 0, steps: usable },
      coverage: coverageOf(isKnown ? seen : Math.min(seen, perDay - 1), perDay, warnings),
      problems: [
        ...(steps?.failures ?? []),
        ...(steps?.remarks ?? []),
        ...(bridge?.problems ?? []),
        ...rejectedProblems(grid, day, key),
        ...warningProblems(warnings, date, key),
      ],
    };
  });
}

/** A mean is one of steps that lack nothing; a sum holds what counters counted in gaps that are none. */
function bestOf(
  all: number | null,
  { reduce, full, bridge }: { reduce: string; full: () => number | null; bridge: BridgedDay | undefined },
): number | null {
  if (reduce === 'mean') return full() ?? all;
  return bridge?.value === undefined || bridge.value === null || all === null
    ? all
    : Math.max(all, bridge.value);
}

interface MeasuredSteps {
  readonly whole: Uint8Array;
  readonly steps: StepScrapes;
  readonly bridge: BridgedDay | undefined;
  readonly all: number | null;
  readonly spoilt: boolean;
}

/** See {@link DailyTotal.measured}. */
function measuredOf(
  { whole, steps, bridge, all, spoilt }: MeasuredSteps,
  reduceOver: (part: Uint8Array) => number | null,
): DailyTotal['measured'] {
  if (!whole.includes(1)) return { value: 0, steps: 0 };
  if (bridge && bridge.value !== null && !bridge.restarted && !spoilt) {
    return { value: Math.max(bridge.value, all ?? 0), steps: whole.length - steps.unbridged };
  }
  // Of a step that was scraped and yet is not whole nothing is known of what is missing: all of it may be.
  const some = whole.map((one, step) => (one === 1 || steps.covered[step] === 0 ? 1 : 0));
  const missing = whole.reduce(
    (sum, one, step) => sum + (one === 1 ? 0 : steps.covered[step] === 1 ? 1 : steps.lacking[step]!),
    0,
  );
  return { value: reduceOver(some) ?? 0, steps: whole.length - missing };
}

function both(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((one, index) => (one === 1 && right[index] === 1 ? 1 : 0));
}

function reduceDay(
  { reduce }: DailyTotalQuery,
  instants: DaySums,
  { day, perDay, part }: { day: number; perDay: number; part?: Uint8Array },
): number | null {
  const total = new DaySums(1);
  let count = 0;
  for (let index = 0; index < perDay; index += 1) {
    const value = instants.of(day * perDay + index);
    if (value === null || part?.[index] === 0) continue;
    count += 1;
    if (reduce === 'max') total.keepLargest(0, value);
    else total.add(0, value);
  }
  const value = total.of(0);
  return value === null || reduce !== 'mean' ? value : value / count;
}
