import { ChargebackError, type ErrorCode, type Window } from '@chargeback/plugin-api';
import { sampleCount } from './day-grid.ts';
import { DayWalk, type DaySpan, instantsOf } from './plan-range.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import type { RangeAnswer } from './range-answer.ts';

/** Samples that one answer should hold: enough to make requests few, little enough to keep memory flat. */
const TARGET_SAMPLES = 60_000;
const FIRST_SPAN_DAYS = 3;
/** Requests in a row that may fail before the rest of the window counts as failed. */
const MOST_FAILURES = 3;

/** Failures that a shorter span may get around. */
const TOO_MUCH: ReadonlySet<ErrorCode> = new Set(['CB_METRICS_TIMEOUT', 'CB_METRICS_TOO_LARGE']);
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

/** A span with its answer, or with why there is none. */
export interface AnsweredSpan {
  readonly span: DaySpan;
  readonly answer: RangeAnswer | null;
  readonly error: ChargebackError | null;
}

/**
 * Asks for every day of a window in spans that follow the size of the answers: few days first, then as many as
 * hold about 60 000 samples. A span that is too much for the server is halved down to one day. Every
 * day is yielded once; only an abort throws.
 */
export async function* walkDays(
  client: PrometheusClient,
  query: RangeQuery,
  { window, signal }: { window: Window; signal: AbortSignal },
): AsyncIterable<AnsweredSpan> {
  const walk = new DayWalk(window, query.stepSeconds);
  let most = FIRST_SPAN_DAYS;
  let failures = 0;
  while (!walk.done) {
    const span = walk.next(most);
    const outcome = await askSpan(client, query, { span, signal });
    if (outcome.answer) {
      failures = 0;
      most = nextSpan(span, sampleCount(outcome.answer), most);
      yield outcome;
      continue;
    }
    const { error } = outcome;
    if (error && isTooMuch(error) && span.days.length > 1) {
      most = Math.floor(span.days.length / 2);
      walk.back(span);
      continue;
    }
    failures += 1;
    yield outcome;
    if (
      error &&
      (failures >= MOST_FAILURES || (LASTING.has(error.code) && !isTooMuch(error))) &&
      !walk.done
    ) {
      yield { span: walk.rest(), answer: null, error };
    }
  }
}

async function askSpan(
  client: PrometheusClient,
  query: RangeQuery,
  { span, signal }: { span: DaySpan; signal: AbortSignal },
): Promise<AnsweredSpan> {
  try {
    const { start, end } = instantsOf(span);
    const expression = query.expression(`${query.stepSeconds}s`);
    const answer = await client.queryRange(
      { expression, start, end, stepSeconds: query.stepSeconds },
      signal,
    );
    return { span, answer, error: null };
  } catch (cause) {
    signal.throwIfAborted();
    if (!ChargebackError.isInstance(cause)) throw cause;
    return { span, answer: null, error: cause };
  }
}

/** Also a server's own limit on the samples that one query may touch. */
function isTooMuch(error: ChargebackError): boolean {
  return (
    TOO_MUCH.has(error.code) || /too many samples|maximum resolution|exceeded.*limit/i.test(error.message)
  );
}

function nextSpan(span: DaySpan, samples: number, most: number): number {
  const perDay = samples / span.days.length;
  if (perDay === 0) return most * 4;
  return Math.max(1, Math.min(Math.floor(TARGET_SAMPLES / perDay), most * 8));
}
