import {
  ChargebackError,
  type Logger,
  startOfDay,
  type UsageQuery,
  type Window,
} from '@chargeback/plugin-api';
import {
  type Census,
  censusExpression,
  dayExpression,
  fitsCensus,
  hasNamesakes,
  takeCensus,
} from './day-query.ts';
import { sampleCount } from './day-grid.ts';
import { dayIndexOf, DayWalk, type DaySpan, windowOf } from './plan-range.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import type { RangeAnswer } from './range-answer.ts';
import type { SubquerySupport } from './subquery-support.ts';
import {
  type AnswerSizes,
  type AnsweredSpan,
  askSpan,
  type DayRange,
  isTooMuch,
  walkDays,
} from './walk-days.ts';

const SECONDS_PER_DAY = 86_400;
const FIRST_SPAN_DAYS = 3;
/** Samples of the query that a server should look at for one census; the answer holds one for each instant. */
const TARGET_SAMPLES = 600_000;
/** A day with fewer samples is read faster than the server is asked twice. */
export const WORTHWHILE_SAMPLES = 20_000;

export interface SummingServer {
  readonly client: PrometheusClient;
  readonly support: SubquerySupport;
  readonly logger: Logger;
  /** Samples of a day from which it is asked to add up. */
  readonly worthwhileSamples: number;
  readonly sizes: AnswerSizes;
}

/**
 * Like {@link walkDays}, but where a day has a good sample at every instant the server is asked for its totals
 * instead of its samples: one sample a series. All other days, and everything once the server refuses, are
 * answered sample by sample, so that totals, coverage and problems are the same either way. The first days
 * that it is asked for are asked for by samples: they tell whether there are so many that asking twice pays.
 */
export async function* walkSummedDays(
  server: SummingServer,
  query: UsageQuery,
  { window, signal }: Omit<DayRange, 'sizes'>,
): AsyncIterable<AnsweredSpan> {
  const known = server.sizes.get(query.expression(`${query.stepSeconds}s`)) ?? 0;
  if (known >= server.worthwhileSamples) {
    yield* walkBySums(server, query, { window, signal });
    return;
  }
  let rest: Window | null = null;
  for await (const answered of walkDays(server.client, query, { window, signal, sizes: server.sizes })) {
    yield answered;
    const { start, end } = windowOf(answered.span);
    const atFirst: boolean = start.getTime() === window.start.getTime();
    if (!atFirst || end >= window.end || !answered.answer) continue;
    if (sampleCount(answered.answer) < server.worthwhileSamples * answered.span.days.length) continue;
    rest = { start: end, end: window.end };
    break;
  }
  if (rest) yield* walkBySums(server, query, { window: rest, signal });
}

async function* walkBySums(
  server: SummingServer,
  query: UsageQuery,
  { window, signal }: Omit<DayRange, 'sizes'>,
): AsyncIterable<AnsweredSpan> {
  const walk = new DayWalk(window, query.stepSeconds);
  const source = new SummedSource(server, query, signal);
  let most = FIRST_SPAN_DAYS;
  let ceiling = Infinity;
  while (!walk.done) {
    const span = walk.next(Math.min(most, ceiling));
    const { censuses, error } = await source.censusOf(span);
    if (error && isTooMuch(error) && span.days.length > 1) {
      ceiling = Math.floor(span.days.length / 2);
      walk.back(span);
      continue;
    }
    const from = censuses ? yield* source.answer(span, censuses) : windowOf(span).start;
    if (from) return yield* walkDays(server.client, query, { window: { ...window, start: from }, signal });
    if (censuses) most = nextSpan(censuses, most);
  }
}

function nextSpan(censuses: readonly Census[], most: number): number {
  const perDay = censuses.reduce((sum, { samples }) => sum + samples, 0) / censuses.length;
  return Math.max(1, Math.min(Math.floor(TARGET_SAMPLES / Math.max(perDay, 1)), most * 4));
}

type CensusAnswer =
  | { readonly censuses: readonly Census[]; readonly error: null }
  | { readonly censuses: null; readonly error: ChargebackError | null };

/** Answers the days of one query by what the server adds up. */
class SummedSource {
  readonly #server: SummingServer;
  readonly #query: UsageQuery;
  readonly #signal: AbortSignal;

  constructor(server: SummingServer, query: UsageQuery, signal: AbortSignal) {
    this.#server = server;
    this.#query = query;
    this.#signal = signal;
  }

  /** The census of each day. It is taken before the totals: samples that arrive in between are in those. */
  async censusOf(span: DaySpan): Promise<CensusAnswer> {
    const expression = censusExpression(this.#query);
    const asked = { expression: () => expression, stepSeconds: span.stepSeconds };
    const { answer, error } = await askSpan(this.#server.client, asked, { span, signal: this.#signal });
    if (error) {
      if (!isTooMuch(error)) this.#givesUp(error);
      return { censuses: null, error };
    }
    if (answer.warnings.length > 0) return { censuses: null, error: null };
    const counts: number[][] = span.days.map(() => []);
    for (const { times, values } of answer.series) {
      for (const [index, time] of times.entries()) counts[dayIndexOf(span, time)]?.push(values[index]!);
    }
    return { censuses: counts.map((ofDay) => takeCensus(ofDay, span.perDay)), error: null };
  }

  /** Returns where to go on sample by sample until the end of the window; null when the span is done. */
  async *answer(span: DaySpan, censuses: readonly Census[]): AsyncGenerator<AnsweredSpan, Date | null> {
    const whole = censuses.filter((census) => census.whole);
    if (whole.length > 0) {
      const worthwhile = whole.some(({ samples }) => samples >= this.#server.worthwhileSamples);
      if (!worthwhile || !(await this.#addsUp(span))) return windowOf(span).start;
    }
    // Days in a row that the server does not add up are asked for together.
    let firstLeft = 0;
    for (const [index, census] of censuses.entries()) {
      const day = dayOf(span, index);
      const answer = census.samples === 0 ? NOTHING : census.whole ? await this.#totalsOf(day, census) : null;
      if (answer === 'refused') return windowOf(dayOf(span, firstLeft)).start;
      if (answer === null) continue;
      yield* this.#sampleBySample(span, firstLeft, index);
      firstLeft = index + 1;
      yield { span: day, answer, error: null, summed: census.whole };
    }
    yield* this.#sampleBySample(span, firstLeft, span.days.length);
    return null;
  }

  #addsUp({ start, stepSeconds }: DaySpan): Promise<boolean> {
    return this.#server.support.addsUp(stepSeconds, start + SECONDS_PER_DAY, this.#signal);
  }

  /** Null when they are not what a whole day must be. */
  async #totalsOf(day: DaySpan, census: Census): Promise<RangeAnswer | null | 'refused'> {
    const midnight = day.start + SECONDS_PER_DAY;
    const at = new Date(midnight * 1000);
    // The step of the samples, though there is but one instant: servers choose the resolution of old data by it.
    const { stepSeconds } = this.#query;
    const request = { expression: dayExpression(this.#query), start: at, end: at, stepSeconds };
    try {
      const answer = await this.#server.client.queryRange(request, this.#signal);
      if (this.#query.reduce !== 'max' && hasNamesakes(answer.series, this.#query)) return 'refused';
      const fits =
        answer.warnings.length === 0 &&
        fitsCensus(answer.series, census, midnight) &&
        // Adding up takes a metric's name away.
        answer.series.every(({ labels }) => isNamed(this.#query, labels));
      return fits ? answer : null;
    } catch (cause) {
      this.#signal.throwIfAborted();
      if (!ChargebackError.isInstance(cause)) throw cause;
      this.#givesUp(cause);
      return 'refused';
    }
  }

  async *#sampleBySample(span: DaySpan, from: number, to: number): AsyncIterable<AnsweredSpan> {
    if (from === to) return;
    const window = { start: startOfDay(span.days[from]!), end: windowOf(dayOf(span, to - 1)).end };
    yield* walkDays(this.#server.client, this.#query, { window, signal: this.#signal });
  }

  #givesUp({ message }: ChargebackError): void {
    const fields = { query: this.#query.key, reason: message };
    this.#server.logger.warn(
      fields,
      'the metrics server does not add this query up, so its samples are fetched',
    );
  }
}

const NOTHING: RangeAnswer = { series: [], warnings: [] };

function isNamed(
  { identityLabel, resourceLabel }: UsageQuery,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Boolean(labels[identityLabel]) && (resourceLabel === null || Boolean(labels[resourceLabel]));
}

/** One day of a span. */
function dayOf({ days, start, ...grid }: DaySpan, index: number): DaySpan {
  return { ...grid, days: days.slice(index, index + 1), start: start + index * SECONDS_PER_DAY };
}
