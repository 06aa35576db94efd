import { ChargebackError, describeCause, type PlainFetch, type PlainResponse } from '@chargeback/plugin-api';
import { type Attempt, parseRetryAfter, readBounded } from '@chargeback/prometheus';
import type { CcloudConnection, CcloudRequest, Query } from './ccloud-request.ts';
import { isJsonObject, type JsonValue, parseJson } from './parse-json.ts';

export interface SendContext {
  readonly connection: CcloudConnection;
  /** The header's value. */
  readonly authorization: string;
  readonly fetch: PlainFetch;
  /** Makes the server's words fit for a message. */
  readonly quote: (text: string) => string;
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

const RETRIED = new Set([408, 425, 429, 500, 502, 503, 504]);
/** A rate-limit reset beyond this is a point in time, in seconds since 1970, and not a number of seconds. */
const EPOCH_SECONDS = 1_000_000_000;

/**
 * Sends a request once and reads the answer within the time and size limits.
 * @throws {ChargebackError} what another try would not mend; the reason of the signal when it aborts.
 */
export async function sendRequest(
  request: CcloudRequest,
  post: { readonly body: unknown } | null,
  context: SendContext,
): Promise<Attempt<JsonValue>> {
  const { connection } = context;
  const timeout = AbortSignal.timeout(connection.timeoutSeconds * 1000);
  try {
    const response = await context.fetch(urlOf(connection, request), {
      method: post === null ? 'GET' : 'POST',
      headers: {
        accept: 'application/json',
        authorization: context.authorization,
        ...(post === null ? {} : { 'content-type': 'application/json' }),
      },
      ...(post === null ? {} : { body: JSON.stringify(post.body) }),
      // Credentials must not follow a redirect to another place.
      redirect: 'manual',
      signal: AbortSignal.any([context.signal, timeout]),
    });
    const body = await readBounded(
      response,
      connection.maxResponseBytes,
      (bytes) => bytes?.toString('utf8') ?? null,
    );
    if (body === null) {
      const about = describeRequest(connection, request);
      const message = `${about}: the answer exceeds ${connection.maxResponseBytes} bytes`;
      throw new ChargebackError('CB_SOURCE_TOO_LARGE', message);
    }
    if (!response.ok) return failureOf(response, body, { request, context });
    const result = parseJson(body, { exactNumbers: request.exactNumbers ?? false });
    // A transfer that broke off looks like this too.
    if (result === undefined)
      return { error: unusableAnswer(connection, request, 'it is not JSON'), retryAfter: null };
    return { result };
  } catch (cause) {
    context.signal.throwIfAborted();
    if (ChargebackError.isInstance(cause)) throw cause;
    return { error: networkError(cause, { request, context, timedOut: timeout.aborted }), retryAfter: null };
  }
}

/** `api.confluent.cloud/iam/v2/users`, without the query: page tokens say nothing. */
export function describeRequest({ baseUrl }: CcloudConnection, { path }: CcloudRequest): string {
  const { host, pathname } = new URL(baseUrl);
  return `${host}${pathname.replace(/\/+$/, '')}${path}`;
}

export function unusableAnswer(
  connection: CcloudConnection,
  request: CcloudRequest,
  what: string,
): ChargebackError {
  const message = `${describeRequest(connection, request)}: the answer cannot be understood: ${what}`;
  return new ChargebackError('CB_SOURCE_ANSWER', message);
}

function urlOf({ baseUrl }: CcloudConnection, { path, query = {} }: CcloudRequest): string {
  const { origin, pathname } = new URL(baseUrl);
  const address = `${origin}${pathname.replace(/\/+$/, '')}${path}`;
  const parameters = searchOf(query);
  return parameters === '' ? address : `${address}?${parameters}`;
}

function searchOf(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
  return parameters.toString();
}

interface Sent {
  readonly request: CcloudRequest;
  readonly context: SendContext;
}

function failureOf(response: PlainResponse, body: string, { request, context }: Sent): Attempt<never> {
  const { status, headers } = response;
  const { connection, quote } = context;
  const said = sayingOf(body);
  const about = describeRequest(connection, request);
  const message = `${about}: HTTP ${status}${said === null ? '' : ` ${quote(said)}`}`;
  const { settingsPath } = connection;
  if (status === 401) {
    const fix = `Check ${settingsPath}.key and ${settingsPath}.secret; a key that was deleted or has expired must be replaced.`;
    throw new ChargebackError('CB_SOURCE_AUTH', message, { fix });
  }
  if (status === 403) {
    const needed = request.needs ?? 'a role that may read this';
    const fix = `Give the owner of ${settingsPath}.key ${needed}.`;
    throw new ChargebackError('CB_SOURCE_FORBIDDEN', message, { fix });
  }
  if (status === 404) throw new ChargebackError('CB_SOURCE_NOT_FOUND', message);
  if (status >= 300 && status < 400) {
    const fix = 'Set the base URL to the address it redirects to; redirects are not followed.';
    throw new ChargebackError('CB_SOURCE_ANSWER', `${message}: the server redirects elsewhere`, { fix });
  }
  if (!RETRIED.has(status)) throw new ChargebackError('CB_SOURCE_REQUEST', message);
  if (status === 429) {
    const error = new ChargebackError('CB_SOURCE_RATE_LIMITED', message);
    return { error, retryAfter: rateLimitWait(headers, context.now()) };
  }
  const code = status === 408 || status === 504 ? 'CB_SOURCE_TIMEOUT' : 'CB_SOURCE_SERVER';
  const retryAfter = parseRetryAfter(headers.get('retry-after'), context.now());
  return { error: new ChargebackError(code, message), retryAfter };
}

/** What an error answer says, in the shapes that this vendor uses, or the text itself. */
function sayingOf(body: string): string | null {
  const answer = parseJson(body, { exactNumbers: false });
  if (!isJsonObject(answer)) return body.trim() === '' ? null : body.trim();
  const errors = answer['errors'];
  const first = Array.isArray(errors) ? errors[0] : answer['error'];
  const said = isJsonObject(first) ? (first['detail'] ?? first['message'] ?? first['title']) : first;
  const text = said ?? answer['message'];
  return typeof text === 'string' ? text : body.trim();
}

/** The wait that a 429 asks for, in milliseconds: `Retry-After` first, then the reset of the rate limit. */
function rateLimitWait(headers: PlainResponse['headers'], now: Date): number | null {
  const asked = parseRetryAfter(headers.get('retry-after'), now);
  if (asked !== null) return asked;
  const reset = headers.get('ratelimit-reset') ?? headers.get('x-ratelimit-reset');
  if (reset === null || !/^\d+(\.\d+)?$/.test(reset.trim())) return null;
  const seconds = Number(reset);
  return seconds >= EPOCH_SECONDS ? Math.max(0, seconds * 1000 - now.getTime()) : seconds * 1000;
}

function networkError(
  cause: unknown,
  { request, context, timedOut }: Sent & { timedOut: boolean },
): ChargebackError {
  const { connection, quote } = context;
  const about = describeRequest(connection, request);
  if (timedOut) {
    const message = `${about}: no answer within ${connection.timeoutSeconds} s`;
    const fix = `Raise ${connection.settingsPath}.timeout_seconds; the request is made again at the next run.`;
    return new ChargebackError('CB_SOURCE_TIMEOUT', message, { fix });
  }
  return new ChargebackError('CB_SOURCE_UNREACHABLE', `${about}: ${quote(describeCause(cause))}`);
}
