import { type IsoDate, makeProblem, type Window } from '@chargeback/plugin-api';
import type { DayGrid } from './day-grid.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { dayIndexOf, type DaySpan } from './plan-range.ts';
import type { RangeSeries } from './scan-matrix.ts';
import { ScrapedDay, type StepsScraped } from './scraped-day.ts';
import { type DayProblem, failureProblem } from './span-problems.ts';
import { walkDays } from './walk-days.ts';

/** Longest span that scrapes are counted in: shorter than most steps, longer than most scrape intervals. */
const LONGEST_SPAN_SECONDS = 300;
/** Windows whose answers are kept: bill and usage of one span of days are asked for side by side. */
const WINDOWS_KEPT = 4;

/** Counts scrapes: a series for each source, its value the samples that a range of it holds. */
export interface ScrapeQuery {
  readonly key: string;
  readonly expression: (range: string) => string;
  /** Labels that name the source, the first that a series has. */
  readonly sourceLabels: readonly string[];
  /** How many sources there are on a day. */
  readonly sources: (date: IsoDate) => number;
  /** What a source is called, in the plural. */
  readonly noun: string;
  /** The step of what is measured: the spans divide it. */
  readonly stepSeconds: number;
}

/** What is known of the scrapes of one day. */
export interface DayScrapes {
  /** Null when it could not be asked. */
  readonly scraped: ScrapedDay | null;
  readonly problem: DayProblem | null;
}

/** Tells an outage of the exporters from the absence of traffic. */
export interface ScrapeCoverage {
  readonly query: ScrapeQuery;
  /** Every day of a window of whole UTC days. Only an abort rejects. */
  days(window: Window, signal: AbortSignal): Promise<ReadonlyMap<IsoDate, DayScrapes>>;
}

export function createScrapeCoverage(client: PrometheusClient, query: ScrapeQuery): ScrapeCoverage {
  const kept = new Map<string, Promise<ReadonlyMap<IsoDate, DayScrapes>>>();
  return {
    query,
    days(window, signal) {
      const key = `${window.start.getTime()}-${window.end.getTime()}`;
      let answer = kept.get(key);
      if (!answer) {
        answer = askDays(client, query, { window, signal });
        kept.set(key, answer);
        for (const old of kept.keys()) {
          if (kept.size <= WINDOWS_KEPT) break;
          kept.delete(old);
        }
      }
      return answer;
    },
  };
}

/** The scrapes behind the steps of one measured query on a day. */
export interface StepScrapes extends StepsScraped {
  /** Why nothing is known of them; then no step counts as covered. */
  readonly failure: DayProblem | null;
}

/** Null where nothing tells: the day's own samples have to do then. */
export function stepScrapes(
  { query }: ScrapeCoverage,
  day: DayScrapes,
  { stepSeconds, kind, date }: { stepSeconds: number; kind: 'moved' | 'held'; date: IsoDate },
): StepScrapes | null {
  if (day.problem) {
    const covered = new Uint8Array(86_400 / stepSeconds);
    return { covered, expected: 0, fewest: 0, missing: [], failure: day.problem };
  }
  if (!day.scraped || day.scraped.silent) return null;
  return { ...day.scraped.steps(stepSeconds, kind, query.sources(date)), failure: null };
}

/**
 * 1 for each step of a day whose measurement is whole: every source was scraped as it takes, nothing unusable
 * came, and there was a sample, or `quiet` says that none is none moved.
 */
export function wholeSteps(
  grid: DayGrid,
  { covered }: StepScrapes,
  { day, quiet }: { day: number; quiet: boolean },
): Uint8Array {
  const { perDay } = grid.span;
  // A day without one sample of its own may be a quiet one, and may be one on which the exporter said nothing.
  if (!grid.isSeen(day * perDay, (day + 1) * perDay)) return new Uint8Array(covered.length);
  return covered.map((one, step) => {
    const from = day * perDay + Math.floor((step * perDay) / covered.length);
    const to = Math.max(from + 1, day * perDay + Math.floor(((step + 1) * perDay) / covered.length));
    return one === 1 && !grid.isSpoilt(from, to) && (quiet || grid.isSeen(from, to)) ? 1 : 0;
  });
}

/** Where there was something, the cost is not unknown, though no step be whole. */
export function seenOf(whole: Uint8Array, anything: boolean): number {
  const count = whole.reduce((seen, one) => seen + one, 0);
  return count === 0 && anything && whole.length > 1 ? 1 : count;
}

/** What a bill says of steps that lack a source; the usage beside it lacks the same ones. */
export function gapProblems(
  { query: { noun } }: ScrapeCoverage,
  { covered, expected, fewest, missing }: StepScrapes,
  { key, date }: { key: string; date: IsoDate },
): DayProblem[] {
  const whole = covered.reduce((count, one) => count + one, 0);
  if (whole === covered.length || expected === 0) return [];
  const named = missing.filter((name) => name !== '').slice(0, 10);
  const gaps = named.length > 0 ? `, with gaps in ${named.join(', ')}` : '';
  const message = `${key}: on ${date} ${whole} of ${covered.length} steps rest on ${expected} ${noun}; ${fewest} answered in the worst${gaps}`;
  const fix = `Look why they were not scraped. Where there are fewer ${noun} by now, say so in the settings.`;
  return [{ ...makeProblem('CB_METRICS_PARTIAL', message, { path: key, fix }), date }];
}

async function askDays(
  client: PrometheusClient,
  query: ScrapeQuery,
  range: { window: Window; signal: AbortSignal },
): Promise<ReadonlyMap<IsoDate, DayScrapes>> {
  const days = new Map<IsoDate, DayScrapes>();
  const stepSeconds = spanDividing(query.stepSeconds);
  const asked = { expression: query.expression, stepSeconds };
  for await (const { span, answer, error } of walkDays(client, asked, range)) {
    if (answer) {
      for (const scraped of readDays(query, span, answer.series)) {
        days.set(scraped.date, { scraped, problem: null });
      }
    } else {
      for (const date of span.days) {
        days.set(date, { scraped: null, problem: failureProblem(error, date, query.key) });
      }
    }
  }
  return days;
}

function readDays(query: ScrapeQuery, span: DaySpan, series: readonly RangeSeries[]): ScrapedDay[] {
  const days = span.days.map(() => new Map<string, Float32Array>());
  for (const { labels, times, values } of series) {
    const label = query.sourceLabels.find((name) => labels[name]);
    const source = label === undefined ? '' : labels[label]!;
    for (const [index, time] of times.entries()) {
      const day = dayIndexOf(span, time);
      const sources = days[day];
      const at = (time - span.start) / span.stepSeconds - 1 - day * span.perDay;
      if (!sources || !Number.isInteger(at)) continue;
      let counts = sources.get(source);
      if (!counts) sources.set(source, (counts = new Float32Array(span.perDay)));
      if (values[index]! > counts[at]!) counts[at] = values[index]!;
    }
  }
  return span.days.map((date, day) => new ScrapedDay(date, span.stepSeconds, days[day]!));
}

/** The longest span that divides a step and is short enough. */
function spanDividing(stepSeconds: number): number {
  let parts = Math.max(1, Math.ceil(stepSeconds / LONGEST_SPAN_SECONDS));
  while (stepSeconds % parts !== 0) parts += 1;
  return stepSeconds / parts;
}
