import {
  createSimulatorFetch,
  type Fault,
  type PrometheusSimulator,
  startPrometheusSimulator,
} from '@chargeback/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askRange, hours, MIDNIGHT, smallModel, totalOf } from './simulator-fixture.ts';

const QUERY = 'sum by (principal) (stored_bytes)';
const FORM = { query: QUERY, start: hours(1).toISOString(), end: hours(3).toISOString(), step: '3600' };

type Ask = (path: string, form?: Record<string, string> | null, init?: RequestInit) => Promise<Response>;

describe.each(['over HTTP', 'in process'] as const)('the API %s', (transport) => {
  let server: PrometheusSimulator;
  let ask: Ask;
  let control: Pick<PrometheusSimulator, 'requests' | 'setFaults'>;

  beforeEach(async () => {
    server = await startPrometheusSimulator({ model: smallModel() });
    const inProcess = createSimulatorFetch(smallModel());
    control = transport === 'over HTTP' ? server : inProcess;
    const send: typeof fetch = transport === 'over HTTP' ? fetch : inProcess;
    ask = (path, form = null, init = {}) =>
      send(server.url + path, form ? { method: 'POST', body: new URLSearchParams(form), ...init } : init);
  });
  afterEach(() => server.stop());

  const errorOf = async (form: Record<string, string>): Promise<unknown> => {
    const response = await ask('/api/v1/query_range', form);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toBe('application/json');
    return await response.json();
  };

  it('answers a range with a matrix', async () => {
    const response = await ask('/api/v1/query_range', FORM);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      status: 'success',
      data: {
        resultType: 'matrix',
        result: [
          {
            metric: { principal: 'a' },
            values: [1, 2, 3].map((hour) => [hours(hour).getTime() / 1000, `${99 + hour}`]),
          },
          {
            metric: { principal: 'b' },
            values: [1, 2, 3].map((hour) => [hours(hour).getTime() / 1000, '0.5']),
          },
        ],
      },
    });
  });

  it('answers an instant with a vector, by GET and by POST', async () => {
    const time = String(hours(2).getTime() / 1000 + 0.25);
    const expected = {
      status: 'success',
      data: { resultType: 'vector', result: [{ metric: {}, value: [Number(time), '102.5'] }] },
    };
    const query = 'sum(stored_bytes)';
    expect(await (await ask('/api/v1/query', { query, time })).json()).toEqual(expected);
    expect(await (await ask(`/api/v1/query?${new URLSearchParams({ query, time })}`)).json()).toEqual(
      expected,
    );
  });

  it('takes an instant without a time for the end of what it holds', async () => {
    const answer = (await (await ask('/api/v1/query', { query: 'sum(stored_bytes)' })).json()) as {
      data: { result: { value: [number, string] }[] };
    };
    expect(answer.data.result[0]!.value).toEqual([hours(48).getTime() / 1000, '147.5']);
  });

  it('says that it is ready and what it is', async () => {
    expect(await (await ask('/-/ready')).text()).toContain('Ready');
    expect(await (await ask('/api/v1/status/buildinfo')).json()).toMatchObject({ status: 'success' });
    expect((await ask('/api/v1/nothing')).status).toBe(404);
    expect((await ask('/api/v1/query', null, { method: 'PUT' })).status).toBe(405);
  });

  it('refuses what a real server refuses, in its words', async () => {
    const refusal = (error: string): unknown => ({ status: 'error', errorType: 'bad_data', error });
    const short = { ...FORM, step: '1', end: hours(5).toISOString() };
    expect(await errorOf(short)).toEqual(
      refusal(
        'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
      ),
    );
    expect(await errorOf({ ...FORM, step: '0' })).toEqual(
      refusal(
        'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
      ),
    );
    expect(await errorOf({ ...FORM, step: 'abc' })).toEqual(
      refusal('invalid parameter "step": cannot parse "abc" to a valid duration'),
    );
    expect(await errorOf({ ...FORM, end: hours(0).toISOString() })).toEqual(
      refusal('invalid parameter "end": end timestamp must not be before start time'),
    );
    expect(await errorOf({ ...FORM, start: '' })).toEqual(
      refusal('invalid parameter "start": cannot parse "" to a valid timestamp'),
    );
    expect(await errorOf({ ...FORM, query: '' })).toEqual(
      refusal('1:1: parse error: no expression found in input'),
    );
  });

  it('answers exactly 11,000 steps', async () => {
    const start = MIDNIGHT / 1000 + 3600;
    const form = { ...FORM, start: String(start), end: String(start + 11_000), step: '1' };
    const response = await ask('/api/v1/query_range', form);
    const { data } = (await response.json()) as { data: { result: { values: unknown[] }[] } };
    expect(data.result[0]!.values).toHaveLength(11_001);
  });

  it('remembers what it was asked', async () => {
    const response = await ask('/api/v1/query_range', FORM, { headers: { authorization: 'Bearer t' } });
    const { length } = await response.text();
    expect(control.requests).toMatchObject([
      {
        number: 1,
        method: 'POST',
        path: '/api/v1/query_range',
        ...FORM,
        time: null,
        status: 200,
        bytes: length,
      },
    ]);
    expect(control.requests[0]!.headers['authorization']).toBe('Bearer t');
  });

  describe('goes wrong on demand', () => {
    const withFaults = (...faults: Fault[]): Promise<Response> => {
      control.setFaults(faults);
      return ask('/api/v1/query_range', FORM);
    };

    it('with a status, and a Retry-After in seconds or as a date', async () => {
      const seconds = await withFaults({ effect: { kind: 'status', status: 429, retryAfter: 7 } });
      expect([seconds.status, seconds.headers.get('retry-after')]).toEqual([429, '7']);
      const date = new Date('2026-03-02T10:00:00Z');
      const later = await withFaults({ effect: { kind: 'status', status: 503, retryAfter: date } });
      expect([later.status, later.headers.get('retry-after')]).toEqual([
        503,
        'Mon, 02 Mar 2026 10:00:00 GMT',
      ]);
      for (const status of [401, 500]) {
        expect((await withFaults({ effect: { kind: 'status', status } })).status).toBe(status);
      }
    });

    it('so many times, and is healed', async () => {
      control.setFaults([
        { times: 2, effect: { kind: 'status', status: 500 } },
        { times: 1, when: ({ number }) => number > 2, effect: { kind: 'status', status: 401 } },
      ]);
      const statuses: number[] = [];
      for (let turn = 0; turn < 4; turn += 1) statuses.push((await ask('/api/v1/query_range', FORM)).status);
      expect(statuses).toEqual([500, 500, 401, 200]);
    });

    it('for the requests that it is meant for', async () => {
      control.setFaults([
        {
          when: ({ query }) => query?.includes('bytes_total') ?? false,
          effect: { kind: 'status', status: 500 },
        },
        { when: ({ path }) => path === '/-/ready', effect: { kind: 'status', status: 503 } },
      ]);
      expect((await ask('/api/v1/query_range', FORM)).status).toBe(200);
      expect((await ask('/api/v1/query_range', { ...FORM, query: 'sum(bytes_total)' })).status).toBe(500);
      expect((await ask('/-/ready')).status).toBe(503);
    });

    it('with a page instead of JSON', async () => {
      const response = await withFaults({ effect: { kind: 'html' } });
      expect(response.status).toBe(200);
      expect(await response.text()).toContain('<html>');
    });

    it('with half an answer', async () => {
      const whole = await (await withFaults()).text();
      const half = await (await withFaults({ effect: { kind: 'truncated' } })).text();
      expect(whole.startsWith(half)).toBe(true);
      expect(() => JSON.parse(half)).toThrow(SyntaxError);
    });

    it('with a broken connection', async () => {
      await expect(withFaults({ times: 1, effect: { kind: 'reset' } })).rejects.toMatchObject({
        cause: { code: 'ECONNRESET' },
      });
      expect(control.requests[0]).toMatchObject({ status: 0, bytes: 0 });
      expect((await ask('/api/v1/query_range', FORM)).status).toBe(200);
    });

    it('with an error in an answer of status 200', async () => {
      const response = await withFaults({
        effect: { kind: 'error', errorType: 'timeout', error: 'query timed out' },
      });
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({
        status: 'error',
        errorType: 'timeout',
        error: 'query timed out',
      });
    });

    it('with values that are not numbers', async () => {
      const response = await withFaults({ effect: { kind: 'values', value: 'NaN', every: 2 } });
      const { data } = (await response.json()) as { data: { result: { values: [number, string][] }[] } };
      const values = data.result.flatMap((series) => series.values.map(([, value]) => value));
      expect(values).toEqual(['100', 'NaN', '102', 'NaN', '0.5', 'NaN']);
    });

    it('with warnings beside a true answer', async () => {
      const response = await withFaults({ effect: { kind: 'warnings', warnings: ['a store is away'] } });
      const answer = (await response.json()) as { warnings: string[]; data: { result: unknown[] } };
      expect(answer.warnings).toEqual(['a store is away']);
      expect(answer.data.result).toHaveLength(2);
    });

    it('late, until the client loses patience', async () => {
      control.setFaults([{ effect: { kind: 'delay', milliseconds: 60_000 } }]);
      const signal = AbortSignal.timeout(20);
      await expect(ask('/api/v1/query_range', FORM, { signal })).rejects.toMatchObject({
        name: 'TimeoutError',
      });
      control.setFaults([{ effect: { kind: 'delay', milliseconds: 5 } }]);
      expect((await ask('/api/v1/query_range', FORM)).status).toBe(200);
    });
  });
});

describe('the server', () => {
  it('serves below a path prefix only, when it has one', async () => {
    const server = await startPrometheusSimulator({ model: smallModel(), pathPrefix: '/metrics-store' });
    try {
      expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics-store$/);
      expect((await fetch(`${server.url}/-/ready`)).status).toBe(200);
      expect((await fetch(new URL('/-/ready', server.url))).status).toBe(404);
    } finally {
      await server.stop();
    }
  });

  it('stops even while an answer is late', async () => {
    const faults: Fault[] = [{ effect: { kind: 'delay', milliseconds: 60_000 } }];
    const server = await startPrometheusSimulator({ model: smallModel(), faults });
    const pending = fetch(`${server.url}/-/ready`).then(
      () => 'answered',
      () => 'broken',
    );
    while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.stop();
    expect(await pending).toBe('broken');
    await expect(fetch(`${server.url}/-/ready`)).rejects.toThrow('fetch failed');
  });
});

describe('the fetch', () => {
  it('takes a Request and an address as well', async () => {
    const send = createSimulatorFetch(smallModel());
    const body = new URLSearchParams(FORM);
    const request = new Request('http://metrics.test/api/v1/query_range', { method: 'POST', body });
    expect((await (await send(request)).json()) as object).toMatchObject({ status: 'success' });
    expect((await send(new URL('http://metrics.test/-/ready'))).ok).toBe(true);
    expect(totalOf(await askRange(send, QUERY, { start: hours(1), end: hours(1) }))).toBe(100.5);
  });

  it('does nothing for a request that is already aborted', async () => {
    const send = createSimulatorFetch(smallModel());
    await expect(send('http://metrics.test/-/ready', { signal: AbortSignal.abort() })).rejects.toThrow(
      'aborted',
    );
    expect(send.requests).toHaveLength(0);
  });
});
