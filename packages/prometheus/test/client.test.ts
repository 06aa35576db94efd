import type { ServerResponse } from 'node:http';
import { ChargebackError } from '@chargeback/plugin-api';
import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, clientFor, matrix, never, NOW, serve, type TestServer } from './support.ts';

const range = {
  expression: 'up',
  start: new Date('2026-02-01T01:00:00Z'),
  end: new Date('2026-02-02T00:00:00Z'),
  stepSeconds: 3600,
};
const apiError = (error: string): string =>
  JSON.stringify({ status: 'error', errorType: 'execution', error });
const good: Answer = { text: matrix([{ metric: { a: 'b' }, values: [[1_769_907_600, '1.5']] }]) };

describe('the Prometheus client', () => {
  let server: TestServer;
  afterEach(() => server?.stop());

  const start = async (...answers: readonly Answer[]): Promise<string> => {
    server = await serve((request) => answers[Math.min(request, answers.length) - 1]!);
    return server.url;
  };
  const failure = async (url: string, connection: object = {}): Promise<ChargebackError> => {
    const error: unknown = await clientFor(url, connection)
      .client.queryRange(range, never())
      .catch((cause: unknown) => cause);
    if (!ChargebackError.isInstance(error)) throw new Error(`expected a coded error, got ${String(error)}`);
    return error;
  };

  it('posts the query below the path prefix and reads the samples', async () => {
    const url = await start(good);
    const answer = await clientFor(`${url}/tenant/one/`).client.queryRange(range, never());
    expect(answer.series).toHaveLength(1);
    expect(answer.series[0]!.labels).toEqual({ a: 'b' });
    expect([...answer.series[0]!.times, ...answer.series[0]!.values]).toEqual([1_769_907_600, 1.5]);
    const [request] = server.requests;
    expect(request!.path).toBe('/tenant/one/api/v1/query_range');
    expect(Object.fromEntries(request!.body)).toEqual({
      query: 'up',
      start: '1769907600',
      end: '1769990400',
      step: '3600',
    });
    expect(request!.authorization).toBeUndefined();
  });

  it('asks for one instant too', async () => {
    const url = await start({
      text: '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2"]}]}}',
    });
    const { series } = await clientFor(url).client.query({ expression: 'up', time: range.start }, never());
    expect(series[0]!.values[0]).toBe(2);
    expect(server.requests[0]!.path).toBe('/api/v1/query');
  });

  it('sends basic and bearer credentials', async () => {
    const url = await start(good);
    await clientFor(url, { auth_type: 'basic', username: 'ü', password: 'p:w' }).client.queryRange(
      range,
      never(),
    );
    await clientFor(url, { auth_type: 'bearer', bearer_token: 'abc' }).client.queryRange(range, never());
    expect(server.requests.map(({ authorization }) => authorization)).toEqual([
      `Basic ${Buffer.from('ü:p:w').toString('base64')}`,
      'Bearer abc',
    ]);
  });

  it.each([408, 425, 429, 500, 502, 503, 504])(
    'tries again after HTTP %d, waiting longer each time',
    async (status) => {
      const url = await start({ status }, { status }, good);
      const { client, waits } = clientFor(url);
      expect((await client.queryRange(range, never())).series).toHaveLength(1);
      expect(waits).toEqual([1000, 2000]);
    },
  );

  it('honours Retry-After in seconds and as a date, within a bound', async () => {
    const date = new Date(NOW.getTime() + 7000).toUTCString();
    const url = await start(
      { status: 429, headers: { 'retry-after': '5' } },
      { status: 503, headers: { 'retry-after': date } },
      { status: 429, headers: { 'retry-after': '86400' } },
      good,
    );
    const { client, waits } = clientFor(url);
    await client.queryRange(range, never());
    expect(waits).toEqual([5000, 7000, 60_000]);
  });

  it('gives up after max_attempts, with the last error', async () => {
    const url = await start({ status: 500 });
    const error = await failure(url, { max_attempts: 3 });
    expect(error).toMatchObject({ code: 'CB_METRICS_SERVER' });
    expect(error.message).toMatch(/after 3 tries/);
    expect(server.requests).toHaveLength(3);
  });

  it.each<[string, Answer, string, number]>([
    ['wrong credentials', { status: 401 }, 'CB_METRICS_AUTH', 1],
    ['a forbidden query', { status: 403 }, 'CB_METRICS_AUTH', 1],
    [
      'a bad query',
      { status: 400, text: '{"status":"error","errorType":"bad_data","error":"parse error: x"}' },
      'CB_METRICS_QUERY',
      1,
    ],
    [
      'an error inside a success',
      { text: '{"status":"error","errorType":"execution","error":"many-to-many"}' },
      'CB_METRICS_QUERY',
      1,
    ],
    [
      'a query that ran out of time',
      { status: 503, text: '{"status":"error","errorType":"timeout","error":"query timed out"}' },
      'CB_METRICS_TIMEOUT',
      1,
    ],
    [
      'a scalar',
      { text: '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}' },
      'CB_METRICS_QUERY',
      1,
    ],
    [
      'a vector',
      {
        text: '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}',
      },
      'CB_METRICS_QUERY',
      1,
    ],
    [
      'native histograms beside numbers',
      { text: matrix([{ metric: {}, values: [[1, '2']], histograms: [[2, {}]] }]) },
      'CB_METRICS_QUERY',
      1,
    ],
    [
      'labels that are no texts',
      { text: matrix([{ metric: { a: 5 }, values: [] }]) },
      'CB_METRICS_ANSWER',
      1,
    ],
    [
      'labels that are no JSON',
      { text: matrix([{ metric: {}, values: [[1, '2']] }]).replace('"metric":{}', '"metric":{x}') },
      'CB_METRICS_ANSWER',
      1,
    ],
    [
      'a sample without a time',
      { text: matrix([{ metric: {}, values: [[null, '2']] }]) },
      'CB_METRICS_ANSWER',
      1,
    ],
    ['a page of a proxy', { text: '<!doctype html><html></html>' }, 'CB_METRICS_ANSWER', 1],
    ['another API', { text: '{"hello":"world"}' }, 'CB_METRICS_ANSWER', 1],
    ['no endpoint', { status: 404, text: 'not found' }, 'CB_METRICS_ANSWER', 1],
    [
      'JSON that breaks off',
      {
        text: '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"],[2',
      },
      'CB_METRICS_ANSWER',
      1,
    ],
    [
      'a redirect',
      { status: 302, headers: { location: 'http://elsewhere.invalid/' } },
      'CB_METRICS_ANSWER',
      1,
    ],
    ['too much rate', { status: 429 }, 'CB_METRICS_RATE_LIMITED', 2],
    ['a connection that breaks', { text: good.text!, truncate: true }, 'CB_METRICS_UNREACHABLE', 2],
  ])('says what is wrong with %s', async (_what, answer, code, requests) => {
    const url = await start(answer);
    const error = await failure(url, { max_attempts: 2 });
    expect(error.code).toBe(code);
    expect(error.message).toContain('query up');
    expect(server.requests).toHaveLength(requests);
  });

  it('names an unreachable server without its credentials', async () => {
    const url = await start(good);
    await server.stop();
    const error = await failure(url, { auth_type: 'bearer', bearer_token: 'canary-secret', max_attempts: 1 });
    expect(error.code).toBe('CB_METRICS_UNREACHABLE');
    expect(error.message).toContain(new URL(url).host);
    expect(error.message).not.toContain('canary');
  });

  it('stops a slow answer at the time-out', async () => {
    const url = await start({ hang: true });
    const error = await failure(url, { timeout_seconds: 1, max_attempts: 1 });
    expect(error.code).toBe('CB_METRICS_TIMEOUT');
    expect(error.message).toMatch(/no answer within 1 s/);
  });

  it('stops at once when asked to, and does not try again', async () => {
    const url = await start({ hang: true });
    const stop = new AbortController();
    const pending = clientFor(url).client.queryRange(range, stop.signal);
    const outcome = pending.catch((error: unknown) => error);
    while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error('enough'));
    expect(await outcome).toMatchObject({ message: 'enough' });
    expect(server.requests).toHaveLength(1);
  });

  it('stops reading an answer beyond the bound, even one without end', async () => {
    let closed = (): void => {};
    const closing = new Promise<void>((resolve) => (closed = resolve));
    const respond = (response: ServerResponse): void => {
      response.on('close', closed);
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    };
    const url = await start({ respond });
    expect(await failure(url, { max_response_bytes: 1_000_000 })).toMatchObject({
      code: 'CB_METRICS_TOO_LARGE',
    });
    await closing;
    expect(server.requests).toHaveLength(1);
  });

  it('sends nothing to the address of a redirect, and names it', async () => {
    const other = await serve(() => good);
    const url = await start({ status: 307, headers: { location: `${other.url}/elsewhere?token=hidden` } });
    const error = await failure(url, { auth_type: 'bearer', bearer_token: 'canary-secret' });
    await other.stop();
    expect(error.code).toBe('CB_METRICS_ANSWER');
    expect(error.message).toContain(`${other.url}/elsewhere`);
    expect(error.message).not.toMatch(/hidden|canary/);
    expect(other.requests).toHaveLength(0);
  });

  it.each<[string, (said: string) => Answer]>([
    ['in the body of an error', (said) => ({ status: 500, text: apiError(said) })],
    ['with a refusal', (said) => ({ status: 401, text: apiError(said) })],
    ['inside a success', (said) => ({ text: apiError(said) })],
  ])('does not repeat credentials that a server repeats %s', async (_where, answer) => {
    const password = 'canary-51-password';
    const pair = Buffer.from(`u:${password}`).toString('base64');
    const connections: [object, string[]][] = [
      [{ auth_type: 'bearer', bearer_token: 'canary-51-token' }, ['canary-51-token']],
      [{ auth_type: 'basic', username: 'u', password }, [password, pair]],
      [{ headers: { 'x-key': 'canary-51-header' } }, ['canary-51-header']],
    ];
    let said = '';
    server = await serve(() => answer(said));
    for (const [connection, secrets] of connections) {
      for (const secret of secrets) {
        // At the beginning, and where a long message is cut: neither the whole nor a piece may stay.
        for (const before of ['', 'x'.repeat(280)]) {
          said = `${before} ${secret} is not known`;
          const { message } = await failure(server.url, { ...connection, max_attempts: 1 });
          expect(message).toContain('***');
          expect(message).not.toContain(secret.slice(0, 5));
          expect(message.length).toBeLessThan(400);
        }
      }
    }
  });

  it('has no more requests in flight than allowed, and no fewer', async () => {
    const url = await start(good);
    let active = 0;
    let most = 0;
    const counted: typeof globalThis.fetch = async (input, init) => {
      active += 1;
      most = Math.max(most, active);
      try {
        return await globalThis.fetch(input, init);
      } finally {
        active -= 1;
      }
    };
    const { client } = clientFor(url, { max_in_flight: 3 }, { createFetch: () => counted });
    await Promise.all(Array.from({ length: 9 }, () => client.queryRange(range, never())));
    expect(most).toBe(3);
    expect(server.requests).toHaveLength(9);
  });

  it('leaves its place to others while it backs off', async () => {
    const url = await start({ status: 503 }, good);
    const order: string[] = [];
    let second: Promise<unknown> = Promise.resolve();
    const sleep = async (): Promise<void> => {
      // With its place held, the other query would never come to an end.
      second = client.queryRange(range, never()).then(() => order.push('second'));
      await second;
    };
    const { client } = clientFor(url, { max_in_flight: 1 }, { sleep });
    await client.queryRange(range, never());
    order.push('first');
    expect(order).toEqual(['second', 'first']);
  });

  it('stops at once while it waits for a place, while it backs off, and in the middle of an answer', async () => {
    const stop = new AbortController();
    const partly = (response: ServerResponse): void => {
      response.writeHead(200);
      response.write('{"status":"success",', () => stop.abort(new Error('enough')));
    };
    const url = await start({ respond: partly });
    const queue = clientFor(url, { max_in_flight: 1, timeout_seconds: 600 }).client;
    const both = [queue.queryRange(range, stop.signal), queue.queryRange(range, stop.signal)];
    const ends = await Promise.allSettled(both);
    expect(ends.map((end) => (end.status === 'rejected' ? (end.reason as Error).message : ''))).toEqual([
      'enough',
      'enough',
    ]);
    expect(server.requests).toHaveLength(1);
  });

  it('lets a caller stop while another one holds the only place', async () => {
    const url = await start({ hang: true });
    const { client } = clientFor(url, { max_in_flight: 1, timeout_seconds: 600 });
    const [holding, waiting] = [new AbortController(), new AbortController()];
    const first = client.queryRange(range, holding.signal).catch(() => 'stopped');
    const second = client.queryRange(range, waiting.signal);
    waiting.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    holding.abort();
    expect(await first).toBe('stopped');
  });

  it('stops a wait between two tries', async () => {
    const url = await start({ status: 503 });
    const stop = new AbortController();
    const sleep = (_milliseconds: number, signal: AbortSignal): Promise<void> => {
      stop.abort(new Error('enough'));
      return Promise.reject(signal.reason);
    };
    const { client } = clientFor(url, {}, { sleep });
    await expect(client.queryRange(range, stop.signal)).rejects.toThrow('enough');
    expect(server.requests).toHaveLength(1);
  });

  it('reads 10 MB of label values', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `${index}-${'é"\\'.repeat(2500)}`);
    const url = await start({
      text: matrix(names.map((name) => ({ metric: { name }, values: [[1, '1']] }))),
    });
    const { series } = await clientFor(url).client.queryRange(range, never());
    expect(series.map(({ labels }) => labels['name'])).toEqual(names);
  });

  it('passes on the warnings of a partial answer', async () => {
    const url = await start({ text: matrix([], { warnings: ['store gone'] }) });
    expect((await clientFor(url).client.queryRange(range, never())).warnings).toEqual(['store gone']);
  });

  it('takes an answer that the server marks as partial for one, and one that it marks as whole for whole', async () => {
    const marked = (isPartial: boolean) => matrix([], { isPartial });
    const partial = await start({ text: marked(true) });
    expect((await clientFor(partial).client.queryRange(range, never())).warnings).toEqual([
      'the server marks its answer as partial',
    ]);
    const whole = await start({ text: marked(false) });
    expect((await clientFor(whole).client.queryRange(range, never())).warnings).toEqual([]);
  });

  it('takes a hint about the query for no warning', async () => {
    const hint = 'PromQL info: metric might not be a counter, name does not end in _total: "x" (1:6)';
    const url = await start({
      text: matrix([], { warnings: [hint, 'PromQL warning: mixed'], infos: [hint] }),
    });
    const { warnings } = await clientFor(url).client.queryRange(range, never());
    expect(warnings).toEqual(['PromQL warning: mixed']);
  });
});
