import { formatMoney } from '@chargeback/money';
import type { BillingBatch, BillingLineItem, Ecosystem, PluginHost, Window } from '@chargeback/plugin-api';
import {
  createMetricsModel,
  createSimulatorFetch,
  type MetricDefinition,
  type MetricsModelOptions,
} from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { register } from '../src/index.ts';

const GIB = 1_073_741_824;
const days = (first: string, count: number): Window => {
  const start = new Date(`${first}T00:00:00Z`);
  return { start, end: new Date(start.getTime() + count * 86_400_000) };
};
const FEBRUARY = days('2026-02-01', 10);

function counter(
  name: string,
  perHour: (hour: number) => number,
  labels = { principal: 'a' },
): MetricDefinition {
  return { name, kind: 'counter', series: [{ labels, at: perHour }] };
}

function gauge(name: string, at: (hour: number) => number): MetricDefinition {
  return { name, kind: 'gauge', series: [{ labels: { principal: 'a' }, at }] };
}

const silent: PluginHost['logger'] = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

async function ecosystem(
  settings: object,
  model: Omit<MetricsModelOptions, 'window'>,
  now = new Date('2026-03-01T00:00:00Z'),
): Promise<Ecosystem> {
  const plugin = register();
  const fetch = createSimulatorFetch(createMetricsModel({ window: FEBRUARY, ...model }));
  const parsed = plugin.settings.parse({
    cluster_id: 'c1',
    metrics: { url: 'http://prometheus.test.invalid' },
    identity_source: {
      source: 'static',
      static_identities: [{ identity_id: 'team-a', identity_type: 'team' }],
    },
    ...settings,
  });
  return plugin.create(parsed, {
    logger: silent,
    clock: () => now,
    fetch,
    createFetch: () => fetch,
    resolvePath: (file) => file,
    random: () => 0.5,
    sleep: () => Promise.resolve(),
    signal: new AbortController().signal,
    tenantId: 't1',
    concurrency: 4,
  });
}

async function bill(
  settings: object,
  model: Omit<MetricsModelOptions, 'window'>,
  window: Window,
): Promise<BillingBatch> {
  await using connected = await ecosystem(settings, model);
  for await (const batch of connected.billing(window, new AbortController().signal)) return batch;
  throw new Error('no batch');
}

async function billLines(
  settings: object,
  model: Omit<MetricsModelOptions, 'window'>,
  window: Window,
): Promise<readonly BillingLineItem[]> {
  return (await bill(settings, model, window)).lines;
}

const fixed = (rate: string, count: number): object => ({
  name: 'COMPUTE',
  product_category: 'compute',
  rate,
  cost_quantity: { type: 'fixed', count },
  allocation_strategy: 'even_split',
});
const network = (query: string, rate = '0.01'): object => ({
  name: 'NETWORK',
  product_category: 'network',
  rate,
  cost_quantity: { type: 'network_gib', query },
  allocation_strategy: 'even_split',
});
const storage = (query: string, rate = '0.0001'): object => ({
  name: 'STORAGE',
  product_category: 'storage',
  rate,
  cost_quantity: { type: 'storage_gib', query },
  allocation_strategy: 'even_split',
});

describe('the constructed bill', () => {
  it('Compute costs (fixed quantity): 3 × 24 hours × $0.50 is $36.00', async () => {
    const [line] = await billLines(
      { cost_types: [fixed('0.50', 3)] },
      { metrics: [] },
      days('2026-02-01', 1),
    );
    expect(line).toMatchObject({
      lineId: 'COMPUTE/2026-02-01',
      resourceId: 'c1',
      productType: 'COMPUTE',
      coverage: null,
    });
    expect(line!.quantity.toString()).toBe('72');
    expect(formatMoney(line!.totalCost)).toBe('36.0000');
  });

  it('bills a fixed count of 3 at 2.50 with quantity 72 and cost 180, also without any metrics', async () => {
    const [line] = await billLines(
      { cost_types: [fixed('2.50', 3)] },
      { metrics: [] },
      days('2026-01-01', 1),
    );
    expect(line!.quantity.toString()).toBe('72');
    expect(formatMoney(line!.totalCost)).toBe('180.0000');
  });

  it('holds a line by itself whose samples are absurd, and the day where nothing may be held', async () => {
    const settings = { cost_types: [fixed('1', 1), network('sum(increase(bytes[1h]))', '1000000')] };
    const absurd = (hour: number) => (hour % 240 === 30 ? 1e30 : 1);
    const model = { metrics: [counter('bytes', absurd)] };
    for (const [missing, severity] of [
      ['hold', 'warning'],
      ['fallback', 'error'],
    ]) {
      const batch = await bill({ ...settings, missing_usage: missing }, model, FEBRUARY);
      const held = batch.lines.filter(({ coverage }) => coverage?.samplesSeen === 0);
      expect(batch.lines).toHaveLength(20);
      expect(held).toHaveLength(1);
      expect(held[0]!.totalCost.units).toBe(0n);
      expect(batch.problems).toMatchObject([
        { code: 'CB_MONEY_TOO_LARGE', severity, date: held[0]!.timestamp.toISOString().slice(0, 10) },
      ]);
    }
  });

  it('Storage costs (gauge metric, averaged): the mean of the samples × 24 hours', async () => {
    // The specification's three samples, held for eight hours each.
    const samples = [107_374_182_400, 112_742_891_520, 107_374_182_400];
    const metrics = [gauge('disk_bytes', (hour) => samples[Math.floor((((hour % 24) + 24) % 24) / 8)]!)];
    const [line] = await billLines(
      { cost_types: [storage('sum(disk_bytes)')] },
      { metrics },
      days('2026-02-02', 1),
    );
    expect(line!.quantity.dividedBy(24).toFixed(2)).toBe('101.67');
    expect(line!.totalCost.units).toBe(24_400_000n);
  });

  it('Network costs (counter metric, summed): 50 GiB over 24 hourly increases at $0.01 is $0.50', async () => {
    const metrics = [
      counter('bytes_total', (hour) => (hour % 2 === 0 ? 3 * GIB : GIB) + (hour % 24 === 5 ? 2 * GIB : 0)),
    ];
    const [line] = await billLines(
      { cost_types: [network('sum(increase(bytes_total[1h]))')] },
      { metrics },
      days('2026-02-01', 1),
    );
    expect(line!.quantity.toString()).toBe('50');
    expect(formatMoney(line!.totalCost)).toBe('0.5000');
    expect(line!.coverage).toEqual({ samplesSeen: 24, samplesExpected: 24 });
  });

  it('takes 24 samples a day, not 25: a steady GiB an hour is 24 GiB on every day of a longer window', async () => {
    const metrics = [counter('bytes_total', () => GIB)];
    const lines = await billLines(
      { cost_types: [network('sum(increase(bytes_total[1h]))')] },
      { metrics },
      days('2026-02-01', 10),
    );
    expect(lines.map(({ quantity }) => quantity.toString())).toEqual(Array.from({ length: 10 }, () => '24'));
  });

  it.each([300, 900, 1800, 3600, 7200])('bills the same with metrics_step_seconds %d', async (step) => {
    const metrics = [counter('bytes_total', (hour) => ((hour % 7) + 1) * GIB)];
    const expected = Array.from(
      { length: 24 },
      (_, index) => ((Date.UTC(2026, 1, 3) / 3_600_000 + index) % 7) + 1,
    );
    const settings = { metrics_step_seconds: step, cost_types: [network('sum(increase(bytes_total[1h]))')] };
    const [line] = await billLines(settings, { metrics }, days('2026-02-03', 1));
    expect(line!.quantity.toNumber()).toBe(expected.reduce((left, right) => left + right, 0));
  });

  it('samples a query at the range inside it, whatever that is', async () => {
    const metrics = [counter('bytes_total', () => GIB)];
    for (const range of ['5m', '30m', '2h', '1d']) {
      const [line] = await billLines(
        { cost_types: [network(`sum(increase(bytes_total[${range}]))`)] },
        { metrics },
        days('2026-02-03', 1),
      );
      expect(line!.quantity.toNumber(), range).toBeCloseTo(24, 9);
    }
  });

  it('marks the hours of an outage as not seen instead of billing them at nothing in silence', async () => {
    const metrics = [counter('bytes_total', () => GIB)];
    const outages = [{ start: new Date('2026-02-03T10:00:00Z'), end: new Date('2026-02-03T15:00:00Z') }];
    const settings = { cost_types: [network('sum(increase(bytes_total[1h]))'), fixed('1', 1)] };
    const [line, compute] = await billLines(settings, { metrics, outages }, days('2026-02-03', 1));
    expect(line!.coverage!.samplesSeen).toBeLessThan(24);
    expect(line!.coverage!.samplesExpected).toBe(24);
    expect(formatMoney(compute!.totalCost)).toBe('24.0000');
  });

  it('scales a network quantity up for the unseen hours when asked to estimate, and says so', async () => {
    const metrics = [counter('bytes_total', () => GIB)];
    const outages = [{ start: new Date('2026-02-03T10:00:00Z'), end: new Date('2026-02-03T15:00:00Z') }];
    const settings = { missing_usage: 'estimate', cost_types: [network('sum(increase(bytes_total[1h]))')] };
    const [line] = await billLines(settings, { metrics, outages }, days('2026-02-03', 1));
    const { samplesSeen } = line!.coverage!;
    expect(samplesSeen).toBeLessThan(24);
    expect(line!.quantity.toNumber()).toBeGreaterThan(23);
    expect(line!.metadata).toMatchObject({ estimated: true });
  });

  it('does not scale up what was counted: an hour with one unusable series still holds the others', async () => {
    const spoiled = {
      labels: { principal: 'spoiled' },
      at: () => GIB,
      notANumber: [{ start: new Date('2026-02-03T00:00:00Z'), end: new Date('2026-02-03T12:00:00Z') }],
    };
    const steady = { labels: { principal: 'steady' }, at: () => GIB };
    const metrics: MetricDefinition[] = [{ name: 'bytes_total', kind: 'counter', series: [spoiled, steady] }];
    const settings = {
      missing_usage: 'estimate',
      cost_types: [network('sum by (principal) (increase(bytes_total[1h]))')],
    };
    const [line] = await billLines(settings, { metrics }, days('2026-02-03', 1));
    expect(line!.quantity.toNumber()).toBeLessThanOrEqual(48);
  });

  it('answers for every day before the server knew anything with no sample seen, not with a zero', async () => {
    const metrics = [counter('bytes_total', () => GIB)];
    const [line] = await billLines(
      { cost_types: [network('sum(increase(bytes_total[1h]))')] },
      { metrics },
      days('2025-12-31', 1),
    );
    expect(line!.coverage).toEqual({ samplesSeen: 0, samplesExpected: 24 });
  });

  it('rounds a cost once, half-even, to eight decimals and keeps the exact product', async () => {
    const metrics = [counter('bytes_total', (hour) => (hour % 24 === 3 ? 1 : 0))];
    const [line] = await billLines(
      { cost_types: [network('sum(increase(bytes_total[1h]))', '10')] },
      { metrics },
      days('2026-02-03', 1),
    );
    // 10 ÷ 2³⁰ = 0.0000000093132…
    expect(line!.totalCost.units).toBe(1n);
    expect(line!.metadata['total_cost_source']).toMatch(/^9\.313225746154785/);
  });

  it('gives a line the same id whenever it is gathered, alone or in a longer window', async () => {
    const one = await billLines({ cost_types: [fixed('1', 1)] }, { metrics: [] }, days('2026-02-03', 1));
    const many = await billLines({ cost_types: [fixed('1', 1)] }, { metrics: [] }, days('2026-02-01', 5));
    expect(many.map(({ lineId }) => lineId)).toContain(one[0]!.lineId);
  });
});

describe('the doctor', () => {
  const settings = {
    identity_source: { label: 'principal', discovery_query: 'group by (principal) (bytes_total)' },
    cost_types: [
      {
        ...network('sum(increase(bytes_total[1h]))'),
        allocation_strategy: 'usage_ratio',
        allocation_query: 'sum by (principal) (increase(bytes_total[1h]))',
        allocation_label: 'client',
      },
      storage('sum(nothing_bytes)'),
    ],
  };

  it('says which queries answer, which carry no label and which find nothing', async () => {
    const metrics = [counter('bytes_total', () => GIB), gauge('nothing_bytes', () => 1)].map((metric) =>
      metric.name === 'nothing_bytes' ? { ...metric, series: [] } : metric,
    );
    await using connected = await ecosystem(settings, { metrics }, new Date('2026-02-05T00:00:00Z'));
    const findings = await connected.doctor!(new AbortController().signal);
    expect(findings.map(({ severity, what }) => `${severity} ${what}`)).toEqual([
      'ok discovery_query',
      'ok NETWORK cost_quantity.query',
      'error NETWORK allocation_query',
      'warning STORAGE cost_quantity.query',
    ]);
    expect(findings[0]!.evidence).toBe('1 series, such as a');
    expect(findings[2]!.advice).toContain('sum by (client)');
  });
});

describe('routes', () => {
  const usageSettings = {
    identity_source: {
      source: 'both',
      label: 'principal',
      discovery_query: 'group by (principal) (bytes_total)',
      principal_to_team: { a: 'shop' },
    },
    cost_types: [
      {
        ...network('sum(increase(bytes_total[1h]))'),
        allocation_strategy: 'usage_ratio',
        allocation_query: 'sum by (client) (increase(bytes_total[1h]))',
        allocation_label: 'client',
      },
    ],
  };

  it('asks for usage by the allocation label, which need not be the label of the identities', async () => {
    await using connected = await ecosystem(usageSettings, { metrics: [] });
    const [route] = connected.routes;
    expect(
      route!.usage.map(({ key, identityLabel, stepSeconds }) => [key, identityLabel, stepSeconds]),
    ).toEqual([
      ['alloc_NETWORK', 'client', 3600],
      ['discovery', 'principal', 3600],
    ]);
  });

  it('describes a principal with its team, or the default team', async () => {
    await using connected = await ecosystem(usageSettings, { metrics: [] });
    expect(connected.identityFromUsage!('a')).toMatchObject({
      identityType: 'principal',
      metadata: { team: 'shop' },
    });
    expect(connected.identityFromUsage!('b')).toMatchObject({
      displayName: 'b',
      metadata: { team: 'UNASSIGNED' },
    });
  });

  it('has no secret in what decides about gathering again', async () => {
    const metrics = { url: 'http://x.invalid', auth_type: 'bearer', bearer_token: 'canary-token' };
    await using connected = await ecosystem({ metrics, cost_types: [fixed('1', 1)] }, { metrics: [] });
    expect(JSON.stringify(connected.gatherKey)).not.toContain('canary');
  });
});
