import type { Logger, PluginHost } from '@chargeback/plugin-api';
import type { MetricsConnection } from './connection.ts';
import { quoteFor } from './quote-server.ts';
import { KnownLabels } from './known-labels.ts';
import { parseAnswer, type RangeAnswer } from './range-answer.ts';
import { createRetrier } from './retrier.ts';
import { type QueryRequest, sendQuery } from './send-query.ts';

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
  const retry = createRetrier(
    {
      maxInFlight: connection.max_in_flight,
      maxAttempts: connection.max_attempts,
      waitAfter: ({ retryAfter }, attempt) => {
        const backOff = FIRST_BACK_OFF * 2 ** (attempt - 1) * (0.5 + host.random());
        return Math.min(Math.max(retryAfter ?? 0, backOff), LONGEST_WAIT);
      },
    },
    host,
  );
  const { host: server } = new URL(connection.url);
  const about = (expression: string): string => {
    const shown = expression.length > SHOWN_QUERY ? `${expression.slice(0, SHOWN_QUERY)}…` : expression;
    return `${server}, query ${shown}`;
  };
  const quote = quoteFor(connection);
  const known = new KnownLabels();
  const ask = (request: QueryRequest, signal: AbortSignal): Promise<RangeAnswer> => {
    const parse = (body: Buffer): RangeAnswer => parseAnswer(body, request.asked, known);
    return retry(() => sendQuery(connection, request, { fetch, signal, now: host.clock(), parse }), signal);
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

function seconds(instant: Date): string {
  return String(instant.getTime() / 1000);
}
