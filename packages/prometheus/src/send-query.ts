import { ChargebackError, describeCause, type PlainFetch, type PlainResponse } from '@chargeback/plugin-api';
import type { MetricsConnection } from './connection.ts';
import { type Asked, errorMessage } from './range-answer.ts';
import { readBounded } from './read-bounded.ts';
import { type Attempt, parseRetryAfter, type RetryableFailure } from './retrier.ts';

export interface QueryRequest {
  /** `query_range` or `query`. */
  readonly endpoint: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly asked: Asked;
}

const RETRIED = new Set([408, 425, 429, 500, 502, 503, 504]);

export interface SendContext<Answer> {
  readonly fetch: PlainFetch;
  readonly signal: AbortSignal;
  readonly now: Date;
  /** Of the body of an answer that is good by its status. What it throws is thrown; it keeps nothing of the bytes. */
  readonly parse: (body: Buffer) => Answer;
}

/**
 * Sends a query once and reads the answer within the time and size limits.
 * @throws {ChargebackError} what another try would not mend; the reason of a signal that aborts before all has come.
 */
export async function sendQuery<Answer>(
  connection: MetricsConnection,
  request: QueryRequest,
  context: SendContext<Answer>,
): Promise<Attempt<Answer>> {
  const timeout = AbortSignal.timeout(connection.timeout_seconds * 1000);
  const signal = AbortSignal.any([context.signal, timeout]);
  const url = endpointUrl(connection.url, request.endpoint);
  let isRead = false;
  try {
    const response = await context.fetch(url, {
      method: 'POST',
      headers: headersOf(connection),
      body: new URLSearchParams(request.parameters).toString(),
      // Credentials must not follow a redirect to another place.
      redirect: 'manual',
      signal,
    });
    return await readBounded(response, connection.max_response_bytes, (body) => {
      isRead = true;
      if (body === null) {
        const message = `${request.asked.about}: the answer exceeds ${connection.max_response_bytes} bytes`;
        throw new ChargebackError('CB_METRICS_TOO_LARGE', message);
      }
      return response.ok
        ? { result: context.parse(body) }
        : failureOf(response, body, { asked: request.asked, url, now: context.now });
    });
  } catch (cause) {
    // What was thrown then is not the network's.
    if (isRead) throw cause;
    context.signal.throwIfAborted();
    if (ChargebackError.isInstance(cause)) throw cause;
    return {
      error: networkError(cause, { request, connection, timedOut: timeout.aborted }),
      retryAfter: null,
    };
  }
}

/** The configured URL with its path prefix, and the endpoint behind it. */
function endpointUrl(base: string, endpoint: string): string {
  const { origin, pathname } = new URL(base);
  return `${origin}${pathname.replace(/\/+$/, '')}/api/v1/${endpoint}`;
}

function headersOf(connection: MetricsConnection): Record<string, string> {
  const { auth_type: type, username, password, bearer_token: token } = connection;
  const authorization =
    type === 'basic'
      ? `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`
      : type === 'bearer'
        ? `Bearer ${token}`
        : null;
  return {
    ...connection.headers,
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    ...(authorization === null ? {} : { authorization }),
  };
}

function failureOf(
  response: PlainResponse,
  body: Buffer,
  { asked, url, now }: { asked: Asked; url: string; now: Date },
): RetryableFailure {
  const { status } = response;
  const said = errorMessage(body);
  const message = `${asked.about}: HTTP ${status}${said === undefined ? '' : ` ${asked.quote(said)}`}`;
  if (status === 401 || status === 403) throw new ChargebackError('CB_METRICS_AUTH', message);
  if (status >= 300 && status < 400) {
    const target = redirectTarget(response, url);
    const where = target === null ? 'elsewhere' : `to ${asked.quote(target)}`;
    throw new ChargebackError('CB_METRICS_ANSWER', `${message}: the server redirects ${where}`, {
      fix: 'Set metrics.url to the address it redirects to; redirects are not followed.',
    });
  }
  if (!RETRIED.has(status)) {
    // 400 and 422 are the server's word on the query itself; anything else is not the API.
    const code =
      said !== undefined || status === 400 || status === 422 ? 'CB_METRICS_QUERY' : 'CB_METRICS_ANSWER';
    throw new ChargebackError(code, message);
  }
  // A server that ran out of time says so with 503 and an error type: asking again for as much is no use.
  if (said?.startsWith('timeout')) throw new ChargebackError('CB_METRICS_TIMEOUT', message);
  const code =
    status === 429
      ? 'CB_METRICS_RATE_LIMITED'
      : status === 408 || status === 504
        ? 'CB_METRICS_TIMEOUT'
        : 'CB_METRICS_SERVER';
  return {
    error: new ChargebackError(code, message),
    retryAfter: parseRetryAfter(response.headers.get('retry-after'), now),
  };
}

/** Host and path only: a query or credentials may be secret. */
function redirectTarget(response: PlainResponse, url: string): string | null {
  const location = response.headers.get('location');
  if (location === null || !URL.canParse(location, url)) return null;
  const { protocol, host, pathname } = new URL(location, url);
  return `${protocol}//${host}${pathname}`;
}

function networkError(
  cause: unknown,
  {
    request,
    connection,
    timedOut,
  }: { request: QueryRequest; connection: MetricsConnection; timedOut: boolean },
): ChargebackError {
  const { about, quote } = request.asked;
  if (timedOut) {
    const message = `${about}: no answer within ${connection.timeout_seconds} s`;
    return new ChargebackError('CB_METRICS_TIMEOUT', message);
  }
  return new ChargebackError('CB_METRICS_UNREACHABLE', `${about}: ${quote(describeCause(cause))}`);
}
