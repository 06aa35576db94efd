import { type IsoDate, makeProblem, type Window } from '@chargeback/plugin-api';
import type { DayGrid } from './day-grid.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { dayIndexOf, type DaySpan } from './plan-range.ts';
import type { RangeSeries } from './scan-matrix.ts';
import { ScrapedDay, type StepKind, type StepsScraped } from './scraped-day.ts';
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
  /** Whether a measured query, by its key, rests on these sources; without it every query does. */
  readonly isBehind?: (key: string) => boolean;
  /** Said of a day on which it finds nothing; without it such a day goes by its own samples. */
  readonly needed?: { readonly message: string; readonly fix: string };
}

/** What one query knows of the scrapes of one day. */
interface QueriedDay {
  readonly query: ScrapeQuery;
  /** Null when it could not be asked. */
  readonly scraped: ScrapedDay | null;
  readonly problem: DayProblem | null;
}

/** What every query knows of the scrapes of one day. */
export type DayScrapes = readonly QueriedDay[];

/** Tells an outage of the exporters from the absence of traffic. */
export interface ScrapeCoverage {
  /** The step that the spans divide. */
  readonly stepSeconds: number;
  /** Every day of a window of whole UTC days. Only an abort rejects. */
  days(window: Window, signal: AbortSignal): Promise<ReadonlyMap<IsoDate, DayScrapes>>;
}

/** @param queries one for each kind of source: a step counts when all kinds were scraped. */
export function createScrapeCoverage(
  client: PrometheusClient,
  queries: readonly [ScrapeQuery, ...ScrapeQuery[]],
): ScrapeCoverage {
  const kept = new Map<string, Promise<ReadonlyMap<IsoDate, DayScrapes>>>();
  return {
    stepSeconds: queries[0].stepSeconds,
    days(window, signal) {
      const key = `${window.start.getTime()}-${window.end.getTime()}`;
      let answer = kept.get(key);
      if (!answer) {
        answer = askAll(client, queries, { window, signal });
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
export interface StepScrapes extends Pick<
  StepsScraped,
  'covered' | 'full' | 'lacking' | 'unbridged' | 'gaps'
> {
  /** Whether sources of some kind, without which silence tells nothing, were not found at all. */
  readonly blind: boolean;
  /** Why nothing is known of the scrapes; then no step counts as covered. */
  readonly failures: readonly DayProblem[];
  /** What a bill says of steps that lack a source; the usage beside it lacks the same ones. */
  readonly remarks: readonly DayProblem[];
}

interface AskedSteps {
  readonly key: string;
  readonly stepSeconds: number;
  readonly kind: StepKind;
  readonly date: IsoDate;
}

/** Null where nothing tells: the day's own samples have to do then. */
export function stepScrapes(scrapes: DayScrapes, asked: AskedSteps): StepScrapes | null {
  const { key, stepSeconds, kind, date } = asked;
  const count = 86_400 / stepSeconds;
  const day = scrapes.filter(({ query }) => query.isBehind?.(key) ?? true);
  const failures = day.flatMap(({ problem }) => problem ?? []);
  const blind = day.filter(({ query, scraped }) => query.needed && scraped?.silent === true);
  const known = day.flatMap(({ query, scraped }) =>
    scraped && !scraped.silent
      ? [{ query, steps: scraped.steps(stepSeconds, kind, query.sources(date)) }]
      : [],
  );
  if (failures.length === 0 && known.length === 0 && blind.length === 0) return null;
  const steps = known.map((one) => one.steps);
  const all = (of: (one: StepsScraped) => Uint8Array): Uint8Array =>
    new Uint8Array(count).map((_, step) =>
      failures.length === 0 && steps.every((one) => of(one)[step] === 1) ? 1 : 0,
    );
  return {
    covered: all((one) => one.covered),
    full: all((one) => one.full),
    lacking: new Float64Array(count).map((_, step) =>
      failures.length > 0 ? 1 : Math.max(0, ...steps.map(({ lacking }) => lacking[step]!)),
    ),
    unbridged: Math.max(0, ...steps.map((one) => one.unbridged)),
    gaps: steps.some(({ gaps }) => gaps),
    blind: blind.length > 0,
    failures,
    remarks: [
      ...blind.map(({ query }) => blindProblem(query, date)),
      ...known.flatMap((one) => [
        ...gapProblems(one, asked),
        ...midnightProblems(one, asked),
        ...surplusProblems(one, date),
      ]),
    ],
  };
}

/**
 * 1 for each step of a day whose measurement is whole: enough sources were scraped as it takes, nothing unusable
 * came, and there was a sample, or `quiet` says that none is none moved.
 */
export function wholeSteps(
  grid: DayGrid,
  { covered }: Pick<StepScrapes, 'covered'>,
  { day, quiet }: { day: number; quiet: boolean },
): Uint8Array {
  const { perDay } = grid.span;
  // A day without one sample of its own may be a quiet one, and may be one on which the exporter said nothing.
  if (!grid.isSeen(day * perDay, (day + 1) * perDay)) return new Uint8Array(covered.length);
  return covered.map((one, step) => {
    const from = day * perDay + Math.floor((step * perDay) / covered.length);
    const to = Math.max(from + 1, day * perDay + Math.floor(((step + 1) * perDay) / covered.length));
    const speaks = quiet || grid.isSeen(from, to);
    return one === 1 && !grid.isSpoilt(from, to) && speaks ? 1 : 0;
  });
}

/** Where there was something, the cost is not unknown, though no step be whole. */
export function seenOf(whole: Uint8Array, anything: boolean): number {
  const count = whole.reduce((seen, one) => seen + one, 0);
  return count === 0 && anything && whole.length > 1 ? 1 : count;
}

interface QueriedSteps {
  readonly query: ScrapeQuery;
  readonly steps: StepsScraped;
}

function gapProblems(
  { query: { noun }, steps: { covered, expected, fewest, missing } }: QueriedSteps,
  { key, date }: AskedSteps,
): DayProblem[] {
  const whole = covered.reduce((count, one) => count + one, 0);
  if (whole === covered.length) return [];
  const named = missing.filter((name) => name !== '').slice(0, 10);
  const gaps = named.length > 0 ? `, with gaps in ${named.join(', ')}` : '';
  const message = `${key}: on ${date} ${whole} of ${covered.length} steps rest on ${expected} ${noun}; ${fewest} answered in the worst${gaps}`;
  const fix = `Look why they were not scraped. Where there are fewer ${noun} by now, say so in the settings.`;
  return [{ ...makeProblem('CB_METRICS_PARTIAL', message, { path: key, fix }), date }];
}

/** Inside a day a counter goes on through a gap that counts as none; what passes over midnight is in neither day. */
function midnightProblems(
  { query: { noun }, steps: { cutAt } }: QueriedSteps,
  { key, kind, date }: AskedSteps,
): DayProblem[] {
  if (kind === 'held' || cutAt.length === 0) return [];
  const where = cutAt.map((end) => `at the ${end} of ${date}`).join(' and ');
  const message = `${key}: scrapes of ${noun} are missing ${where}; what passed over midnight until the next one is on neither day`;
  const fix = `Nothing brings it back. Let planned restarts, of Prometheus too, keep clear of midnight UTC.`;
  return [{ ...makeProblem('CB_METRICS_PARTIAL', message, { path: key, fix }), date }];
}

function surplusProblems({ query, steps: { together } }: QueriedSteps, date: IsoDate): DayProblem[] {
  const { key, noun } = query;
  const sources = query.sources(date);
  if (together <= sources) return [];
  const message = `on ${date} ${together} ${noun} were scraped side by side, the settings have ${sources}`;
  const fix = `Say in the settings how many ${noun} there are, or let ${key} count those of this cluster only.`;
  return [{ ...makeProblem('CB_METRICS_PARTIAL', message, { path: key, fix }), date }];
}

function blindProblem({ key, needed }: ScrapeQuery, date: IsoDate): DayProblem {
  const { message, fix } = needed!;
  return { ...makeProblem('CB_METRICS_PARTIAL', `on ${date} ${message}`, { path: key, fix }), date };
}

async function askAll(
  client: PrometheusClient,
  queries: readonly ScrapeQuery[],
  range: { window: Window; signal: AbortSignal },
): Promise<ReadonlyMap<IsoDate, DayScrapes>> {
  const answers = await Promise.all(queries.map((query) => askDays(client, query, range)));
  const days = new Map<IsoDate, QueriedDay[]>();
  for (const answer of answers) {
    for (const [date, one] of answer) days.set(date, [...(days.get(date) ?? []), one]);
  }
  return days;
}

async function askDays(
  client: PrometheusClient,
  query: ScrapeQuery,
  range: { window: Window; signal: AbortSignal },
): Promise<ReadonlyMap<IsoDate, QueriedDay>> {
  const days = new Map<IsoDate, QueriedDay>();
  const stepSeconds = spanDividing(query.stepSeconds);
  const asked = { expression: query.expression, stepSeconds };
  for await (const { span, answer, error } of walkDays(client, asked, range)) {
    if (answer) {
      for (const scraped of readDays(query, span, answer.series)) {
        days.set(scraped.date, { query, scraped, problem: null });
      }
    } else {
      for (const date of span.days) {
        days.set(date, { query, scraped: null, problem: failureProblem(error, date, query.key) });
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
