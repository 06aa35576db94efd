import type { BillingLineItem } from '@chargeback/plugin-api';
import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { billOf, connect, days, GIB, linesOf, usageOf } from './support.ts';

const real = requireReal('outages told by a real Prometheus', process.env);

const FIRST = '2026-02-02';
const SECOND = '2026-02-03';
const WINDOW = days(FIRST, 2);
const start = WINDOW.start.getTime() / 1000;
const DAY = 86_400;
const BYTES_IN = 'kafka_server_brokertopicmetrics_bytesin_total';
const BYTES_OUT = 'kafka_server_brokertopicmetrics_bytesout_total';

const clock = (hour: number, minute = 0): number => hour * 3600 + minute * 60;
const secondOfDay = (time: number): number => (time - start + 10 * DAY) % DAY;

function* series(
  name: string,
  labels: Readonly<Record<string, string>>,
  value: (time: number) => number | null,
): Iterable<string> {
  const text = Object.entries(labels).map(([label, one]) => `${label}="${one}"`);
  for (let time = start; time <= start + 2 * DAY; time += 60) {
    const sample = value(time);
    if (sample !== null) yield `${name}{${text.join(',')}} ${sample} ${time}\n`;
  }
}

/** 24 GiB a day, steadily. */
const steady = (time: number): number => Math.floor((24 * GIB * (time - start)) / DAY);

/** A cluster whose brokers each move 24 GiB a day in both directions and hold 100 GiB, where they are scraped. */
function* cluster(
  name: string,
  silent: Readonly<Record<string, (time: number) => boolean>>,
): Iterable<string> {
  for (const [broker, isSilent] of Object.entries(silent)) {
    const labels = { cluster: name, topic: 'orders', broker };
    const scraped =
      (value: (time: number) => number) =>
      (time: number): number | null =>
        isSilent(time) ? null : value(time);
    for (const metric of [BYTES_IN, BYTES_OUT]) {
      yield* series(metric, { ...labels, principal: `p${broker}` }, scraped(steady));
    }
    yield* series(
      'kafka_log_log_size',
      { ...labels, partition: broker },
      scraped(() => 100 * GIB),
    );
  }
}

const never = (): boolean => false;
const between =
  (day: number, from: number, to: number) =>
  (time: number): boolean =>
    time > start + day * DAY + from && time < start + day * DAY + to;

/** Quota gauges: one user in the morning, another with nine times as much after noon. */
function* quotas(name: string, isSilent: (time: number) => boolean): Iterable<string> {
  const labels = { cluster: name, instance: 'b1' };
  const bytes = (time: number): number | null => (isSilent(time) ? null : steady(time));
  for (const metric of [BYTES_IN, BYTES_OUT]) yield* series(metric, { ...labels, topic: 'orders' }, bytes);
  yield* series('kafka_log_log_size', { ...labels, topic: 'orders', partition: '0' }, (time) =>
    isSilent(time) ? null : GIB,
  );
  for (const resource of ['Produce', 'Fetch']) {
    for (const [user, half, rate] of [
      ['morning', 0, 1000],
      ['afternoon', 1, 9000],
    ] as const) {
      yield* series('kafka_server_quota_byte_rate', { ...labels, resource, user }, (time) => {
        const mine = secondOfDay(time - 60) >= DAY / 2 ? 1 : 0;
        // Ends with a zero, so that nothing is looked back to.
        const ended = secondOfDay(time - 120) >= DAY / 2 ? 1 : 0;
        if (isSilent(time) || (half === 1 && time < start + DAY / 2) || (mine !== half && ended !== half))
          return null;
        return mine === half ? rate : 0;
      });
    }
  }
}

/** A batch from 02:00 to 04:00 that sends and fetches 10 GiB; the quota is forgotten right after. */
function* nightly(
  name: string,
  answering: (broker: string, time: number) => boolean,
  exporting: (broker: string, time: number) => boolean = () => true,
): Iterable<string> {
  for (const resource of ['Produce', 'Fetch']) {
    const labels = { cluster: name, instance: 'b1', resource, user: 'batch' };
    yield* series('kafka_server_quota_byte_rate', labels, (time) => {
      const second = secondOfDay(time);
      if (second > clock(2) && second <= clock(4)) return (10 * GIB) / 7200;
      return second === clock(4, 1) ? 0 : null;
    });
  }
  yield* series(
    'kminion_kafka_topic_log_dir_size_total_bytes',
    { cluster: name, topic_name: 'orders' },
    () => 100 * GIB,
  );
  for (const broker_id of ['1', '2', '3']) {
    const labels = { cluster: name, broker_id };
    yield* series('kminion_kafka_broker_log_dir_size_total_bytes', labels, (time) =>
      answering(broker_id, time) ? GIB : null,
    );
    const exporter = { cluster: name, instance: `b${broker_id}` };
    yield* series('jmx_scrape_duration_seconds', exporter, (time) =>
      exporting(broker_id, time) ? 0.2 : null,
    );
    // Only brokers have metrics of the server; a worker of Kafka Connect has an exporter of the same kind.
    yield* series('kafka_server_replicamanager_leadercount', exporter, (time) =>
      exporting(broker_id, time) ? 7 : null,
    );
    yield* series('kafka_server_brokertopicmetrics_bytesin_total', exporter, (time) =>
      exporting(broker_id, time) ? 1 : null,
    );
    const worker = { cluster: name, instance: `connect${broker_id}` };
    yield* series('jmx_scrape_duration_seconds', worker, () => 0.2);
  }
}

const coverages = (lines: readonly BillingLineItem[]): string[] =>
  lines.map(({ coverage }) => `${coverage!.samplesSeen}/${coverage!.samplesExpected}`);
const gibs = (lines: readonly BillingLineItem[]): number[] =>
  lines.map(({ quantity }) => Number(quantity.toFixed(6)));

describe.skipIf(!real)('what the exporters do not tell', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  beforeAll(async () => {
    const noon = between(0, clock(12), 2 * DAY + 1);
    const text = [
      ...cluster('three', { 1: never, 2: never, 3: between(0, clock(6), clock(18)) }),
      ...cluster('gaps', {
        1: (time) =>
          between(0, clock(13, 3), clock(14, 57))(time) || between(1, clock(13, 15), clock(13, 40))(time),
      }),
      ...quotas('healed', never),
      ...quotas('lagging', noon),
      ...nightly('quiet', () => true),
      ...nightly('lost', (broker, time) => broker !== '3' || !between(0, clock(6), clock(18))(time)),
      ...nightly(
        'mute',
        () => true,
        (broker, time) => broker !== '3' || !between(0, clock(6), clock(18))(time),
      ),
      ...nightly(
        'blind',
        () => true,
        () => false,
      ),
      '# EOF\n',
    ];
    prometheus = await startRealPrometheus({ openMetrics: text.join('') });
  });
  afterAll(async () => prometheus?.stop());

  const kafkaOf = (name: string, overrides: object) =>
    connect(
      {
        metrics: { url: prometheus.url, max_attempts: 1 },
        selector: `cluster="${name}"`,
        ...overrides,
      },
      { now: new Date('2026-02-04T12:00:00Z') },
    );

  it('a broker whose exporter is down for twelve hours: they count as not covered, and say who is missing', async () => {
    await using kafka = await kafkaOf('three', { broker_count: 3 });
    const bill = await billOf(kafka, WINDOW);
    for (const product of ['NETWORK_INGRESS', 'NETWORK_EGRESS']) {
      expect(coverages(linesOf(bill, product))).toEqual(['12/24', '24/24']);
    }
    // 06:00 and 18:00 are the ends of hours and have a sample.
    expect(coverages(linesOf(bill, 'STORAGE'))).toEqual(['13/24', '24/24']);
    // The mean is that of the hours in which all three answered: 300 GiB, as on the next day.
    expect(gibs(linesOf(bill, 'STORAGE'))).toEqual([7200, 7200]);
    const found = bill.problems.filter(({ path }) => path === 'cluster_bytes_in');
    expect(found).toMatchObject([{ code: 'CB_METRICS_PARTIAL', severity: 'warning', date: FIRST }]);
    expect(found[0]!.message).toBe(
      `cluster_bytes_in: on ${FIRST} 12 of 24 steps rest on 3 brokers; 2 answered in the worst, with gaps in 3`,
    );
    const usage = await usageOf(kafka, WINDOW);
    const outcomes = (key: string) => [FIRST, SECOND].map((date) => usage.get(key)!.get(date)!.outcome);
    expect(outcomes('bytes_in_per_principal')).toEqual(['partial', 'complete']);
    // Who was there is told by the other hours, and by the hour in which the broker is seen again.
    expect(outcomes('principals')).toEqual(['complete', 'complete']);
  });

  it('an estimate adds nothing for a gap that the counters bridge', async () => {
    await using kafka = await kafkaOf('three', { broker_count: 3, missing_usage: 'estimate' });
    const ingress = linesOf(await billOf(kafka, WINDOW), 'NETWORK_INGRESS');
    // The counter of the third went on through the gap: nothing is left to estimate.
    expect(gibs(ingress)).toEqual([72, 72]);
    expect(ingress.map(({ metadata }) => metadata['estimated'])).toEqual([true, undefined]);
  });

  it('more brokers in the settings than there are: no step counts, yet the cost is not called unknown', async () => {
    await using kafka = await kafkaOf('three', { broker_count: 4 });
    const bill = await billOf(kafka, days(SECOND, 1));
    expect(coverages(linesOf(bill, 'NETWORK_INGRESS'))).toEqual(['1/24']);
    expect(gibs(linesOf(bill, 'NETWORK_INGRESS'))).toEqual([72]);
    expect(bill.problems.map(({ message }) => message)).toContain(
      `cluster_bytes_in: on ${SECOND} 0 of 24 steps rest on 4 brokers; 3 answered in the worst`,
    );
  });

  it('a gap over the end of an hour loses traffic and so both hours; one inside an hour loses neither', async () => {
    await using kafka = await kafkaOf('gaps', { broker_count: 1 });
    const ingress = linesOf(await billOf(kafka, WINDOW), 'NETWORK_INGRESS');
    expect(coverages(ingress)).toEqual(['22/24', '24/24']);
    expect(gibs(ingress)[0]).toBeLessThan(22.5);
    expect(gibs(ingress)[1]).toBeCloseTo(24, 5);
    // What passed in the gap is in the day as a whole, though in no hour.
    await using estimated = await kafkaOf('gaps', { broker_count: 1, missing_usage: 'estimate' });
    expect(gibs(linesOf(await billOf(estimated, WINDOW), 'NETWORK_INGRESS'))[0]).toBeCloseTo(24, 4);
  });

  it.each([300, 900, 1800])('a gap is one with a step of %d s too', async (metrics_step_seconds) => {
    await using kafka = await kafkaOf('gaps', { broker_count: 1, metrics_step_seconds });
    const { coverage } = linesOf(await billOf(kafka, WINDOW), 'NETWORK_INGRESS')[0]!;
    // From 13:03 to 14:57: every step that any of it lies in, but for what a single missed scrape is.
    const [from, to] = [clock(13, 3), clock(14, 57)];
    const touched = Math.ceil(to / metrics_step_seconds) - Math.floor(from / metrics_step_seconds);
    expect(coverage!.samplesExpected - coverage!.samplesSeen).toBe(touched);
  });

  it('quota metrics of a morning are half a day, however many there are; silence of a user is no gap', async () => {
    const overrides = { broker_count: 1, metric_preset: 'jmx_exporter' };
    await using lagging = await kafkaOf('lagging', overrides);
    const early = await usageOf(lagging, days(FIRST, 1));
    for (const [key, samplesSeen, samplesExpected] of [
      ['bytes_in_per_principal', 12, 24],
      ['bytes_out_per_principal', 12, 24],
      // Asked once, at the end of the day, of which nothing has come in.
      ['principals', 0, 1],
    ] as const) {
      expect(early.get(key)!.get(FIRST), key).toMatchObject({
        outcome: 'partial',
        coverage: { samplesSeen, samplesExpected },
        totals: { identityIds: ['morning'] },
      });
    }
    await using healed = await kafkaOf('healed', overrides);
    const whole = (await usageOf(healed, days(FIRST, 1))).get('bytes_in_per_principal')!.get(FIRST)!;
    expect(whole).toMatchObject({
      outcome: 'complete',
      totals: { identityIds: ['afternoon', 'morning'], values: [9000 * 43_200, 1000 * 43_200] },
    });
  });

  it.each(['hold', 'estimate', 'fallback'])(
    'kminion, %s: hours in which nobody sends are hours without traffic',
    async (missing_usage) => {
      await using kafka = await kafkaOf('quiet', {
        broker_count: 3,
        metric_preset: 'kminion',
        missing_usage,
      });
      const bill = await billOf(kafka, WINDOW);
      for (const product of ['NETWORK_INGRESS', 'NETWORK_EGRESS']) {
        expect(gibs(linesOf(bill, product))).toEqual([10, 10]);
        expect(coverages(linesOf(bill, product))).toEqual(['24/24', '24/24']);
      }
      expect(gibs(linesOf(bill, 'STORAGE'))).toEqual([2400, 2400]);
      expect(bill.problems).toEqual([]);
    },
  );

  it('kminion: a broker that it cannot ask is missing, though the exporter answers', async () => {
    await using kafka = await kafkaOf('lost', { broker_count: 3, metric_preset: 'kminion' });
    const bill = await billOf(kafka, WINDOW);
    expect(coverages(linesOf(bill, 'NETWORK_INGRESS'))).toEqual(['12/24', '24/24']);
    expect(coverages(linesOf(bill, 'STORAGE'))).toEqual(['13/24', '24/24']);
  });

  it('kminion: a broker whose own exporter is silent is missing in the traffic, not in the bytes on disk', async () => {
    await using kafka = await kafkaOf('mute', { broker_count: 3, metric_preset: 'kminion' });
    const bill = await billOf(kafka, WINDOW);
    expect(coverages(linesOf(bill, 'NETWORK_INGRESS'))).toEqual(['12/24', '24/24']);
    expect(coverages(linesOf(bill, 'STORAGE'))).toEqual(['24/24', '24/24']);
    expect(bill.problems.map(({ message }) => message)).toContain(
      `cluster_bytes_in: on ${FIRST} 12 of 24 steps rest on 3 exporters of brokers; 2 answered in the worst, with gaps in b3`,
    );
    const usage = await usageOf(kafka, WINDOW);
    expect(usage.get('bytes_in_per_principal')!.get(FIRST)!.outcome).toBe('partial');
  });

  it('kminion: without a series of the exporters no day is called whole, and each says so once', async () => {
    await using kafka = await kafkaOf('blind', { broker_count: 3, metric_preset: 'kminion' });
    const bill = await billOf(kafka, WINDOW);
    expect(coverages(linesOf(bill, 'NETWORK_INGRESS'))).toEqual(['23/24', '23/24']);
    expect(bill.problems.map(({ code, date, path }) => [code, date, path])).toEqual([
      ['CB_METRICS_PARTIAL', FIRST, 'exporter_scrapes'],
      ['CB_METRICS_PARTIAL', SECOND, 'exporter_scrapes'],
    ]);
    // Nothing is known to be missing, so nothing is added for it.
    await using estimated = await kafkaOf('blind', {
      broker_count: 3,
      metric_preset: 'kminion',
      missing_usage: 'estimate',
    });
    expect(gibs(linesOf(await billOf(estimated, WINDOW), 'NETWORK_INGRESS'))).toEqual([10, 10]);
    const scrapes =
      'max by (instance) (count_over_time(jmx_scrape_duration_seconds{instance!~"connect.*",{selector}}[{step}]))';
    await using own = await kafkaOf('quiet', {
      broker_count: 3,
      metric_preset: 'kminion',
      queries: { exporter_scrapes: scrapes.replace('instance', 'instance, job') },
    });
    expect((await billOf(own, WINDOW)).problems).toEqual([]);
  });

  it('a query of one’s own counts scrapes where the exporters have other names', async () => {
    const scrapes = 'max by (instance) (count_over_time(kafka_server_quota_byte_rate{{selector}}[{step}]))';
    const overrides = { broker_count: 1, metric_preset: 'jmx_exporter', queries: { scrapes } };
    await using kafka = await kafkaOf('quiet', { ...overrides, selector: 'cluster="lagging"' });
    expect(coverages(linesOf(await billOf(kafka, days(FIRST, 1)), 'NETWORK_INGRESS'))).toEqual(['12/24']);
  });
});
