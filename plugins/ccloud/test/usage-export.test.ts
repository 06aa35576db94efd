import type { MetricsSource } from '@chargeback/plugin-api';
import {
  createMetricsModel,
  createSimulatorFetch,
  type MetricDefinition,
  type MetricsModelOptions,
  type RealPrometheus,
  requireReal,
  type SimulatorFetch,
  startRealPrometheus,
  toOpenMetrics,
} from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMetrics, metricsSettingsSchema } from '../src/usage/create-metrics.ts';
import { host } from './products-support.ts';
import { ask, days, queriesOf, totalsOf } from './usage-support.ts';

const FEBRUARY = days('2026-02-01', 4);
const FIRST_HOUR = FEBRUARY.start.getTime() / 3_600_000;
const DAY = '2026-02-02';
const REQUESTS = 'confluent_kafka_server_request_bytes';
const SCRAPE = 'confluent_scrape_resource_access_error';

function sourceAt(url: string, fetch: typeof globalThis.fetch): MetricsSource {
  const metrics = metricsSettingsSchema.parse({ url, max_attempts: 1 });
  const source = createMetrics(
    { metrics, ccloud_api: { key: 'k', secret: 's' } },
    host({ createFetch: () => fetch }),
  );
  if (!source) throw new Error('no source');
  return source;
}

function simulated(
  metrics: readonly MetricDefinition[],
  options: Partial<MetricsModelOptions> = {},
): { source: MetricsSource; fetch: SimulatorFetch } {
  // One sample a minute, as the export is scraped.
  const model = createMetricsModel({ window: FEBRUARY, metrics, sampleSeconds: 60, ...options });
  const fetch = createSimulatorFetch(model);
  return { source: sourceAt('http://prometheus.test.invalid', fetch), fetch };
}

type Value = (hour: number) => number;

const traffic = (
  kafkaId: string,
  principal: string,
  perMinute: Value,
  more: { starts?: Date; ends?: Date } = {},
) => ({
  labels: { kafka_id: kafkaId, principal_id: principal, type: 'Produce' },
  at: (hour: number) => perMinute(hour - FIRST_HOUR),
  ...more,
});

const gauge = (name: string, series: MetricDefinition['series']): MetricDefinition => ({
  name,
  kind: 'gauge',
  series,
});

const scraped = (resourceType: string, value = 0): MetricDefinition =>
  gauge(SCRAPE, [{ labels: { resource_id: 'one', resource_type: resourceType }, at: () => value }]);

const bytesIn = queriesOf('prometheus', ['bytes_in']);

describe('usage from a Prometheus that scrapes the export', () => {
  it('adds up what each minute brought, by cluster and principal, in one query for all clusters', async () => {
    const series = Array.from({ length: 30 }, (_, index) => traffic(`lkc-${index}`, 'sa-1', () => index));
    const { source, fetch } = simulated([
      gauge(REQUESTS, [
        ...series,
        {
          ...traffic('lkc-5', 'sa-1', () => 100),
          labels: { kafka_id: 'lkc-5', principal_id: 'sa-1', type: 'Fetch' },
        },
      ]),
    ]);
    const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day).toMatchObject({ outcome: 'complete', coverage: { samplesSeen: 24, samplesExpected: 24 } });
    const totals = new Map(totalsOf(day).map((text) => [text.split(' ')[0], Number(text.split(' ')[2])]));
    expect(totals.get('lkc-7')).toBe(7 * 24 * 60);
    expect(totals.get('lkc-5')).toBe(105 * 24 * 60);
    const usageRequests = fetch.requests.filter(({ query }) => query?.includes('sum_over_time'));
    expect(usageRequests).toHaveLength(1);
    expect(fetch.requests.length).toBeLessThanOrEqual(3);
  });

  it('counts an hour without samples as an outage, but as quiet when the export was scraped in it', async () => {
    const ends = new Date(`${DAY}T20:00:00Z`);
    const busy = gauge(REQUESTS, [traffic('lkc-1', 'sa-1', () => 1, { ends })]);
    const alone = simulated([busy]);
    const unknown = (await ask(alone.source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(unknown).toMatchObject({ outcome: 'partial', coverage: { samplesSeen: 20 } });
    const proven = simulated([busy, scraped('resource.kafka.id')]);
    const quiet = (await ask(proven.source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(quiet).toMatchObject({ outcome: 'complete', coverage: { samplesSeen: 24 }, problems: [] });
    // That compute pools were scraped proves nothing for clusters.
    const others = simulated([busy, scraped('resource.compute_pool.id')]);
    expect((await ask(others.source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)?.outcome).toBe('partial');
  });

  const UNTIL_20 = { ends: new Date(`${DAY}T20:00:00Z`) };
  const named = [traffic('lkc-1', 'sa-1', () => 2, UNTIL_20), traffic('lkc-2', 'sa-1', () => 3, UNTIL_20)];
  const minutes = 20 * 60;

  it('a series that names nobody touches no cluster but its own, and no quiet hour', async () => {
    const { source } = simulated([
      gauge(REQUESTS, [...named, traffic('lkc-1', '', () => 1, UNTIL_20)]),
      scraped('resource.kafka.id'),
    ]);
    const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(totalsOf(day)).toEqual([
      `lkc-1 UNALLOCATED ${minutes}`,
      `lkc-1 sa-1 ${2 * minutes}`,
      `lkc-2 sa-1 ${3 * minutes}`,
    ]);
    expect(day).toMatchObject({
      outcome: 'complete',
      coverage: { samplesSeen: 24 },
      problems: [{ code: 'CB_METRICS_LABEL', severity: 'warning' }],
    });
  });

  it.each([
    ['with evidence of the scrapes', true, UNTIL_20],
    ['without it', false, {}],
  ])(
    'usage that names no cluster is missing from one of them: the day is not whole, %s',
    async (_what, evidence, more) => {
      const { source } = simulated([
        gauge(REQUESTS, [traffic('lkc-1', 'sa-1', () => 2, more), traffic('', 'sa-1', () => 5, more)]),
        ...(evidence ? [scraped('resource.kafka.id')] : []),
      ]);
      const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
      const count = evidence ? minutes : 24 * 60;
      expect(totalsOf(day)).toEqual([`UNALLOCATED sa-1 ${5 * count}`, `lkc-1 sa-1 ${2 * count}`]);
      expect(day).toMatchObject({
        outcome: 'partial',
        coverage: { samplesSeen: 23, samplesExpected: 24 },
        problems: [{ code: 'CB_METRICS_LABEL', severity: 'warning' }],
      });
    },
  );

  it('a series that names no cluster and moved nothing is missing from none', async () => {
    const { source } = simulated([
      gauge(REQUESTS, [...named, traffic('', 'sa-1', () => 0, UNTIL_20)]),
      scraped('resource.kafka.id'),
    ]);
    const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day).toMatchObject({ outcome: 'complete', coverage: { samplesSeen: 24 } });
  });

  it('Flink usage that names no compute pool makes the day not whole, whichever metric says so', async () => {
    const cfus = (name: string, pool: string) =>
      gauge(name, [
        { labels: { compute_pool_id: 'lfcp-1', flink_statement_name: name }, at: () => 1 },
        { labels: { compute_pool_id: pool, flink_statement_name: 'b' }, at: () => 1 },
      ]);
    const { source } = simulated([
      cfus('confluent_flink_num_cfu', 'lfcp-2'),
      cfus('confluent_flink_statement_utilization_current_cfus', ''),
      scraped('resource.compute_pool.id'),
    ]);
    const asked = queriesOf('prometheus', ['flink_cfu']);
    const day = (await ask(source, asked, days(DAY, 1))).get(`${DAY} flink_cfu`)!;
    expect(day).toMatchObject({ outcome: 'partial', coverage: { samplesSeen: 23 } });
  });

  it('an outage of the scrape stays an outage', async () => {
    const outages = [{ start: new Date(`${DAY}T03:00:00Z`), end: new Date(`${DAY}T08:00:00Z`) }];
    const metrics = [gauge(REQUESTS, [traffic('lkc-1', 'sa-1', () => 1)]), scraped('resource.kafka.id')];
    const { source } = simulated(metrics, { outages });
    const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day.outcome).toBe('partial');
    expect(day.coverage.samplesSeen).toBeLessThanOrEqual(20);
  });

  it('a day without a single sample is one on which nothing happened, and says so, when all of it was scraped', async () => {
    const { source } = simulated([scraped('resource.kafka.id')]);
    const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day).toMatchObject({
      outcome: 'complete',
      coverage: { samplesSeen: 24, samplesExpected: 24 },
      totals: { identityIds: [] },
      problems: [{ code: 'CB_METRICS_PARTIAL', severity: 'warning', date: DAY }],
    });
  });

  it('a day without a single sample is not known while a part of it was not scraped, or nothing shows that it was', async () => {
    const outages = [{ start: new Date(`${DAY}T03:00:00Z`), end: new Date(`${DAY}T08:00:00Z`) }];
    for (const source of [
      simulated([scraped('resource.kafka.id')], { outages }).source,
      simulated([scraped('resource.compute_pool.id')]).source,
    ]) {
      const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
      expect(day).toMatchObject({ outcome: 'partial', coverage: { samplesSeen: 0 }, problems: [] });
    }
  });

  it('tells of resources that the scrape could not read', async () => {
    const { source } = simulated([
      gauge(REQUESTS, [traffic('lkc-1', 'sa-1', () => 1)]),
      scraped('resource.kafka.id', 1),
    ]);
    const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day.outcome).toBe('complete');
    expect(day.problems).toMatchObject([{ code: 'CB_METRICS_PARTIAL', severity: 'warning', date: DAY }]);
  });

  it('60 000 series in one scrape are taken for a truncated answer', async () => {
    const series = Array.from({ length: 60_000 }, (_, index) => traffic('lkc-1', `sa-${index}`, () => 1));
    const { source } = simulated([gauge(REQUESTS, series)], { window: days(DAY, 1), sampleSeconds: 3600 });
    const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(day).toMatchObject({
      outcome: 'partial',
      coverage: { samplesSeen: 23 },
      problems: [{ code: 'CB_METRICS_PARTIAL', message: expect.stringContaining('60000') }],
    });
  });

  it.each([
    ['how many series there were', 'count by', 'partial', 23],
    ['whether it was scraped', SCRAPE, 'complete', 24],
  ])('tells when it could not be asked %s', async (_what, part, outcome, samplesSeen) => {
    const metrics = [gauge(REQUESTS, [traffic('lkc-1', 'sa-1', () => 1)]), scraped('resource.kafka.id')];
    const { source, fetch } = simulated(metrics);
    fetch.setFaults([
      { when: ({ query }) => query?.includes(part) ?? false, effect: { kind: 'status', status: 503 } },
    ]);
    const day = (await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)!;
    expect(totalsOf(day)).toEqual([`lkc-1 sa-1 ${24 * 60}`]);
    expect(day).toMatchObject({
      outcome,
      coverage: { samplesSeen },
      problems: [{ code: 'CB_METRICS_PARTIAL', severity: 'warning', date: DAY, path: 'bytes_in' }],
    });
    expect(day.problems[0]!.message).toContain('503');
    fetch.setFaults([]);
    expect((await ask(source, bytesIn, days(DAY, 1))).get(`${DAY} bytes_in`)).toMatchObject({
      outcome: 'complete',
      problems: [],
    });
  });

  it('a server that is down fails the days with its reason', async () => {
    const { source, fetch } = simulated([]);
    fetch.setFaults([{ effect: { kind: 'status', status: 503 } }]);
    const answered = await ask(source, queriesOf('prometheus'), days(DAY, 2));
    expect([...answered.keys()]).toHaveLength(6);
    for (const day of answered.values())
      expect(day).toMatchObject({ outcome: 'failed', problems: [{ severity: 'error' }] });
  });
});

describe('CFUs of Flink statements', () => {
  const statement = (pool: string, name: string, perMinute: number) => ({
    labels: { compute_pool_id: pool, flink_statement_name: name },
    at: () => perMinute,
  });
  const flink = queriesOf('prometheus', ['flink_cfu']);

  it('come from the first metric that speaks of a pool, day by day', async () => {
    const { source } = simulated([
      gauge('confluent_flink_num_cfu', [statement('lfcp-1', 'a', 2)]),
      gauge('confluent_flink_statement_utilization_cfu_minutes_consumed', [
        statement('lfcp-1', 'a', 9),
        statement('lfcp-2', 'b', 3),
      ]),
      gauge('confluent_flink_statement_utilization_current_cfus', [
        statement('lfcp-2', 'b', 9),
        statement('lfcp-3', 'c', 1),
      ]),
    ]);
    const answered = await ask(source, flink, FEBRUARY);
    expect(answered.size).toBe(4);
    const day = answered.get(`${DAY} flink_cfu`)!;
    expect(day.outcome).toBe('complete');
    expect(totalsOf(day)).toEqual([
      `lfcp-1 a ${2 * 24 * 60}`,
      `lfcp-2 b ${3 * 24 * 60}`,
      `lfcp-3 c ${24 * 60}`,
    ]);
  });

  it('are not whole while the best metric cannot be asked, although a fallback answers', async () => {
    const { source, fetch } = simulated([
      gauge('confluent_flink_num_cfu', [statement('lfcp-1', 'a', 2)]),
      gauge('confluent_flink_statement_utilization_cfu_minutes_consumed', [statement('lfcp-1', 'a', 9)]),
    ]);
    fetch.setFaults([
      {
        when: ({ query }) => query?.includes('sum_over_time(confluent_flink_num_cfu') ?? false,
        effect: { kind: 'status', status: 503 },
      },
    ]);
    const broken = (await ask(source, flink, days(DAY, 1))).get(`${DAY} flink_cfu`)!;
    expect(totalsOf(broken)).toEqual([`lfcp-1 a ${9 * 24 * 60}`]);
    expect(broken).toMatchObject({
      outcome: 'partial',
      coverage: { samplesSeen: 23, samplesExpected: 24 },
      problems: [{ severity: 'error', date: DAY }],
    });
    fetch.setFaults([]);
    const whole = (await ask(source, flink, days(DAY, 1))).get(`${DAY} flink_cfu`)!;
    expect(totalsOf(whole)).toEqual([`lfcp-1 a ${2 * 24 * 60}`]);
    expect(whole).toMatchObject({ outcome: 'complete', problems: [] });
  });

  it('come from a fallback alone', async () => {
    const name = 'confluent_flink_statement_utilization_cfu_minutes_consumed';
    const { source } = simulated([gauge(name, [statement('lfcp-1', 'a', 2)])]);
    const day = (await ask(source, flink, days(DAY, 1))).get(`${DAY} flink_cfu`)!;
    expect(totalsOf(day)).toEqual([`lfcp-1 a ${2 * 24 * 60}`]);
    expect(day.outcome).toBe('complete');
  });
});

describe('the block metrics', () => {
  const problemsOf = (value: unknown): string[] => {
    const parsed = metricsSettingsSchema.safeParse(value);
    return parsed.success
      ? []
      : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  };

  it('may be absent: then there is no usage', () => {
    for (const absent of [null, undefined]) {
      const metrics = metricsSettingsSchema.parse(absent);
      expect(metrics).toBeNull();
      expect(createMetrics({ metrics, ccloud_api: { key: 'k', secret: 's' } }, host())).toBeUndefined();
    }
  });

  it('is a Prometheus unless it says otherwise', () => {
    expect(metricsSettingsSchema.parse({ url: 'http://p:9090' })).toMatchObject({ type: 'prometheus' });
    expect(metricsSettingsSchema.parse({ type: 'ccloud_metrics_api' })).toMatchObject({
      base_url: 'https://api.telemetry.confluent.cloud',
    });
  });

  it('refuses what does not fit', () => {
    expect(problemsOf({ type: 'graphite' })).toHaveLength(1);
    expect(problemsOf({ type: 'ccloud_metrics_api', url: 'http://p:9090' })).toHaveLength(1);
    expect(problemsOf({ type: 'ccloud_metrics_api', key: 'k' })).toEqual([
      'secret: key is given without secret',
    ]);
    expect(problemsOf({ type: 'ccloud_metrics_api', secret: 's' })).toEqual([
      'key: secret is given without key',
    ]);
  });
});

const real = requireReal('usage of the export from a real Prometheus', process.env);

describe.skipIf(!real)('a real Prometheus', () => {
  let prometheus: RealPrometheus;
  const metrics = [
    gauge(REQUESTS, [
      traffic('lkc-1', 'sa-1', (hour) => hour),
      traffic('lkc-2', 'sa-2', () => 5, { ends: new Date(`${DAY}T20:00:00Z`) }),
    ]),
    gauge('confluent_flink_num_cfu', [
      { labels: { compute_pool_id: 'lfcp-1', flink_statement_name: 'job' }, at: () => 1 },
    ]),
    scraped('resource.kafka.id'),
  ];
  const window = days('2026-02-01', 2);
  const model = createMetricsModel({ window: FEBRUARY, metrics, sampleSeconds: 60 });

  beforeAll(async () => {
    prometheus = await startRealPrometheus({
      openMetrics: toOpenMetrics(model, window, { stepSeconds: 60 }),
    });
  });
  afterAll(async () => prometheus?.stop());

  it('understands every query and counts every minute once, as the simulator does', async () => {
    const queries = queriesOf('prometheus');
    const answered = await ask(sourceAt(prometheus.url, globalThis.fetch), queries, window);
    const expected = await ask(
      sourceAt('http://simulator.test.invalid', createSimulatorFetch(model)),
      queries,
      window,
    );
    for (const key of [`${DAY} bytes_in`, `${DAY} bytes_out`, `${DAY} flink_cfu`]) {
      expect([key, totalsOf(answered.get(key)!)]).toEqual([key, totalsOf(expected.get(key)!)]);
      expect(answered.get(key)?.coverage).toEqual(expected.get(key)?.coverage);
      expect(answered.get(key)?.problems).toEqual(expected.get(key)?.problems);
      // Nothing was read.
      const told = key === `${DAY} bytes_out` ? ['CB_METRICS_PARTIAL'] : [];
      expect(answered.get(key)?.problems.map(({ code }) => code)).toEqual(told);
    }
    expect(totalsOf(answered.get(`${DAY} flink_cfu`)!)).toEqual([`lfcp-1 job ${24 * 60}`]);
  });
});
