import type { MetricsSource } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { createMetrics, metricsSettingsSchema } from '../src/usage/create-metrics.ts';
import { host } from './products-support.ts';
import { ask, days, type Point, queriesOf, serveMetricsApi, totalsOf } from './usage-support.ts';

const NOW = new Date('2026-02-08T12:30:00Z');
const SECRET = 'canary-s3cret';

function sourceOf(url: string, settings: object = {}, now = NOW): MetricsSource {
  const metrics = metricsSettingsSchema.parse({
    type: 'ccloud_metrics_api',
    base_url: url,
    max_attempts: 2,
    requests_per_second: 100,
    ...settings,
  });
  const fetch: typeof globalThis.fetch = (...request) => globalThis.fetch(...request);
  const source = createMetrics(
    { metrics, ccloud_api: { key: 'CLOUD', secret: SECRET } },
    host({ clock: () => now, createFetch: () => fetch }),
  );
  if (!source) throw new Error('no source');
  return source;
}

const kafka = (cluster: string, principal: string, timestamp: string, value: string): Point => ({
  labels: { 'resource.kafka.id': cluster, 'metric.principal_id': principal },
  timestamp,
  value,
});

const flink = (pool: string, statement: string, value: string): Point => ({
  labels: { 'resource.compute_pool.id': pool, 'resource.flink_statement.name': statement },
  timestamp: '2026-02-06T03:00:00Z',
  value,
});

const TRAFFIC = [
  kafka('lkc-1', 'sa-2', '2026-02-06T00:00:00Z', '100'),
  kafka('lkc-1', 'sa-2', '2026-02-06T23:00:00Z', '0.5'),
  kafka('lkc-1', 'sa-1', '2026-02-06T05:00:00Z', '7'),
  kafka('lkc-2', 'sa-1', '2026-02-06T05:00:00Z', '0'),
  kafka('lkc-1', 'sa-1', '2026-02-07T00:00:00Z', '9'),
];
const REQUESTS = 'io.confluent.kafka.server/request_bytes';
const DAY = '2026-02-06';

const onlyRequests = (metric: string) => (metric === REQUESTS ? TRAFFIC : []);
const bytesIn = queriesOf('ccloud_metrics_api', ['bytes_in']);

describe('usage from the Metrics API', () => {
  it.each([
    ['flat', false],
    ['grouped', true],
  ])('adds up hours by cluster and principal, from %s answers', async (_shape, grouped) => {
    await using server = await serveMetricsApi(onlyRequests, { grouped });
    const answered = await ask(sourceOf(server.url), bytesIn, days('2026-02-05', 3));
    expect([...answered.keys()]).toEqual(
      ['2026-02-05', '2026-02-06', '2026-02-07'].map((day) => `${day} bytes_in`),
    );
    const day = answered.get(`${DAY} bytes_in`)!;
    expect(totalsOf(day)).toEqual(['lkc-1 sa-1 7', 'lkc-1 sa-2 100.5', 'lkc-2 sa-1 0']);
    expect(day).toMatchObject({
      outcome: 'complete',
      coverage: { samplesSeen: 24, samplesExpected: 24 },
      problems: [],
    });
    // Nothing was sent on that day: that is no outage.
    expect(answered.get('2026-02-05 bytes_in')).toMatchObject({
      outcome: 'complete',
      totals: { values: [] },
    });
  });

  it('asks by hour, principal and cluster, once per metric and day whatever the number of clusters', async () => {
    await using server = await serveMetricsApi(() => []);
    await ask(sourceOf(server.url), queriesOf('ccloud_metrics_api', ['bytes_in', 'bytes_out']), days(DAY, 2));
    expect(server.requests).toHaveLength(4);
    expect(server.requests[0]).toMatchObject({
      groupBy: ['resource.kafka.id', 'metric.principal_id'],
      granularity: 'PT1H',
      limit: 1000,
      start: new Date(`${DAY}T00:00:00Z`),
      end: new Date('2026-02-07T00:00:00Z'),
      authorization: `Basic ${btoa(`CLOUD:${SECRET}`)}`,
    });
  });

  it('has a key of its own when it is given one', async () => {
    await using server = await serveMetricsApi(() => []);
    await ask(sourceOf(server.url, { key: 'VIEWER', secret: 'other' }), bytesIn, days(DAY, 1));
    expect(server.requests[0]?.authorization).toBe(`Basic ${btoa('VIEWER:other')}`);
  });

  it('follows pages until there are no more', async () => {
    const many = Array.from({ length: 2500 }, (_, index) =>
      kafka('lkc-1', `sa-${String(index).padStart(4, '0')}`, `${DAY}T01:00:00Z`, '1'),
    );
    await using server = await serveMetricsApi(() => many);
    const day = (await ask(sourceOf(server.url), bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day.totals.identityIds).toHaveLength(2500);
    expect(new Set(day.totals.values)).toEqual(new Set([1]));
    expect(server.requests.map(({ token }) => token)).toEqual([null, '1000', '2000']);
  });

  it('begins a listing anew when its page token expires, and counts nothing twice', async () => {
    const many = Array.from({ length: 1500 }, (_, index) =>
      kafka('lkc-1', `sa-${index}`, `${DAY}T01:00:00Z`, '1'),
    );
    await using server = await serveMetricsApi(() => many, {
      react: (_request, number) =>
        number === 2 ? { status: 400, body: '{"errors":[{"detail":"token expired"}]}' } : null,
    });
    const day = (await ask(sourceOf(server.url), bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day.outcome).toBe('complete');
    expect(day.totals.values.reduce((sum, value) => sum + value, 0)).toBe(1500);
    expect(server.requests.map(({ token }) => token)).toEqual([null, '1000', null, '1000']);
  });

  it('does not go round in circles', async () => {
    const body = '{"data":[],"meta":{"pagination":{"page_size":1,"next_page_token":"again"}}}';
    await using server = await serveMetricsApi(() => [], { react: () => ({ status: 200, body }) });
    const day = (await ask(sourceOf(server.url), bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day).toMatchObject({
      outcome: 'failed',
      problems: [{ code: 'CB_SOURCE_PAGING', severity: 'error' }],
    });
    expect(server.requests.length).toBeLessThan(6);
  });
});

describe('what the Metrics API no longer keeps', () => {
  it('is not asked for: the days are failed, those at the edge partial, and it is said once', async () => {
    await using server = await serveMetricsApi(onlyRequests);
    const queries = queriesOf('ccloud_metrics_api', ['bytes_in', 'bytes_out']);
    const answered = await ask(sourceOf(server.url), queries, days('2026-01-20', 20));
    expect(answered.get('2026-01-31 bytes_in')).toMatchObject({
      outcome: 'failed',
      coverage: { samplesSeen: 0, samplesExpected: 24 },
      totals: { identityIds: [] },
    });
    // 12:30 seven days ago: the eleven whole hours after it are left.
    expect(answered.get('2026-02-01 bytes_in')).toMatchObject({
      outcome: 'partial',
      coverage: { samplesSeen: 11 },
    });
    expect(answered.get('2026-02-02 bytes_in')?.outcome).toBe('complete');
    // Today: until noon.
    expect(answered.get('2026-02-08 bytes_in')).toMatchObject({
      outcome: 'partial',
      coverage: { samplesSeen: 12 },
    });
    const problems = [...answered.values()].flatMap((day) => day.problems);
    expect(problems.map(({ code, severity, message }) => [code, severity, message.slice(0, 24)])).toEqual([
      ['CB_METRICS_PARTIAL', 'warning', '2026-01-20 to 2026-01-31'],
    ]);
    expect(Math.min(...server.requests.map(({ start }) => start.getTime()))).toBe(
      Date.parse('2026-02-01T13:00:00Z'),
    );
  });
});

describe('answers that are not whole', () => {
  it('an answer of 60 000 points is taken for truncated', async () => {
    const points = Array.from({ length: 60_000 }, (_, index) =>
      kafka('lkc-1', `sa-${index}`, `${DAY}T01:00:00Z`, '1'),
    );
    const body = `{"data":[${points
      .map(
        ({ labels, timestamp, value }) =>
          `${JSON.stringify({ ...labels, timestamp }).slice(0, -1)},"value":${value}}`,
      )
      .join(',')}]}`;
    await using server = await serveMetricsApi(() => [], { react: () => ({ status: 200, body }) });
    const day = (await ask(sourceOf(server.url), bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day).toMatchObject({
      outcome: 'partial',
      coverage: { samplesSeen: 23 },
      problems: [{ code: 'CB_METRICS_PARTIAL', message: expect.stringContaining('60000') }],
    });
  });

  it('points that are no usable number are set aside and lower the coverage', async () => {
    const points = [
      kafka('lkc-1', 'sa-1', `${DAY}T01:00:00Z`, 'NaN'),
      kafka('lkc-1', 'sa-1', `${DAY}T02:00:00Z`, '-5'),
      kafka('lkc-1', 'sa-2', `${DAY}T02:00:00Z`, 'null'),
      kafka('lkc-1', 'sa-1', `${DAY}T03:00:00Z`, '5'),
    ];
    await using server = await serveMetricsApi(() => points);
    const day = (await ask(sourceOf(server.url), bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(totalsOf(day)).toEqual(['lkc-1 sa-1 5']);
    expect(day).toMatchObject({ outcome: 'partial', coverage: { samplesSeen: 22 } });
    expect(day.problems).toMatchObject([
      { code: 'CB_METRICS_SAMPLE', message: expect.stringContaining('3 points') },
    ]);
  });

  it.each([
    [
      'an answer in which no point names anybody',
      `{"data":[{"resource.kafka.id":"lkc-1","timestamp":"${DAY}T01:00:00Z","value":1}]}`,
      'CB_METRICS_LABEL',
    ],
    [
      'a point outside the hours',
      `{"data":[{"resource.kafka.id":"lkc-1","metric.principal_id":"sa","timestamp":"2020-01-01T01:00:00Z","value":1}]}`,
      'CB_SOURCE_ANSWER',
    ],
    ['no list', '{"data":{}}', 'CB_SOURCE_ANSWER'],
    ['no data', '{}', 'CB_SOURCE_ANSWER'],
    ['half an answer', '{"data":[', 'CB_SOURCE_ANSWER'],
  ])('%s fails the day, not its neighbours', async (_what, body, code) => {
    await using server = await serveMetricsApi(onlyRequests, {
      react: ({ start }) =>
        start.getTime() === Date.parse(`${DAY}T00:00:00Z`) ? { status: 200, body } : null,
    });
    const answered = await ask(sourceOf(server.url), bytesIn, days(DAY, 2));
    expect(answered.get(`${DAY} bytes_in`)).toMatchObject({
      outcome: 'failed',
      problems: [{ code, severity: 'error' }],
    });
    expect(answered.get('2026-02-07 bytes_in')?.outcome).toBe('complete');
  });

  const nameless = (labels: Point['labels'], hour: string, value: string): Point => ({
    labels,
    timestamp: `${DAY}T${hour}:00:00Z`,
    value,
  });

  it.each([
    ['flat', false],
    ['grouped', true],
  ])(
    'usage of nobody stays with its cluster, goes to UNALLOCATED and is counted; nobody else is touched (%s)',
    async (_shape, grouped) => {
      const points = [
        ...TRAFFIC,
        nameless({ 'resource.kafka.id': 'lkc-1' }, '01', '40'),
        nameless({ 'resource.kafka.id': 'lkc-1', 'metric.principal_id': '' }, '02', '2'),
      ];
      await using server = await serveMetricsApi((metric) => (metric === REQUESTS ? points : []), {
        grouped,
      });
      const answered = await ask(sourceOf(server.url), bytesIn, days(DAY, 2));
      const day = answered.get(`${DAY} bytes_in`)!;
      expect(totalsOf(day)).toEqual([
        'lkc-1 UNALLOCATED 42',
        'lkc-1 sa-1 7',
        'lkc-1 sa-2 100.5',
        'lkc-2 sa-1 0',
      ]);
      expect(day).toMatchObject({ outcome: 'complete', coverage: { samplesSeen: 24 } });
      expect(day.problems.map(({ code, severity, message }) => [code, severity, message])).toEqual([
        [
          'CB_METRICS_LABEL',
          'warning',
          'bytes_in: points without metric.principal_id: 2, their usage goes to UNALLOCATED',
        ],
      ]);
      expect(answered.get('2026-02-07 bytes_in')?.problems).toEqual([]);
    },
  );

  it.each([
    ['8', 'partial', 23],
    ['0', 'complete', 24],
  ])('usage of no cluster (%s bytes) is missing from one: the day is %s', async (value, outcome, seen) => {
    const points = [...TRAFFIC, nameless({ 'metric.principal_id': 'sa-1' }, '03', value)];
    await using server = await serveMetricsApi((metric) => (metric === REQUESTS ? points : []));
    const answered = await ask(sourceOf(server.url), bytesIn, days(DAY, 2));
    const day = answered.get(`${DAY} bytes_in`)!;
    expect(totalsOf(day)[0]).toBe(`UNALLOCATED sa-1 ${value}`);
    expect(day).toMatchObject({ outcome, coverage: { samplesSeen: seen, samplesExpected: 24 } });
    expect(day.problems).toMatchObject([
      {
        code: 'CB_METRICS_LABEL',
        severity: 'warning',
        message:
          'bytes_in: points without resource.kafka.id: 1, they take part in no split and the day is not whole',
      },
    ]);
    expect(answered.get('2026-02-07 bytes_in')).toMatchObject({ outcome: 'complete', problems: [] });
  });

  it.each([
    [401, 'CB_SOURCE_AUTH'],
    [403, 'CB_SOURCE_FORBIDDEN'],
  ])('HTTP %i is met once, and the secret stays secret', async (status, code) => {
    const body = JSON.stringify({ errors: [{ detail: `no, ${SECRET}` }] });
    await using server = await serveMetricsApi(() => [], { react: () => ({ status, body }) });
    const answered = await ask(sourceOf(server.url), bytesIn, days('2026-02-03', 4));
    expect([...answered.values()].map(({ outcome }) => outcome)).toEqual(Array(4).fill('failed'));
    expect(server.requests).toHaveLength(1);
    const told = JSON.stringify([...answered.values()]);
    expect(told).toContain(code);
    expect(told).not.toContain(SECRET);
  });
});

describe('CFUs of Flink statements', () => {
  const queries = queriesOf('ccloud_metrics_api', ['flink_cfu']);
  const metrics: Record<string, Point[]> = {
    'io.confluent.flink/num_cfu': [flink('lfcp-1', 'a', '3'), flink('lfcp-1', 'b', '0')],
    'io.confluent.flink/statement_utilization/cfu_minutes_consumed': [
      flink('lfcp-1', 'a', '180'),
      flink('lfcp-2', 'c', '60'),
    ],
    'io.confluent.flink/statement_utilization/current_cfus': [
      flink('lfcp-2', 'c', '1'),
      flink('lfcp-3', 'd', '2'),
    ],
  };

  it('come from the first metric that speaks of a pool', async () => {
    await using server = await serveMetricsApi((metric) => metrics[metric] ?? null);
    const day = (await ask(sourceOf(server.url), queries, days(DAY, 1))).get(`${DAY} flink_cfu`)!;
    expect(totalsOf(day)).toEqual(['lfcp-1 a 3', 'lfcp-1 b 0', 'lfcp-2 c 60', 'lfcp-3 d 2']);
    expect(day.outcome).toBe('complete');
  });

  it('a metric that the organization does not have says nothing and is asked for once', async () => {
    const last = 'io.confluent.flink/statement_utilization/current_cfus';
    await using server = await serveMetricsApi((metric) => (metric === last ? metrics[last]! : null));
    const answered = await ask(sourceOf(server.url), queries, days('2026-02-05', 3));
    const day = answered.get(`${DAY} flink_cfu`)!;
    expect(totalsOf(day)).toEqual(['lfcp-2 c 1', 'lfcp-3 d 2']);
    expect(day).toMatchObject({ outcome: 'complete', problems: [] });
    expect(server.requests).toHaveLength(2 + 3);
  });

  it('when every metric is refused, the day is failed and the reason is told', async () => {
    await using server = await serveMetricsApi(() => null);
    const answered = await ask(sourceOf(server.url), queries, days('2026-02-05', 3));
    for (const day of answered.values()) {
      expect(day).toMatchObject({
        outcome: 'failed',
        problems: [{ code: 'CB_SOURCE_REQUEST', severity: 'warning', date: day.date, path: 'flink_cfu' }],
      });
    }
    expect(answered.size).toBe(3);
    expect(server.requests).toHaveLength(3);
  });

  it.each([
    ['the best metric', 'num_cfu', ['lfcp-1 a 180', 'lfcp-2 c 60', 'lfcp-3 d 2']],
    ['a fallback', 'cfu_minutes_consumed', ['lfcp-1 a 3', 'lfcp-1 b 0', 'lfcp-2 c 1', 'lfcp-3 d 2']],
  ])(
    'while %s cannot be asked the day is not whole, whatever the others say',
    async (_what, name, totals) => {
      await using server = await serveMetricsApi((metric) => metrics[metric] ?? null, {
        react: ({ metric }) => (metric.endsWith(name) ? { status: 503, body: '' } : null),
      });
      const day = (await ask(sourceOf(server.url), queries, days(DAY, 1))).get(`${DAY} flink_cfu`)!;
      expect(totalsOf(day)).toEqual(totals);
      expect(day).toMatchObject({
        outcome: 'partial',
        coverage: { samplesSeen: 23, samplesExpected: 24 },
        problems: [{ code: 'CB_SOURCE_SERVER', severity: 'error', date: DAY }],
      });
    },
  );

  it('unusable points of a metric are not made good by the next one', async () => {
    const spoilt: typeof metrics = {
      ...metrics,
      'io.confluent.flink/num_cfu': [flink('lfcp-1', 'a', 'NaN')],
    };
    await using server = await serveMetricsApi((metric) => spoilt[metric] ?? null);
    const day = (await ask(sourceOf(server.url), queries, days(DAY, 1))).get(`${DAY} flink_cfu`)!;
    expect(day).toMatchObject({
      outcome: 'partial',
      coverage: { samplesSeen: 23 },
      problems: [{ code: 'CB_METRICS_SAMPLE' }],
    });
  });

  it('without an answer of a metric that may know more, the day is failed rather than empty', async () => {
    await using server = await serveMetricsApi(() => [], {
      react: ({ metric }) => (metric.endsWith('current_cfus') ? { status: 500, body: '' } : null),
    });
    const day = (await ask(sourceOf(server.url), queries, days(DAY, 1))).get(`${DAY} flink_cfu`)!;
    expect(day).toMatchObject({
      outcome: 'failed',
      queryKey: 'flink_cfu',
      problems: [{ code: 'CB_SOURCE_SERVER' }],
    });
  });
});

it('an abort ends it at once', async () => {
  await using server = await serveMetricsApi(() => []);
  const abort = new AbortController();
  abort.abort(new Error('stop'));
  const usage = sourceOf(server.url).usage(bytesIn, days(DAY, 1), abort.signal);
  await expect(usage[Symbol.asyncIterator]().next()).rejects.toThrow('stop');
});
