import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DAY,
  GIB,
  firstDay,
  SPECIFIED,
  workplace,
  type Workplace,
  amountsOf,
  total,
  series,
  counterTo,
  BYTES_IN,
  BYTES_OUT,
  PARTS,
} from './kafka-support.ts';

const real = requireReal('the worked examples against a real Prometheus', process.env);

/** The same with 333, 333 and 334 of a thousand. */
const UNEVEN = { 'team-a': 333, 'team-b': 333, 'team-c': 334 };

function* workedExamples(): Iterable<string> {
  for (const metric of [BYTES_IN, BYTES_OUT]) {
    for (const [principal, bytes] of Object.entries(PARTS)) {
      yield* series(metric, { cluster: 'spec', topic: 'orders', principal }, counterTo(bytes));
    }
    yield* series(metric, { cluster: 'spec' }, counterTo(50 * GIB));
    for (const [principal, parts] of Object.entries(UNEVEN)) {
      const labels = { cluster: 'uneven', topic: 'orders', principal };
      yield* series(metric, labels, counterTo(parts * 2 ** 20 * 288));
    }
  }
  // Three sizes of eight hours each: two replicas of one partition.
  const sizes = [107_374_182_400, 112_742_891_520, 107_374_182_400];
  for (const broker of ['1', '2']) {
    for (const cluster of ['spec', 'uneven']) {
      yield* series('kafka_log_log_size', { cluster, topic: 'orders', partition: '0', broker }, (instant) => {
        const eighth = Math.floor((((instant - firstDay - 1 + DAY) % DAY) / DAY) * 3);
        return sizes[eighth]! / 2;
      });
    }
  }
  yield '# EOF\n';
}

describe.skipIf(!real)('the worked examples of the specification, from a real Prometheus', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  let place: Workplace;
  const selector = 'cluster="spec"';
  const static_identities = ['identity-a', 'identity-b', 'identity-c'].map((identity_id) => ({
    identity_id,
    identity_type: 'team',
  }));
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: [...workedExamples()].join('') });
    place = await workplace(prometheus.url, {
      spec: { selector },
      even: {
        selector,
        cost_model: { ...SPECIFIED, network_ingress_per_gib: '0.20' },
        identity_source: { source: 'static', static_identities },
      },
      ratio: { selector, cost_model: { ...SPECIFIED, network_ingress_per_gib: '2' } },
      uneven: {
        selector: 'cluster="uneven"',
        cost_model: { ...SPECIFIED, network_ingress_per_gib: String(100 / 281.25) },
      },
    });
    const { exitCode, runs } = await place.run();
    expect([...runs.values()].flatMap(({ problems }) => problems)).toEqual([]);
    expect(exitCode).toBe(0);
  });
  afterAll(async () => {
    await prometheus?.stop();
    await place?.remove();
  });

  it('compute: 3 brokers × 24 hours × 0.50 = 36.00', async () => {
    const compute = amountsOf(await place.rowsOf('spec'), 'COMPUTE');
    expect(compute).toEqual({ 'team-a': '12.0000', 'team-b': '12.0000', 'team-c': '12.0000' });
  });

  it('storage: a mean of 101.67 GiB × 24 hours × 0.0001 = 0.2440', async () => {
    const storage = amountsOf(await place.rowsOf('spec'), 'STORAGE');
    expect(storage).toEqual({ 'team-a': '0.0814', 'team-b': '0.0813', 'team-c': '0.0813' });
    expect(total(storage)).toBe(24_400_000n);
  });

  it('network: 50 GiB × 0.01 = 0.50, and out at 0.02 = 1.00', async () => {
    const rows = await place.rowsOf('spec');
    const parts = { 'team-a': '0.2500', 'team-b': '0.1500', 'team-c': '0.1000' };
    expect(amountsOf(rows, 'NETWORK_INGRESS')).toEqual(parts);
    expect(total(amountsOf(rows, 'NETWORK_EGRESS'))).toBe(100_000_000n);
  });

  it('even split: 10.00 across three is 3.3334, 3.3333 and 3.3333', async () => {
    const split = amountsOf(await place.rowsOf('even'), 'NETWORK_INGRESS');
    expect(split).toEqual({ 'identity-a': '3.3334', 'identity-b': '3.3333', 'identity-c': '3.3333' });
  });

  it('usage ratio: 100.00 by 500, 300 and 200 GiB is 50, 30 and 20', async () => {
    const rows = await place.rowsOf('ratio');
    const split = { 'team-a': '50.0000', 'team-b': '30.0000', 'team-c': '20.0000' };
    expect(amountsOf(rows, 'NETWORK_INGRESS')).toEqual(split);
    const details = rows.filter(({ productType }) => productType === 'SELF_KAFKA_NETWORK_INGRESS');
    expect(new Set(details.map(({ detail, method }) => `${method} ${detail}`))).toEqual(
      new Set(['usage_ratio USAGE_RATIO_ALLOCATION']),
    );
  });

  it('usage ratio: 100.00 by 333, 333 and 334 is 33.30, 33.30 and 33.40', async () => {
    const split = amountsOf(await place.rowsOf('uneven'), 'NETWORK_INGRESS');
    expect(split).toEqual({ 'team-a': '33.3000', 'team-b': '33.3000', 'team-c': '33.4000' });
  });
});
