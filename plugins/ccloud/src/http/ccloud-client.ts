import type { PluginHost } from '@chargeback/plugin-api';
import { createRetrier, quoteWithout, type RetryableFailure } from '@chargeback/prometheus';
import type { CcloudConnection, CcloudPostRequest, CcloudRequest, Query } from './ccloud-request.ts';
import { pageOf, PageWalk } from './page-walk.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './parse-json.ts';
import { sendRequest, unusableAnswer } from './send-request.ts';
import { createTokenBucket } from './token-bucket.ts';

/** Speaks to one API. Every method throws `CB_SOURCE_` errors, and the signal's reason when it aborts. */
export interface CcloudClient {
  /** The items of a listing, page by page, following `metadata.next`. */
  getAll(request: CcloudRequest, signal: AbortSignal): AsyncIterable<readonly JsonValue[]>;
  /** A whole answer that is not a listing. */
  get(request: CcloudRequest, signal: AbortSignal): Promise<JsonObject>;
  /** One answer to a query; paging is the caller's. */
  post(request: CcloudPostRequest, signal: AbortSignal): Promise<JsonObject>;
}

export type CcloudHost = Pick<PluginHost, 'createFetch' | 'clock' | 'random' | 'sleep' | 'logger'>;

const BURST = 10;
const FIRST_BACK_OFF = 2000;
const BACK_OFF_SPREAD = 1000;
const SHORTEST_ASKED_WAIT = 1000;
/** Neither back-off nor a server's Retry-After makes a try wait longer. */
const LONGEST_WAIT = 120_000;

export function createCcloudClient(connection: CcloudConnection, host: CcloudHost): CcloudClient {
  const { key, secret, caFile } = connection;
  const fetch = host.createFetch(caFile === undefined ? {} : { caFile });
  const pair = Buffer.from(`${key}:${secret}`, 'utf8').toString('base64');
  const quote = quoteWithout([secret, pair, encodeURIComponent(secret)]);
  const bucket = createTokenBucket({ perSecond: connection.requestsPerSecond, burst: BURST }, () =>
    host.clock().getTime(),
  );
  const retry = createRetrier(
    {
      maxInFlight: connection.maxInFlight,
      maxAttempts: connection.maxAttempts,
      waitAfter: (failure, attempt) => {
        const wait = waitAfter(failure, attempt, host.random());
        // Who is told to slow down speaks for all requests to this API.
        if (failure.error.code === 'CB_SOURCE_RATE_LIMITED') bucket.pause(wait);
        return wait;
      },
    },
    host,
  );
  const ask = (request: CcloudRequest, post: { body: unknown } | null, signal: AbortSignal) => {
    const context = {
      connection,
      authorization: `Basic ${pair}`,
      fetch,
      quote,
      signal,
      now: () => host.clock(),
    };
    return retry(async () => {
      const wait = bucket.take();
      if (wait > 0) await host.sleep(wait, signal);
      return sendRequest(request, post, context);
    }, signal);
  };
  const askForObject = async (
    request: CcloudRequest,
    post: { body: unknown } | null,
    signal: AbortSignal,
  ): Promise<JsonObject> => {
    const answer = await ask(request, post, signal);
    if (!isJsonObject(answer)) throw unusableAnswer(connection, request, 'it is not a JSON object');
    return answer;
  };
  return {
    get: (request, signal) => askForObject(request, null, signal),
    post: ({ body, ...request }, signal) => askForObject(request, { body }, signal),
    async *getAll(request, signal) {
      const walk = new PageWalk(connection, request);
      for (let query: Query | null = request.query ?? {}; query !== null;) {
        walk.enter(query);
        const page = pageOf(await askForObject({ ...request, query }, null, signal), connection, request);
        yield page.items;
        query = page.next === null ? null : walk.queryOf(page.next, query);
      }
    },
  };
}

/**
 * A server that names a time is believed, with some time on top so that the tries of many clients do not meet
 * again; otherwise the wait doubles with each try.
 */
function waitAfter({ retryAfter }: RetryableFailure, attempt: number, random: number): number {
  const wait =
    retryAfter === null
      ? FIRST_BACK_OFF * 2 ** (attempt - 1) + BACK_OFF_SPREAD * random
      : Math.max(retryAfter, SHORTEST_ASKED_WAIT) * (1.1 + random / 10);
  return Math.min(wait, LONGEST_WAIT);
}

/** Reads a whole listing. */
export async function listAll(
  client: CcloudClient,
  request: CcloudRequest,
  signal: AbortSignal,
): Promise<JsonValue[]> {
  const all: JsonValue[] = [];
  for await (const items of client.getAll(request, signal)) for (const item of items) all.push(item);
  return all;
}
