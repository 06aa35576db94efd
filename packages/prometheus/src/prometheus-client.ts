import type { ChargebackError, Logger, PluginHost } from '@chargeback/plugin-api';
import pLimit from 'p-limit';
import type { MetricsConnection } from './connection.ts';
import { quoteFor } from './quote-server.ts';
import { parseAnswer, type RangeAnswer } from './range-answer.ts';
import { type Attempt, type QueryRequest, sendQuery } from './send-query.ts';

const FIRST_BACK_OFF = 1000;
/** Neither back-off nor a server's Retry-After makes a try wait longer. */
const LONGEST_WAIT = 60_000;
const SHOWN_QUERY = 200;

/** A query over instants: start, start + step, …, up to and including the end. */
export interface RangeRequest {
  readonly expression: string;
  readonly start: Date;
  readonly end: Date;
  readonly stepSeconds: number;
}

/** Speaks the Prometheus HTTP API with one server. */
export interface PrometheusClient {
  /**
   * @throws {ChargebackError} with a `CB_METRICS_` code once the tries are used up, and the signal's reason
   *   when it aborts.
   */
  queryRange(request: RangeRequest, signal: AbortSignal): Promise<RangeAnswer>;
  /** The series at one instant. Throws like `queryRange`. */
  query(request: { expression: string; time: Date }, signal: AbortSignal): Promise<RangeAnswer>;
}

/** What the client needs of its host. */
export type PrometheusHost = Pick<PluginHost, 'createFetch' | 'clock' | 'random' | 'sleep'> & {
  readonly logger: Logger;
};

export function createPrometheusClient(
  connection: MetricsConnection,
  host: PrometheusHost,
): PrometheusClient {
  const fetch = host.createFetch(connection.ca_file ? { caFile: connection.ca_file } : {});
  const limit = pLimit(connection.max_in_flight);
  const { host: server } = new URL(connection.url);
  const about = (expression: string): string => {
    const shown = expression.length > SHOWN_QUERY ? `${expression.slice(0, SHOWN_QUERY)}…` : expression;
    return `${server}, query ${shown}`;
  };
  const quote = quoteFor(connection);
  const ask = async (request: QueryRequest, signal: AbortSignal): Promise<RangeAnswer> => {
    // The place is free while a try backs off.
    const attempt = (): Promise<Attempt> =>
      orAborted(
        limit(() => sendQuery(connection, request, { fetch, signal, now: host.clock() })),
        signal,
      );
    return parseAnswer(
      await withRetries(attempt, { attempts: connection.max_attempts, host, signal }),
      request.asked,
    );
  };
  return {
    queryRange: ({ expression, start, end, stepSeconds }, signal) =>
      ask(
        {
          endpoint: 'query_range',
          parameters: {
            query: expression,
            start: seconds(start),
            end: seconds(end),
            step: String(stepSeconds),
          },
          asked: { about: about(expression), quote, resultType: 'matrix' },
        },
        signal,
      ),
    query: ({ expression, time }, signal) =>
      ask(
        {
          endpoint: 'query',
          parameters: { query: expression, time: seconds(time) },
          asked: { about: about(expression), quote, resultType: 'vector' },
        },
        signal,
      ),
  };
}

interface RetryContext {
  readonly attempts: number;
  readonly host: PrometheusHost;
  readonly signal: AbortSignal;
}

/** Own loop, because the retry libraries sleep on the global clock, which is not ours to use. */
async function withRetries(
  attempt: () => Promise<Attempt>,
  { attempts, host, signal }: RetryContext,
): Promise<Buffer> {
  for (let number = 1; ; number += 1) {
    signal.throwIfAborted();
    const outcome = await attempt();
    if ('body' in outcome) return outcome.body;
    if (number >= attempts) throw exhausted(outcome.error, attempts);
    const backOff = FIRST_BACK_OFF * 2 ** (number - 1) * (0.5 + host.random());
    const wait = Math.min(Math.max(outcome.retryAfter ?? 0, backOff), LONGEST_WAIT);
    host.logger.debug({ attempt: number, wait, code: outcome.error.code }, 'metrics query is tried again');
    await host.sleep(wait, signal);
  }
}

function exhausted(error: ChargebackError, attempts: number): ChargebackError {
  if (attempts > 1) error.message += ` (after ${attempts} tries)`;
  return error;
}

/** Rejects at once when the signal aborts, also while the work still waits for its place. */
function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function seconds(instant: Date): string {
  return String(instant.getTime() / 1000);
}
