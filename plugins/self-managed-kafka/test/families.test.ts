import type { BillingBatch, Ecosystem } from '@chargeback/plugin-api';
import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { billOf, connect, days, GIB, linesOf, never, usageOf } from './support.ts';
import {
  bytesByPrincipal,
  DIRECTIONS,
  FAMILIES,
  familiesText,
  PRINCIPALS,
  storedByTopic,
  sum,
  TOPICS,
} from './traffic.ts';

const real = requireReal('the naming families against a real Prometheus', process.env);

const FIRST = '2026-02-02';
const SECOND = '2026-02-03';
const WINDOW = days(FIRST, 2);
const NOW = new Date('2026-02-03T12:00:00Z');

/** Quantities and costs, without what names the cluster. */
const amounts = ({ lines }: BillingBatch): string[] =>
  lines.map(({ productType, timestamp, quantity, totalCost, coverage }) =>
    [timestamp.toISOString(), productType, quantity, totalCost.units, JSON.stringify(coverage)].join(' '),
  );

describe.skipIf(!real)('the same traffic told by each naming family, in one real Prometheus', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  beforeAll(async () => {
    const shape = { firstDay: WINDOW.start.getTime() / 1000, days: 2 };
    prometheus = await startRealPrometheus({ openMetrics: [...familiesText(shape)].join('') });
  });
  afterAll(async () => prometheus?.stop());

  async function withKafka<Result>(
    family: string,
    overrides: object,
    work: (kafka: Ecosystem) => Promise<Result>,
  ): Promise<Result> {
    await using kafka = await connect(
      {
        metrics: { url: prometheus.url, max_attempts: 1 },
        metric_preset: family,
        selector: `cluster="${family}"`,
        ...overrides,
      },
      { now: NOW },
    );
    return await work(kafka);
  }

  it.each(FAMILIES)('%s: bills every byte once, neither the aggregate nor a restart', async (family) => {
    const bill = await withKafka(family, {}, (kafka) => billOf(kafka, WINDOW));
    for (const [product, direction] of [
      ['NETWORK_INGRESS', 'in'],
      ['NETWORK_EGRESS', 'out'],
    ] as const) {
      const gib = linesOf(bill, product).map(({ quantity }) => quantity.toNumber());
      const expected = [0, 1].map(
        (day) => sum([...bytesByPrincipal(direction, day).values()], (one) => one) / GIB,
      );
      expect(gib).toEqual(expected);
    }
    const gibHours = linesOf(bill, 'STORAGE').map(({ quantity }) => quantity.toNumber());
    const stored = [0, 1].map((day) => sum([...storedByTopic(day).values()].flat(), (one) => one) / GIB);
    expect(gibHours).toEqual(stored);
    expect(bill.problems).toEqual([]);
  });

  it('gives the same bill to the digit, whichever family tells', async () => {
    const bills = await Promise.all(
      FAMILIES.map((family) => withKafka(family, {}, async (kafka) => amounts(await billOf(kafka, WINDOW)))),
    );
    expect(bills[0]).toHaveLength(8);
    for (const bill of bills) expect(bill).toEqual(bills[0]);
  });

  it.each(FAMILIES)(
    '%s: tells the bytes of each principal, also of one who came for half an hour',
    async (family) => {
      const usage = await withKafka(family, {}, (kafka) => usageOf(kafka, WINDOW));
      for (const direction of DIRECTIONS) {
        for (const [day, date] of [FIRST, SECOND].entries()) {
          const { totals, outcome } = usage.get(`bytes_${direction}_per_principal`)!.get(date)!;
          const seen = new Map(totals.identityIds.map((name, index) => [name, totals.values[index]!]));
          const expected = [...bytesByPrincipal(direction, day)].filter(
            ([name, bytes]) => bytes > 0 || seen.has(name),
          );
          expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected));
          expect(outcome).toBe('complete');
        }
      }
      const { totals, outcome } = usage.get('principals')!.get(FIRST)!;
      expect(outcome).toBe('complete');
      expect(PRINCIPALS).toEqual(expect.arrayContaining([...totals.identityIds]));
    },
  );

  it.each(FAMILIES)('%s: knows the retained bytes of each topic', async (family) => {
    const overrides = { storage_allocation: 'owner_bytes', ownership: [{ topic: '*', team: 'platform' }] };
    const usage = await withKafka(family, overrides, (kafka) => usageOf(kafka, WINDOW));
    const { totals } = usage.get('bytes_stored_per_topic')!.get(FIRST)!;
    expect(totals.identityIds).toEqual(TOPICS.map((topic) => `topic:${topic}`));
    const means = [...storedByTopic(0).values()].map((hours) => sum(hours, (one) => one) / 24);
    expect(totals.values).toEqual(means);
  });

  // Samples lie on every step here, so that Prometheus has nothing to extrapolate and the totals are equal to the
  // digit. With scrapes in between, an increase is extrapolated to the edges of each step: by less than a scrape.
  // Storage changes on the hour only: what happens between two instants no step sees.
  it.each(['jmx_exporter', 'kminion', 'plain'])('%s: any step gives the same totals', async (family) => {
    const totals = await Promise.all(
      [300, 900, 1800, 3600].map((metrics_step_seconds) =>
        withKafka(family, { metrics_step_seconds }, async (kafka) =>
          (await billOf(kafka, WINDOW)).lines.map(({ lineId, totalCost }) => `${lineId} ${totalCost.units}`),
        ),
      ),
    );
    for (const total of totals) expect(total).toEqual(totals[3]);
  });

  it('keeps the clusters of one metrics server apart by the selector alone', async () => {
    const own = await withKafka('jmx_exporter', {}, (kafka) => billOf(kafka, WINDOW));
    const both = await withKafka('jmx_exporter', { selector: 'cluster=~"jmx_exporter|plain"' }, (kafka) =>
      billOf(kafka, WINDOW),
    );
    const [mine, ours] = [own, both].map((bill) => linesOf(bill, 'NETWORK_INGRESS')[0]!.quantity.toNumber());
    expect(ours).toBeCloseTo(mine! * 2, 9);
    const none = await withKafka('strimzi', { selector: 'cluster="elsewhere"' }, (kafka) =>
      billOf(kafka, WINDOW),
    );
    expect(linesOf(none, 'NETWORK_INGRESS')[0]!.coverage).toEqual({ samplesSeen: 0, samplesExpected: 24 });
  });

  it('takes a query of the tenant’s own in place of the preset’s: here the aggregate itself', async () => {
    const metric = 'kafka_server_brokertopicmetrics_bytesin_total';
    const queries = { cluster_bytes_in: `sum(increase(${metric}{topic="",{selector}}[{step}]))` };
    const preset = await withKafka('jmx_exporter', {}, async (kafka) => amounts(await billOf(kafka, WINDOW)));
    const own = await withKafka('jmx_exporter', { queries }, async (kafka) =>
      amounts(await billOf(kafka, WINDOW)),
    );
    expect(own).toEqual(preset);
  });

  it('names principals by another label where that is asked for', async () => {
    const overrides = { identity_source: { label: 'client_id' } };
    const usage = await withKafka('strimzi', overrides, (kafka) => usageOf(kafka, WINDOW));
    const { totals } = usage.get('bytes_in_per_principal')!.get(SECOND)!;
    expect(totals.identityIds).toEqual(['app']);
    expect(totals.values).toEqual([sum([...bytesByPrincipal('in', 1).values()], (one) => one)]);
  });

  it.each(FAMILIES)(
    '%s: lists the cluster, its brokers and its topics with partitions and replicas',
    async (family) => {
      const listed = await withKafka(family, { region: 'eu' }, async (kafka) => {
        const batches = [];
        for await (const batch of kafka.resources!(WINDOW, never())) batches.push(batch);
        return batches;
      });
      expect(listed).toHaveLength(1);
      expect(listed[0]!.authoritativeFor).toEqual(['cluster', 'broker', 'topic']);
      expect(listed[0]!.resources.map(({ resourceId, metadata }) => [resourceId, metadata])).toEqual([
        ['kafka-1', { broker_count: 3, region: 'eu' }],
        ...['1', '2', '3'].map((broker) => [`kafka-1:broker:${broker}`, { cluster_id: 'kafka-1' }]),
        ...TOPICS.map((topic) => [
          `kafka-1:topic:${topic}`,
          { cluster_id: 'kafka-1', partitions: 2, replication_factor: 2 },
        ]),
      ]);
    },
  );

  it('calls nothing deleted because the exporters have been silent for longer than it looks back', async () => {
    const listed = await withKafka('jmx_exporter', { selector: 'cluster="elsewhere"' }, async (kafka) => {
      for await (const batch of kafka.resources!(WINDOW, never())) return batch;
      return undefined;
    });
    expect(listed!.authoritativeFor).toEqual(['cluster']);
    expect(listed!.resources.map(({ resourceId }) => resourceId)).toEqual(['kafka-1']);
  });

  it.each(['plain', 'jmx_exporter'])(
    '%s: knows who was there for half an hour of the day, and days later within the discovery window',
    async (family) => {
      const seen = async (hours: number, date: string): Promise<readonly string[]> => {
        const overrides = { discovery_window_hours: hours };
        const usage = await withKafka(family, overrides, (kafka) => usageOf(kafka, WINDOW));
        return usage.get('principals')!.get(date)!.totals.identityIds;
      };
      expect(await seen(1, FIRST)).toEqual([...PRINCIPALS]);
      expect(await seen(48, SECOND)).toEqual([...PRINCIPALS]);
    },
  );
});
