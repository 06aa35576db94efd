import { ChargebackError } from '@chargeback/plugin-api';
import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, clientFor, matrix, never, NOW, serve, type TestServer } from './support.ts';

const range = {
  expression: 'up',
  start: new Date('2026-02-01T01:00:00Z'),
  end: new Date('2026-02-02T00:00:00Z'),
  stepSeconds: 3600,
};
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

  it('stops reading an answer beyond the bound', async () => {
    const url = await start({ text: matrix([{ metric: { a: 'x'.repeat(5000) }, values: [] }]) });
    expect(await failure(url, { max_response_bytes: 4096 })).toMatchObject({ code: 'CB_METRICS_TOO_LARGE' });
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
});
