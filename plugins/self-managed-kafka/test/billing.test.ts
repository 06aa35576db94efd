import { formatMoney } from '@chargeback/money';
import type { MetricDefinition } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { billOf, connect, days, GIB, linesOf, simulated, SPECIFIED_RATES } from './support.ts';

const BYTES_IN = 'kafka_server_brokertopicmetrics_bytesin_total';
const BYTES_OUT = 'kafka_server_brokertopicmetrics_bytesout_total';

const counter = (name: string, at: (hour: number) => number): MetricDefinition => ({
  name,
  kind: 'counter',
  series: [{ labels: { topic: 'orders', principal: 'a' }, at }],
});
const logSize = (at: (hour: number) => number): MetricDefinition => ({
  name: 'kafka_log_log_size',
  kind: 'gauge',
  series: [{ labels: { topic: 'orders', partition: '0', broker: '1' }, at }],
});
const steady = (gibAnHour: number): MetricDefinition[] => [
  counter(BYTES_IN, () => gibAnHour * GIB),
  counter(BYTES_OUT, () => gibAnHour * GIB),
  logSize(() => 100 * GIB),
];
/** Hour of the day, 0 to 23, of the model's hour. */
const hourOfDay = (hour: number): number => ((hour % 24) + 24) % 24;
const outage = [{ start: new Date('2026-02-03T10:00:00Z'), end: new Date('2026-02-03T15:00:00Z') }];

describe('the constructed bill', () => {
  it('compute: 3 brokers for 24 hours at 0.10 are 72 broker-hours and 7.20', async () => {
    const cost_model = { ...SPECIFIED_RATES, compute_hourly_rate: '0.10' };
    await using kafka = await connect({ cost_model }, { fetch: simulated({ metrics: steady(1) }) });
    const [line] = linesOf(await billOf(kafka, days('2026-02-01', 1)), 'COMPUTE');
    expect(line!.quantity.toString()).toBe('72');
    expect(formatMoney(line!.totalCost)).toBe('7.2000');
    expect(line).toMatchObject({ productCategory: 'kafka', resourceId: 'kafka-1', coverage: null });
  });

  it('storage: 100 GiB in 24 samples at 0.0001 are 2400 GiB-hours and 0.24', async () => {
    await using kafka = await connect({}, { fetch: simulated({ metrics: steady(1) }) });
    const [line] = linesOf(await billOf(kafka, days('2026-02-01', 1)), 'STORAGE');
    expect(line!.quantity.toString()).toBe('2400');
    expect(formatMoney(line!.totalCost)).toBe('0.2400');
  });

  it('network: 10 GiB in at 0.01 and 20 GiB out at 0.02 are 0.10 and 0.40', async () => {
    const metrics = [
      counter(BYTES_IN, (hour) => (hourOfDay(hour) === 3 ? 10 * GIB : 0)),
      counter(BYTES_OUT, (hour) => (hourOfDay(hour) === 9 ? 20 * GIB : 0)),
    ];
    await using kafka = await connect({}, { fetch: simulated({ metrics }) });
    const bill = await billOf(kafka, days('2026-02-02', 1));
    expect(linesOf(bill, 'NETWORK_INGRESS').map(({ totalCost }) => formatMoney(totalCost))).toEqual([
      '0.1000',
    ]);
    expect(linesOf(bill, 'NETWORK_EGRESS').map(({ totalCost }) => formatMoney(totalCost))).toEqual([
      '0.4000',
    ]);
  });

  it('region us-west-2 overrides compute alone: 0.08, the other rates as they were', async () => {
    const cost_model = {
      ...SPECIFIED_RATES,
      region_overrides: { 'us-west-2': { compute_hourly_rate: '0.08' } },
    };
    const fetch = simulated({ metrics: steady(1) });
    const prices = async (region: string | null): Promise<string[]> => {
      await using kafka = await connect({ cost_model, region }, { fetch });
      const { lines } = await billOf(kafka, days('2026-02-01', 1));
      return lines.map(({ unitPrice }) => unitPrice.toString());
    };
    expect(await prices('us-west-2')).toEqual(['0.08', '0.0001', '0.01', '0.02']);
    expect(await prices('eu-north-1')).toEqual(['0.5', '0.0001', '0.01', '0.02']);
    expect(await prices(null)).toEqual(['0.5', '0.0001', '0.01', '0.02']);
  });

  it('three days, the middle one without samples: 12 lines, compute of all three, the other three unmeasured', async () => {
    const outages = [{ start: new Date('2026-02-02T00:00:00Z'), end: new Date('2026-02-03T00:00:00Z') }];
    await using kafka = await connect({}, { fetch: simulated({ metrics: steady(1), outages }) });
    const bill = await billOf(kafka, days('2026-02-01', 3));
    expect(bill.lines).toHaveLength(12);
    expect(linesOf(bill, 'COMPUTE').map(({ totalCost }) => formatMoney(totalCost))).toEqual([
      '36.0000',
      '36.0000',
      '36.0000',
    ]);
    const middle = bill.lines.filter(({ lineId }) => lineId.endsWith('2026-02-02'));
    expect(middle.map(({ coverage }) => coverage?.samplesSeen ?? null)).toEqual([null, 0, 0, 0]);
    const others = bill.lines.filter(({ lineId }) => !lineId.endsWith('2026-02-02'));
    expect(others.every(({ coverage }) => coverage === null || coverage.samplesSeen === 24)).toBe(true);
  });

  it('what is counted until midnight belongs to the day that ends there', async () => {
    // 5 GiB in the last hour of the second, 7 GiB in the first of the third.
    const at = (hour: number): number => {
      const elapsed = hour - Date.UTC(2026, 1, 2) / 3_600_000;
      return elapsed === 23 ? 5 * GIB : elapsed === 24 ? 7 * GIB : 0;
    };
    await using kafka = await connect({}, { fetch: simulated({ metrics: [counter(BYTES_IN, at)] }) });
    const bill = await billOf(kafka, days('2026-02-02', 2));
    expect(linesOf(bill, 'NETWORK_INGRESS').map(({ quantity }) => quantity.toString())).toEqual(['5', '7']);
  });

  it.each([300, 900, 1800, 3600])(
    'a steady GiB an hour is 24 GiB a day with a step of %d s',
    async (step) => {
      const fetch = simulated({ metrics: steady(1) });
      await using kafka = await connect({ metrics_step_seconds: step }, { fetch });
      const bill = await billOf(kafka, days('2026-02-01', 5));
      const gib = linesOf(bill, 'NETWORK_INGRESS').map(({ quantity }) => quantity.toNumber());
      expect(gib).toEqual([24, 24, 24, 24, 24]);
      // Asked alone a day is no dearer.
      const [alone] = linesOf(await billOf(kafka, days('2026-02-03', 1)), 'NETWORK_INGRESS');
      expect(alone!.quantity.toNumber()).toBe(24);
    },
  );

  it('five hours of outage lower the coverage of what is measured, and leave compute whole', async () => {
    await using kafka = await connect({}, { fetch: simulated({ metrics: steady(1), outages: outage }) });
    const { lines, problems } = await billOf(kafka, days('2026-02-03', 1));
    expect(lines.map(({ coverage }) => coverage && [coverage.samplesSeen, coverage.samplesExpected])).toEqual(
      [null, [19, 24], [19, 24], [19, 24]],
    );
    expect(lines.some(({ metadata }) => metadata['estimated'])).toBe(false);
    expect(problems.every(({ severity }) => severity === 'warning')).toBe(true);
  });

  it('scales network up by the missing hours when asked to estimate, and says so', async () => {
    const fetch = simulated({ metrics: steady(1), outages: outage });
    await using kafka = await connect({ missing_usage: 'estimate' }, { fetch });
    const bill = await billOf(kafka, days('2026-02-03', 1));
    const [ingress] = linesOf(bill, 'NETWORK_INGRESS');
    expect(ingress!.quantity.toNumber()).toBeCloseTo(24, 9);
    expect(ingress!.metadata).toMatchObject({ estimated: true });
    // A mean over 19 hours already speaks for 24.
    const [storage] = linesOf(bill, 'STORAGE');
    expect(storage!.quantity.toString()).toBe('2400');
    expect(storage!.metadata['estimated']).toBeUndefined();
  });

  it('rounds a cost once, half-even, to eight decimals and keeps the exact product', async () => {
    const metrics = [counter(BYTES_IN, (hour) => (hourOfDay(hour) === 3 ? 1 : 0))];
    const cost_model = { ...SPECIFIED_RATES, network_ingress_per_gib: '10' };
    await using kafka = await connect({ cost_model }, { fetch: simulated({ metrics }) });
    const [line] = linesOf(await billOf(kafka, days('2026-02-03', 1)), 'NETWORK_INGRESS');
    // 10 ÷ 2³⁰ = 0.0000000093132…
    expect(line!.totalCost.units).toBe(1n);
    expect(line!.metadata['total_cost_source']).toMatch(/^9\.313225746154785/);
  });

  it('bills in the currency of the tenant', async () => {
    await using kafka = await connect({ currency: 'EUR' }, { fetch: simulated({ metrics: steady(1) }) });
    const { lines } = await billOf(kafka, days('2026-02-01', 1));
    expect(new Set(lines.map(({ totalCost }) => totalCost.currency))).toEqual(new Set(['EUR']));
  });

  it('bills compute, and says why the rest is not measured, when the server refuses every question', async () => {
    const fetch = (): Promise<Response> => Promise.resolve(new Response('no', { status: 401 }));
    await using kafka = await connect({}, { fetch });
    const { lines, problems } = await billOf(kafka, days('2026-02-01', 2));
    expect(lines).toHaveLength(8);
    expect(linesOf({ lines } as never, 'COMPUTE').every(({ totalCost }) => totalCost.units > 0n)).toBe(true);
    expect(new Set(problems.map(({ code, severity }) => `${code} ${severity}`))).toEqual(
      new Set(['CB_METRICS_AUTH warning']),
    );
  });

  it('holds by itself the line of a day whose sample is absurd, and bills the others', async () => {
    const at = (hour: number): number => (hour === Date.UTC(2026, 1, 3, 5) / 3_600_000 ? 1e29 : GIB);
    await using kafka = await connect({}, { fetch: simulated({ metrics: [counter(BYTES_IN, at)] }) });
    const { lines, problems } = await billOf(kafka, days('2026-02-02', 3));
    expect(lines).toHaveLength(12);
    const ingress = lines.filter(({ productType }) => productType === 'SELF_KAFKA_NETWORK_INGRESS');
    expect(ingress.map(({ coverage }) => coverage?.samplesSeen)).toEqual([24, 0, 24]);
    expect(ingress.map(({ totalCost }) => formatMoney(totalCost))).toEqual(['0.2400', '0.0000', '0.2400']);
    expect(problems.filter(({ code }) => code === 'CB_MONEY_TOO_LARGE')).toMatchObject([
      { severity: 'warning', date: '2026-02-03', path: 'SELF_KAFKA_NETWORK_INGRESS/2026-02-03' },
    ]);
    expect(linesOf({ lines } as never, 'COMPUTE').every(({ coverage }) => coverage === null)).toBe(true);
  });

  it('holds compute too when its own cost does not fit the ledger', async () => {
    const cost_model = { ...SPECIFIED_RATES, compute_hourly_rate: '1e12' };
    await using kafka = await connect({ cost_model }, { fetch: simulated({ metrics: steady(1) }) });
    const { lines, problems } = await billOf(kafka, days('2026-02-02', 1));
    expect(lines[0]).toMatchObject({ coverage: { samplesSeen: 0, samplesExpected: 1 } });
    expect(problems.map(({ code }) => code)).toEqual(['CB_MONEY_TOO_LARGE']);
  });

  it('bills each day by the brokers and rates that are valid on it', async () => {
    const settings = {
      region: 'eu',
      cost_model: { ...SPECIFIED_RATES, region_overrides: { eu: { compute_hourly_rate: '0.40' } } },
      changes: [
        { valid_from: '2026-02-02', broker_count: 5 },
        {
          valid_from: '2026-02-03',
          cost_model: { network_ingress_per_gib: '0.03', compute_hourly_rate: '9' },
        },
        {
          valid_from: '2026-02-04',
          broker_count: 2,
          cost_model: { region_overrides: { eu: { compute_hourly_rate: '0.25' } } },
        },
      ],
    };
    await using kafka = await connect(settings, { fetch: simulated({ metrics: steady(1) }) });
    const bill = await billOf(kafka, days('2026-02-01', 4));
    const costs = (product: string): string[] =>
      linesOf(bill, product).map(({ totalCost }) => formatMoney(totalCost));
    // 3 × 24 × 0.40, 5 × 24 × 0.40 twice (the region's own rate outlasts the base's), 2 × 24 × 0.25.
    expect(costs('COMPUTE')).toEqual(['28.8000', '48.0000', '48.0000', '12.0000']);
    // 24 GiB at 0.01, then at 0.03.
    expect(costs('NETWORK_INGRESS')).toEqual(['0.2400', '0.2400', '0.7200', '0.7200']);
    expect(costs('NETWORK_EGRESS')).toEqual(['0.4800', '0.4800', '0.4800', '0.4800']);
  });

  it('measures the same line of a cluster that is given another name, and tells the two apart', async () => {
    const fetch = simulated({ metrics: steady(1) });
    const measured = async (cluster_id: string) => {
      await using kafka = await connect({ cluster_id }, { fetch });
      return (await billOf(kafka, days('2026-02-01', 1))).lines;
    };
    const [before, after] = await Promise.all([measured('kafka-1'), measured('kafka-one')]);
    expect(after.map(({ lineId }) => lineId)).toEqual(before.map(({ lineId }) => lineId));
    expect(after.map(({ resourceId }) => resourceId)).toEqual(Array(4).fill('kafka-one'));
    expect(after[1]!.definition).not.toBe(before[1]!.definition);
  });

  it('gives a line the same id whenever it is gathered, alone or in a longer window', async () => {
    await using kafka = await connect({}, { fetch: simulated({ metrics: steady(1) }) });
    const alone = await billOf(kafka, days('2026-02-03', 1));
    const among = await billOf(kafka, days('2026-02-01', 5));
    const ids = among.lines.map(({ lineId }) => lineId);
    expect(new Set(ids).size).toBe(20);
    expect(ids).toEqual(expect.arrayContaining(alone.lines.map(({ lineId }) => lineId)));
  });
});

describe('what decides about gathering again', () => {
  const keyOf = async (overrides: object): Promise<string> => {
    await using kafka = await connect(overrides);
    return JSON.stringify(kafka.gatherKey);
  };

  it('is rates, brokers, queries and selector; not teams and owners', async () => {
    const before = await keyOf({});
    for (const changed of [
      { broker_count: 4 },
      { changes: [{ valid_from: '2026-02-02', broker_count: 4 }] },
      { changes: [{ valid_from: '2026-02-02', cost_model: { compute_hourly_rate: '1' } }] },
      { queries: { scrapes: 'max by (pod) (count_over_time(up[{step}]))' } },
      { selector: 'cluster="other"' },
      { metric_preset: 'strimzi' },
      { metrics_step_seconds: 1800 },
      { missing_usage: 'estimate' },
      { cost_model: { ...SPECIFIED_RATES, network_egress_per_gib: '0.03' } },
    ]) {
      expect(await keyOf(changed), JSON.stringify(changed)).not.toBe(before);
    }
    expect(await keyOf({ identity_source: { principal_to_team: { a: 'shop' } } })).toBe(before);
    expect(await keyOf({ ownership: [{ principal: 'a', team: 'shop' }] })).toBe(before);
  });

  it('holds no secret', async () => {
    const metrics = { url: 'http://x.invalid', auth_type: 'bearer', bearer_token: 'canary-token' };
    const resource_source = {
      source: 'admin_api',
      bootstrap_servers: 'b:9092',
      security_protocol: 'SASL_SSL',
      sasl_mechanism: 'PLAIN',
      sasl_username: 'canary-user',
      sasl_password: 'canary-password',
    };
    expect(await keyOf({ metrics, resource_source })).not.toContain('canary');
  });
});
