import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  amountsOf,
  BYTES_IN,
  BYTES_OUT,
  counterTo,
  DAY,
  firstDay,
  GIB,
  isoDay,
  type Run,
  series,
  total,
  workplace,
  type Workplace,
} from './kafka-support.ts';

const real = requireReal('what changes between two runs, in a real Prometheus', process.env);

const NOON = firstDay + DAY / 2;
const always = (): boolean => true;

/** 24 GiB a day on one broker, where the server has samples of it; in the morning of one user, then of another. */
function* cluster(isKept: (instant: number) => boolean): Iterable<string> {
  const kept =
    (value: (instant: number) => number | null) =>
    (instant: number): number | null =>
      isKept(instant) ? value(instant) : null;
  const labels = { topic: 'orders', instance: 'b1' };
  for (const metric of [BYTES_IN, BYTES_OUT]) yield* series(metric, labels, kept(counterTo(24 * GIB)));
  yield* series(
    'kafka_log_log_size',
    { ...labels, partition: '0' },
    kept(() => 100 * GIB),
  );
  for (const resource of ['Produce', 'Fetch']) {
    const quota = 'kafka_server_quota_byte_rate';
    const morning = { resource, instance: 'b1', user: 'morning' };
    yield* series(
      quota,
      morning,
      kept((instant) => (instant <= NOON ? 1_000_000 : null)),
    );
    const afternoon = { resource, instance: 'b1', user: 'afternoon' };
    yield* series(
      quota,
      afternoon,
      kept((instant) => (instant > NOON ? 9_000_000 : null)),
    );
  }
}

describe.skipIf(!real)('between two runs', () => {
  const servers: Awaited<ReturnType<typeof startRealPrometheus>>[] = [];
  let place: Workplace;
  let first: ReadonlyMap<string, Run>;
  let second: ReadonlyMap<string, Run>;
  const [lagging, whole, forgetful] = [0, 1, 2];
  const at = (server: number): object => ({ metrics: { url: servers[server]!.url } });
  beforeAll(async () => {
    for (const kept of [(time: number) => time <= NOON, always, (time: number) => time > firstDay + DAY]) {
      const openMetrics = [...cluster(kept), '# EOF\n'].join('');
      servers.push(await startRealPrometheus({ openMetrics }));
    }
    const jmx = { metric_preset: 'jmx_exporter', broker_count: 1 };
    place = await workplace(servers[whole]!.url, {
      healed: { ...jmx, ...at(lagging) },
      undisturbed: { ...jmx, ...at(whole) },
      renamed: { ...jmx, ...at(whole) },
      grown: { ...jmx, ...at(whole) },
    });
    first = (await place.run()).runs;
    await place.change('healed', at(whole));
    await place.change('renamed', { ...at(forgetful), cluster_id: 'kafka-one' });
    await place.change('grown', {
      ...at(forgetful),
      changes: [{ valid_from: isoDay(1), broker_count: 2, cost_model: { network_ingress_per_gib: '0.02' } }],
    });
    second = (await place.run()).runs;
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    await place?.remove();
  });

  it('a server that had only the morning catches up: everybody bears what they used', async () => {
    expect(first.get('healed')).toMatchObject({ dates_calculated: 0, dates_held: 2 });
    expect(second.get('healed')!.problems).toEqual([]);
    const rows = await place.rowsOf('healed');
    expect(rows).toEqual(await place.rowsOf('undisturbed'));
    const { morning, afternoon } = amountsOf(rows, 'NETWORK_INGRESS');
    // Nine to one, but for the minutes that a gauge is looked back to.
    expect(Number(afternoon) / Number(morning)).toBeCloseTo(9, 0);
  });

  it('a cluster gets another name and the server has forgotten the day: what was measured stays', async () => {
    const rows = await place.rowsOf('renamed');
    for (const product of ['NETWORK_INGRESS', 'NETWORK_EGRESS', 'STORAGE']) {
      const before = amountsOf(await place.rowsOf('undisturbed'), product);
      expect(amountsOf(rows, product), product).toEqual(before);
      expect(total(before)).toBeGreaterThan(0n);
    }
    const problem = second.get('renamed')!.problems.find(({ date }) => date === isoDay(0));
    expect(problem).toMatchObject({ code: 'CB_USAGE_INCOMPLETE', severity: 'warning' });
    expect(problem!.message).toContain('still stands on the earlier settings for');
  });

  it('brokers and rates from a day on leave the days before as they were', async () => {
    const rows = await place.rowsOf('grown');
    const before = await place.rowsOf('undisturbed');
    for (const product of ['COMPUTE', 'NETWORK_INGRESS', 'NETWORK_EGRESS', 'STORAGE']) {
      expect(amountsOf(rows, product), product).toEqual(amountsOf(before, product));
    }
    expect(total(amountsOf(before, 'COMPUTE', isoDay(1)))).toBe(1_200_000_000n);
    expect(total(amountsOf(rows, 'COMPUTE', isoDay(1)))).toBe(2_400_000_000n);
  });
});
