import type { BillingLineItem } from '@chargeback/plugin-api';
import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { billOf, connect, days, GIB, linesOf, usageOf } from './support.ts';

const real = requireReal('restarts told by a real Prometheus', process.env);

const FIRST = '2026-02-02';
const SECOND = '2026-02-03';
const WINDOW = days(FIRST, 2);
const start = WINDOW.start.getTime() / 1000;
const DAY = 86_400;
const BYTES = ['bytesin', 'bytesout'].map((one) => `kafka_server_brokertopicmetrics_${one}_total`);
const clock = (hour: number, minute = 0): number => start + hour * 3600 + minute * 60;

type Labels = Readonly<Record<string, string>>;

/** Samples at the times given, where there is a value. */
function* series(
  [name, labels]: readonly [string, Labels],
  times: readonly number[],
  value: (time: number) => number | null,
): Iterable<string> {
  const text = Object.entries(labels).map(([label, one]) => `${label}="${one}"`);
  for (const time of times) {
    const sample = value(time);
    if (sample !== null) yield `${name}{${text.join(',')}} ${sample} ${time}\n`;
  }
}

function every(seconds: number, from = start, to = start + 2 * DAY): number[] {
  const times: number[] = [];
  for (let time = from; time <= to; time += seconds) times.push(time);
  return times;
}

const MINUTES = every(60);
/** 24 GiB a day, steadily. */
const steady = (time: number): number => Math.floor((24 * GIB * (time - start + 60)) / DAY);
/** 100 GiB from 14:00 to 16:00 of each day, nothing else. */
const afternoon = (time: number): number => {
  const day = Math.floor((time - start) / DAY);
  const part = Math.min(1, Math.max(0, (time - start - day * DAY - 14 * 3600) / 7200));
  return Math.floor(100 * GIB * (day + part));
};

interface Broker {
  readonly name: string;
  readonly times?: readonly number[];
  readonly bytes?: (time: number) => number | null;
  readonly topic?: string;
}

function* cluster(name: string, brokers: readonly Broker[]): Iterable<string> {
  for (const { name: instance, times = MINUTES, bytes = steady, topic = 'orders' } of brokers) {
    const labels = { cluster: name, instance };
    for (const metric of BYTES) {
      yield* series([metric, { ...labels, topic, principal: 'p' }], times, bytes);
      // All topics together, which a broker has even without any.
      yield* series([metric, labels], times, bytes);
    }
    yield* series(['kafka_log_log_size', { ...labels, topic, partition: instance }], times, (time) =>
      bytes(time) === null ? null : 100 * GIB,
    );
  }
}

const unless =
  (from: number, to: number, bytes = steady) =>
  (time: number): number | null =>
    time > from && time < to ? null : bytes(time);

/** Nobody sends on the second day; a quota is forgotten before it begins. */
function* sunday(name: string): Iterable<string> {
  const bytes = (time: number): number => steady(Math.min(time, start + DAY - 600));
  yield* cluster(name, [{ name: 'b1', bytes }]);
  for (const resource of ['Produce', 'Fetch']) {
    const labels = { cluster: name, instance: 'b1', resource, user: 'alice' };
    yield* series(['kafka_server_quota_byte_rate', labels], MINUTES, (time) =>
      time <= start + DAY - 600 ? 1000 : null,
    );
  }
}

const jittered = MINUTES.map((time, index) =>
  index === 0 ? time : time + (((index * 7919) % 2001) / 1000 - 1),
);
const text = (): string =>
  [
    ...cluster('jitter', [{ name: 'b1', times: jittered }]),
    ...cluster('denser', [
      { name: 'b1', times: [...every(60, start, clock(12)), ...every(15, clock(12) + 15)], bytes: afternoon },
    ]),
    ...cluster('hiccup', [
      { name: 'b1', bytes: unless(clock(9, 56), clock(10, 2)) },
      { name: 'b2', bytes: unless(clock(14, 57), clock(15, 1)) },
    ]),
    ...cluster(
      'pods',
      [0, 1, 2].flatMap((pod) => {
        const gone = clock(9, 51) + pod * 600;
        const back = gone + 240;
        return [
          { name: `10.0.0.${pod}`, bytes: unless(gone, Infinity) },
          {
            name: `10.0.1.${pod}`,
            bytes: (time: number) => (time < back ? null : steady(time) - steady(back)),
          },
        ];
      }),
    ),
    ...cluster('idle-gap', [{ name: 'b1', bytes: unless(clock(9, 30), clock(11, 30), afternoon) }]),
    ...cluster('reset', [
      {
        name: 'b1',
        bytes: (time) =>
          time <= clock(6) ? steady(time) : time < clock(12) ? null : steady(time) - steady(clock(12)),
      },
    ]),
    ...cluster('topics', [{ name: 'b1', topic: 'shop-a' }, { name: 'b2', topic: 'shop-b' }, { name: 'b3' }]),
    ...sunday('sunday'),
    '# EOF\n',
  ].join('');

const coverages = (lines: readonly BillingLineItem[]): string[] =>
  lines.map(({ coverage }) => `${coverage!.samplesSeen}/${coverage!.samplesExpected}`);
const gibs = (lines: readonly BillingLineItem[]): number[] =>
  lines.map(({ quantity }) => quantity.toNumber());

describe.skipIf(!real)('ordinary operation', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: text() });
  });
  afterAll(async () => prometheus?.stop());

  const kafkaOf = (name: string, overrides: object = {}) =>
    connect(
      {
        metrics: { url: prometheus.url, max_attempts: 1 },
        selector: `cluster="${name}"`,
        broker_count: 1,
        ...overrides,
      },
      { now: new Date('2026-02-04T12:00:00Z') },
    );

  it.each([300, 900, 3600])('scrapes a second early or late leave no step out, of %d s', async (step) => {
    await using kafka = await kafkaOf('jitter', { metrics_step_seconds: step });
    const bill = await billOf(kafka, WINDOW);
    const all = DAY / step;
    for (const product of ['NETWORK_INGRESS', 'NETWORK_EGRESS', 'STORAGE']) {
      expect(coverages(linesOf(bill, product))).toEqual([`${all}/${all}`, `${all}/${all}`]);
    }
    expect(bill.problems).toEqual([]);
  });

  it.each(['hold', 'estimate'])(
    'another scrape interval from noon on changes nothing: %s',
    async (policy) => {
      await using kafka = await kafkaOf('denser', { missing_usage: policy });
      const bill = await billOf(kafka, WINDOW);
      expect(coverages(linesOf(bill, 'NETWORK_INGRESS'))).toEqual(['24/24', '24/24']);
      for (const moved of gibs(linesOf(bill, 'NETWORK_INGRESS'))) expect(moved).toBeCloseTo(100, 6);
      expect(bill.problems).toEqual([]);
    },
  );

  it.each([300, 3600])(
    'a short gap over the hour loses no byte while the counter goes on: %d s',
    async (step) => {
      await using kafka = await kafkaOf('hiccup', { broker_count: 2, metrics_step_seconds: step });
      const bill = await billOf(kafka, WINDOW);
      expect(coverages(linesOf(bill, 'NETWORK_INGRESS'))[0]).toBe(`${DAY / step}/${DAY / step}`);
      expect(gibs(linesOf(bill, 'NETWORK_INGRESS'))[0]).toBeCloseTo(48, 5);
      // The instants at which one of them was away are no part of the mean.
      expect(gibs(linesOf(bill, 'STORAGE'))).toEqual([4800, 4800]);
      expect(bill.problems).toEqual([]);
    },
  );

  it.each([300, 3600])('pods that come back with another address hold nothing: %d s', async (step) => {
    await using kafka = await kafkaOf('pods', {
      broker_count: 3,
      metric_preset: 'jmx_exporter',
      metrics_step_seconds: step,
    });
    const bill = await billOf(kafka, WINDOW);
    for (const product of ['NETWORK_INGRESS', 'STORAGE']) {
      expect(coverages(linesOf(bill, product))).toEqual(Array(2).fill(`${DAY / step}/${DAY / step}`));
    }
    // Three times four minutes, and the scrape before each, of 72 GiB.
    const [first, second] = gibs(linesOf(bill, 'NETWORK_INGRESS'));
    expect(first).toBeGreaterThan(72 - (3 * 5) / 60 - 1e-6);
    expect(first).toBeLessThan(72);
    expect(second).toBeCloseTo(72, 5);
    expect(gibs(linesOf(bill, 'STORAGE'))[1]).toBe(7200);
    expect(bill.problems).toEqual([]);
  });

  it('an estimate keeps what was measured beside a gap in an idle hour, and adds nothing', async () => {
    await using kafka = await kafkaOf('idle-gap', { missing_usage: 'estimate' });
    const [line] = linesOf(await billOf(kafka, WINDOW), 'NETWORK_INGRESS');
    expect(coverages([line!])).toEqual(['21/24']);
    expect(line!.quantity.toNumber()).toBeCloseTo(100, 6);
    expect(line!.metadata).not.toHaveProperty('estimated');
  });

  it('an estimate adds the mean rate for the time before a counter began again', async () => {
    await using kafka = await kafkaOf('reset', { missing_usage: 'estimate' });
    const [line] = linesOf(await billOf(kafka, WINDOW), 'NETWORK_INGRESS');
    expect(line!.metadata).toMatchObject({ estimated: true });
    expect(line!.quantity.toNumber()).toBeCloseTo(24, 1);
    await using held = await kafkaOf('reset');
    expect(gibs(linesOf(await billOf(held, WINDOW), 'NETWORK_INGRESS'))[0]).toBeCloseTo(18, 1);
  });

  it('more brokers scraped than billed are told of once a day', async () => {
    await using kafka = await kafkaOf('topics', { broker_count: 2 });
    const { problems } = await billOf(kafka, WINDOW);
    expect(problems.map(({ code, severity, date, message }) => [code, severity, date, message])).toEqual(
      [FIRST, SECOND].map((date) => [
        'CB_METRICS_PARTIAL',
        'warning',
        date,
        `on ${date} 3 brokers were scraped side by side, the settings have 2`,
      ]),
    );
  });

  it.each([
    'cluster="topics", topic=~"shop-.*"',
    '{topic=~"shop-.*",cluster=~"topics|a,topic=\\"b\\""}',
    `topic!='c', topic=~'shop-.*', instance=~"b.", cluster="topics",`,
  ])('a selector of topics chooses what is billed, not which brokers are there: %s', async (selector) => {
    await using kafka = await kafkaOf('topics', { broker_count: 3, selector });
    const bill = await billOf(kafka, WINDOW);
    expect(coverages(linesOf(bill, 'NETWORK_INGRESS'))).toEqual(['24/24', '24/24']);
    expect(gibs(linesOf(bill, 'NETWORK_INGRESS'))[1]).toBeCloseTo(48, 5);
    expect(bill.problems).toEqual([]);
    await using missing = await kafkaOf('topics', { broker_count: 4, selector });
    expect(coverages(linesOf(await billOf(missing, WINDOW), 'NETWORK_INGRESS'))).toEqual(['1/24', '1/24']);
  });

  it('a day on which the byte counters stand still is one on which nobody was there', async () => {
    await using kafka = await kafkaOf('sunday', { metric_preset: 'jmx_exporter' });
    const bill = await billOf(kafka, WINDOW);
    expect(gibs(linesOf(bill, 'NETWORK_INGRESS'))[1]).toBe(0);
    const usage = await usageOf(kafka, WINDOW);
    for (const [key, samples] of [
      ['bytes_in_per_principal', 24],
      ['bytes_out_per_principal', 24],
    ] as const) {
      expect(usage.get(key)!.get(SECOND), key).toMatchObject({
        outcome: 'complete',
        coverage: { samplesSeen: samples, samplesExpected: samples },
        totals: { identityIds: [], values: [] },
      });
    }
  });

  it('nobody is known of a day on which bytes moved that no quota tells of', async () => {
    await using kafka = await kafkaOf('topics', { broker_count: 3, metric_preset: 'jmx_exporter' });
    const usage = await usageOf(kafka, WINDOW);
    for (const key of ['bytes_in_per_principal', 'principals']) {
      expect(usage.get(key)!.get(SECOND), key).toMatchObject({
        outcome: 'partial',
        coverage: { samplesSeen: 0 },
      });
    }
  });
});
