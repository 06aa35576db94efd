import { ChargebackError, type ErrorCode, type Window } from '@chargeback/plugin-api';
import { sampleCount } from './day-grid.ts';
import { DayWalk, type DaySpan, planRange, windowOf } from './plan-range.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import type { RangeAnswer } from './range-answer.ts';
import type { RangeSeries } from './scan-matrix.ts';

/** Samples that one answer should hold: enough to make requests few, little enough to keep memory flat. */
const TARGET_SAMPLES = 60_000;
const FIRST_SPAN_DAYS = 3;
/** Spans in a row that may fail before it is asked whether the server answers anything at all. */
const MOST_FAILURES = 3;

/** Failures that a shorter span may get around. */
const TOO_MUCH: ReadonlySet<ErrorCode> = new Set(['CB_METRICS_TIMEOUT', 'CB_METRICS_TOO_LARGE']);
const LIMIT = /too many samples|maximum resolution|exceeded.*limit/i;
/** Codes under which servers report a limit of their own. */
const MAY_BE_TOO_MUCH: ReadonlySet<ErrorCode> = new Set(['CB_METRICS_QUERY', 'CB_METRICS_SERVER']);
/** Failures that the next span would meet too. */
const LASTING: ReadonlySet<ErrorCode> = new Set([
  'CB_METRICS_AUTH',
  'CB_METRICS_QUERY',
  'CB_METRICS_UNREACHABLE',
]);

export interface RangeQuery {
  readonly expression: (range: string) => string;
  readonly stepSeconds: number;
}

/** By expression, how many samples a day the last answer of several days held: so many days are asked for at once. */
export type AnswerSizes = Map<string, number>;

export interface DayRange {
  readonly window: Window;
  readonly signal: AbortSignal;
  /** What is known from other windows of the same queries. */
  readonly sizes?: AnswerSizes;
}

/** A span with its answer, or with why there is none. */
export type AnsweredSpan =
  | {
      readonly span: DaySpan;
      readonly answer: RangeAnswer;
      readonly error: null;
      /** Each series has one sample, its total of the day, and every instant had a usable sample of the query. */
      readonly summed?: boolean;
    }
  | { readonly span: DaySpan; readonly answer: null; readonly error: ChargebackError };

/**
 * Asks for every day of a window in spans that follow the size of the answers: few days where nothing is known of it,
 * then as many as hold about 60 000 samples. A span that is too much for the server is halved down to one day, and no later one
 * is longer than that. Every day is yielded once, mostly ascending; only an abort throws.
 */
export async function* walkDays(
  client: PrometheusClient,
  query: RangeQuery,
  { window, signal, sizes }: DayRange,
): AsyncIterable<AnsweredSpan> {
  const walk = new DayWalk(window, query.stepSeconds);
  const ask = (span: DaySpan): Promise<AnsweredSpan> => askSpan(client, query, { span, signal });
  const expression = query.expression(`${query.stepSeconds}s`);
  const known = sizes?.get(expression);
  let most = known === undefined ? FIRST_SPAN_DAYS : nextSpan(known, FIRST_SPAN_DAYS);
  let ceiling = Infinity;
  let failures = 0;
  while (!walk.done) {
    const span = walk.next(Math.min(most, ceiling));
    const outcome = await ask(span);
    if (outcome.answer) {
      failures = 0;
      const perDay = sampleCount(outcome.answer) / span.days.length;
      sizes?.set(expression, perDay);
      most = nextSpan(perDay, most);
      yield outcome;
      continue;
    }
    const { error } = outcome;
    if (isTooMuch(error) && span.days.length > 1) {
      ceiling = Math.floor(span.days.length / 2);
      walk.back(span);
      continue;
    }
    failures += 1;
    yield outcome;
    if (isLasting(error)) {
      yield* givenUp(walk, error);
    } else if (failures >= MOST_FAILURES && !walk.done) {
      // Perhaps only these days are bad: they must not keep the days behind them waiting for ever.
      const probe = await ask(walk.takeLast());
      yield probe;
      failures = 0;
      if (!probe.answer) yield* givenUp(walk, probe.error);
    }
  }
}

function* givenUp(walk: DayWalk, error: ChargebackError): Iterable<AnsweredSpan> {
  if (!walk.done) yield { span: walk.rest(), answer: null, error };
}

/** Only an abort throws. */
export async function askSpan(
  client: PrometheusClient,
  query: RangeQuery,
  { span, signal }: { span: DaySpan; signal: AbortSignal },
): Promise<AnsweredSpan> {
  try {
    const { stepSeconds } = query;
    const expression = query.expression(`${stepSeconds}s`);
    const series: RangeSeries[] = [];
    const warnings: string[] = [];
    // Nearly always one chunk: only steps of a few seconds make a day too long for one request.
    for (const chunk of planRange(windowOf(span), stepSeconds)) {
      const answer = await client.queryRange({ expression, ...chunk, stepSeconds }, signal);
      for (const one of answer.series) series.push(one);
      warnings.push(...answer.warnings);
    }
    return { span, answer: { series, warnings }, error: null };
  } catch (cause) {
    signal.throwIfAborted();
    if (!ChargebackError.isInstance(cause)) throw cause;
    return { span, answer: null, error: cause };
  }
}

/** Also a server's own limit on the samples that one query may touch. */
export function isTooMuch(error: ChargebackError): boolean {
  if (TOO_MUCH.has(error.code)) return true;
  return MAY_BE_TOO_MUCH.has(error.code) && LIMIT.test(error.message);
}

function isLasting(error: ChargebackError): boolean {
  return LASTING.has(error.code) && !isTooMuch(error);
}

function nextSpan(perDay: number, most: number): number {
  if (perDay === 0) return most * 4;
  return Math.max(1, Math.min(Math.floor(TARGET_SAMPLES / perDay), most * 8));
}
