import { ChargebackError } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { listAll } from '../src/http/ccloud-client.ts';
import { type Answer, clientOf, live, NOW, page, SECRET, serve } from './scripted-server.ts';

const USERS = { path: '/iam/v2/users', query: { page_size: 99 } };

/** Serves the given answers in turn, the last one for ever. */
const inTurn =
  (...answers: readonly Answer[]) =>
  (_request: unknown, number: number): Answer =>
    answers[Math.min(number, answers.length) - 1]!;

async function failure(work: Promise<unknown>): Promise<ChargebackError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!ChargebackError.isInstance(error)) throw new Error('it did not fail as it should', { cause: error });
  return error;
}

describe('paging', () => {
  it('copies the page token of the link and asks the address that was asked first', async () => {
    await using server = await serve((request) =>
      request.query.get('page_token') === 'abc123'
        ? page(['c'])
        : page(['a', 'b'], 'https://api.confluent.cloud/iam/v2/users?page_token=abc123'),
    );
    const { client } = clientOf(server.url, { knownOrigins: ['https://api.confluent.cloud'] });
    expect(await listAll(client, USERS, live())).toEqual(['a', 'b', 'c']);
    expect(server.requests.map(({ path, query }) => [path, query.toString()])).toEqual([
      ['/iam/v2/users', 'page_size=99'],
      ['/iam/v2/users', 'page_size=99&page_token=abc123'],
    ]);
  });

  it.each([
    ['a token that repeats', (url: string) => `${url}/iam/v2/users?page_token=same`],
    ['a link to the first page', (url: string) => `${url}/iam/v2/users?page_size=99`],
  ])('stops at %s', async (_what, link) => {
    const links: string[] = [];
    await using server = await serve(() => page(['a'], links[0]));
    links.push(link(server.url));
    const { client } = clientOf(server.url);
    const error = await failure(listAll(client, USERS, live()));
    expect(error.code).toBe('CB_SOURCE_PAGING');
    expect(server.requests.length).toBeLessThanOrEqual(2);
  });

  it('does not carry credentials to another server', async () => {
    await using elsewhere = await serve(() => page([]));
    await using server = await serve(() => page(['a'], `${elsewhere.url}/iam/v2/users?page_token=x`));
    const error = await failure(listAll(clientOf(server.url).client, USERS, live()));
    expect(error.code).toBe('CB_SOURCE_PAGING');
    expect(elsewhere.requests).toEqual([]);
  });

  it('takes data: null for an empty listing and a missing list for an error', async () => {
    await using empty = await serve(() => ({ json: { data: null, metadata: {} } }));
    expect(await listAll(clientOf(empty.url).client, USERS, live())).toEqual([]);
    await using missing = await serve(() => ({ json: {} }));
    const error = await failure(listAll(clientOf(missing.url).client, USERS, live()));
    expect(error.code).toBe('CB_SOURCE_ANSWER');
  });

  it('keeps the path prefix of the base URL', async () => {
    await using server = await serve(() => page([]));
    await listAll(clientOf(`${server.url}/proxy/`).client, USERS, live());
    expect(server.requests[0]?.path).toBe('/proxy/iam/v2/users');
  });
});

describe('tries', () => {
  it.each([408, 425, 429, 500, 502, 503, 504])('mend HTTP %i', async (status) => {
    await using server = await serve(inTurn({ status }, { status }, page(['a'])));
    expect(await listAll(clientOf(server.url).client, USERS, live())).toEqual(['a']);
  });

  it('mend an answer that broke off, and one that is not whole', async () => {
    await using server = await serve(
      inTurn({ text: '{"data":[', truncate: true }, { text: '{"data":["a"' }, page(['a'])),
    );
    expect(await listAll(clientOf(server.url).client, USERS, live())).toEqual(['a']);
  });

  it('mend a connection that is refused, and tell when it stays so', async () => {
    const server = await serve(() => page([]));
    await server[Symbol.asyncDispose]();
    const { client, sleeps } = clientOf(server.url, { maxAttempts: 3 });
    const error = await failure(listAll(client, USERS, live()));
    expect(error.code).toBe('CB_SOURCE_UNREACHABLE');
    expect(error.message).toContain('after 3 tries');
    // Doubling from two seconds, half a second of spread, and no wait after the last try.
    expect(sleeps).toEqual([2500, 4500]);
  });

  it('are bounded: six 429 in a row are an error after six requests', async () => {
    await using server = await serve(() => ({ status: 429 }));
    const error = await failure(listAll(clientOf(server.url).client, USERS, live()));
    expect(error.code).toBe('CB_SOURCE_RATE_LIMITED');
    expect(server.requests).toHaveLength(6);
  });

  it.each([
    [400, 'CB_SOURCE_REQUEST'],
    [401, 'CB_SOURCE_AUTH'],
    [403, 'CB_SOURCE_FORBIDDEN'],
    [404, 'CB_SOURCE_NOT_FOUND'],
    [302, 'CB_SOURCE_ANSWER'],
  ])('are not spent on HTTP %i: %s', async (status, code) => {
    await using server = await serve(() => ({ status, headers: { location: 'http://elsewhere.example/' } }));
    expect((await failure(listAll(clientOf(server.url).client, USERS, live()))).code).toBe(code);
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    // Reference vector 40: a reset as a point in time, one that has passed, and Retry-After before both.
    [
      'x-ratelimit-reset 60 s ahead',
      { 'x-ratelimit-reset': String(NOW.getTime() / 1000 + 60) },
      66_000,
      72_000,
    ],
    ['x-ratelimit-reset 10 s ago', { 'x-ratelimit-reset': String(NOW.getTime() / 1000 - 10) }, 1100, 1200],
    [
      'retry-after before a far reset',
      { 'retry-after': '30', 'x-ratelimit-reset': String(NOW.getTime() / 1000 + 9999) },
      33_000,
      36_000,
    ],
    ['x-ratelimit-reset in seconds', { 'x-ratelimit-reset': '20' }, 22_000, 24_000],
    ['ratelimit-reset in seconds', { 'ratelimit-reset': '5' }, 5500, 6000],
    [
      'retry-after as an HTTP date',
      { 'retry-after': new Date(NOW.getTime() + 40_000).toUTCString() },
      44_000,
      48_000,
    ],
    ['retry-after of a day, which is cut', { 'retry-after': '86400' }, 120_000, 120_000],
  ])('wait as the server asks: %s', async (_what, headers, least, most) => {
    for (const random of [0, 0.999]) {
      await using server = await serve(inTurn({ status: 429, headers }, page([])));
      const { client, sleeps } = clientOf(server.url, { random });
      await listAll(client, USERS, live());
      expect(sleeps[0]).toBeGreaterThanOrEqual(least);
      expect(sleeps[0]).toBeLessThanOrEqual(most);
    }
  });
});

describe('limits', () => {
  it('spaces requests once the burst is used up', async () => {
    await using server = await serve(() => page([]));
    const { client, sleeps } = clientOf(server.url, { requestsPerSecond: 2 });
    for (let request = 0; request < 12; request += 1) await listAll(client, USERS, live());
    // Ten at once, then one every half second.
    expect(sleeps).toEqual([500, 500]);
  });

  it('keeps no more requests in flight than allowed', async () => {
    let [inFlight, most] = [0, 0];
    await using server = await serve(() => page([]));
    const counting: typeof fetch = async (...request) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      const response = await fetch(...request);
      inFlight -= 1;
      return response;
    };
    const { client } = clientOf(server.url, { maxInFlight: 2 }, counting);
    await Promise.all(Array.from({ length: 9 }, () => listAll(client, USERS, live())));
    expect(most).toBe(2);
  });

  it('reads no more than the allowed bytes', async () => {
    await using server = await serve(() => page(['x'.repeat(5000)]));
    const { client } = clientOf(server.url, { maxResponseBytes: 1024 });
    expect((await failure(listAll(client, USERS, live()))).code).toBe('CB_SOURCE_TOO_LARGE');
  });

  it('gives up on a server that does not answer in time', async () => {
    await using server = await serve(() => ({ hang: true }));
    const { client } = clientOf(server.url, { timeoutSeconds: 0.05, maxAttempts: 2 });
    expect((await failure(listAll(client, USERS, live()))).code).toBe('CB_SOURCE_TIMEOUT');
  });

  it('stops at once when the run is stopped', async () => {
    await using server = await serve(() => ({ hang: true }));
    const stop = new AbortController();
    const work = listAll(clientOf(server.url).client, USERS, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(work).rejects.toThrow('stopped');
  });
});

describe('secrets', () => {
  it('never reach a message, however the server repeats them', async () => {
    const pair = Buffer.from(`KEY:${SECRET}`).toString('base64');
    for (const status of [400, 401, 403, 500]) {
      await using server = await serve((request) => ({
        status,
        json: { errors: [{ detail: `got ${request.authorization} and ${SECRET}` }] },
      }));
      const error = await failure(listAll(clientOf(server.url, { maxAttempts: 1 }).client, USERS, live()));
      expect(server.requests[0]?.authorization).toBe(`Basic ${pair}`);
      for (const secret of [SECRET, pair]) {
        expect(`${error.message} ${error.fix} ${String(error.stack)}`).not.toContain(secret);
      }
      expect(error.message).toContain('got Basic ***');
    }
  });
});

describe('numbers', () => {
  it('come as their source text where asked', async () => {
    const text =
      '{"data":[{"amount":0.10000000000000000001,"n":1e2,"bad":NaN,"said":"a NaN, \\"Infinity\\""}]}';
    await using server = await serve(() => ({ text }));
    const [row] = await listAll(clientOf(server.url).client, { ...USERS, exactNumbers: true }, live());
    expect(row).toEqual({
      amount: '0.10000000000000000001',
      n: '1e2',
      bad: 'NaN',
      said: 'a NaN, "Infinity"',
    });
  });
});
