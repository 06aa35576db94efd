import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  GIB,
  firstDay,
  type Run,
  workplace,
  type Workplace,
  isoDay,
  amountsOf,
  total,
  series,
  counterTo,
  BYTES_IN,
  BYTES_OUT,
  PARTS,
} from './kafka-support.ts';

const real = requireReal('gaps in a real Prometheus', process.env);

/** Five hours of the first day without a sample of anything. */
function* withGap(): Iterable<string> {
  const inGap = (instant: number): boolean =>
    instant > firstDay + 10 * 3600 && instant < firstDay + 15 * 3600;
  for (const [principal, bytes] of Object.entries(PARTS)) {
    for (const metric of [BYTES_IN, BYTES_OUT]) {
      const labels = { topic: 'orders', principal };
      yield* series(metric, labels, (instant) => (inGap(instant) ? null : counterTo(bytes)(instant)));
    }
  }
  const labels = { topic: 'orders', partition: '0', broker: '1' };
  yield* series('kafka_log_log_size', labels, (instant) => (inGap(instant) ? null : 100 * GIB));
  yield '# EOF\n';
}

describe.skipIf(!real)('five hours without metrics, in a real Prometheus', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  let place: Workplace;
  let first: ReadonlyMap<string, Run>;
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: [...withGap()].join('') });
    const policies = ['hold', 'estimate', 'fallback'] as const;
    place = await workplace(prometheus.url, {
      ...Object.fromEntries(policies.map((missing_usage) => [missing_usage, { missing_usage }])),
      settled: { missing_usage: 'hold' },
    });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await place?.remove();
  });

  it('hold what they make uncertain, say so, and bill compute and the other day', async () => {
    const { exitCode, runs } = await place.run();
    first = runs;
    expect(exitCode).toBe(1);
    const held = runs.get('hold')!;
    expect(held).toMatchObject({ dates_calculated: 1, dates_held: 1 });
    // A gauge is seen again at the end of the gap, an increase an hour later.
    for (const [product, seen] of [
      ['STORAGE', 20],
      ['NETWORK_INGRESS', 19],
      ['NETWORK_EGRESS', 19],
    ] as const) {
      const told = held.problems.filter(({ message }) => message.includes(`SELF_KAFKA_${product}`));
      expect(told).toMatchObject([{ code: 'CB_USAGE_INCOMPLETE', severity: 'error', date: isoDay(0) }]);
      expect(told[0]!.message).toContain(`${seen} of 24 samples`);
    }
    const rows = await place.rowsOf('hold');
    expect(amountsOf(rows, 'NETWORK_INGRESS')).toEqual({});
    expect(total(amountsOf(rows, 'NETWORK_INGRESS', isoDay(1)))).toBe(50_000_000n);
  });

  it('are scaled up under estimate: the day costs what a whole one does, marked', async () => {
    const rows = await place.rowsOf('estimate');
    // A steady 50 GiB a day, of which 19 hours were seen: 19 of 24 scaled by 24 ÷ 19.
    expect(Number(total(amountsOf(rows, 'NETWORK_INGRESS'))) / 1e8).toBeCloseTo(0.5, 6);
    expect(total(amountsOf(rows, 'STORAGE'))).toBe(24_000_000n);
    expect(total(amountsOf(rows, 'COMPUTE'))).toBe(3_600_000_000n);
  });

  it('are billed with what there is under fallback, never in silence', async () => {
    const rows = await place.rowsOf('fallback');
    expect(Number(total(amountsOf(rows, 'NETWORK_INGRESS'))) / 1e8).toBeCloseTo((0.5 * 19) / 24, 6);
    const warned = first.get('fallback')!.problems.filter(({ code }) => code === 'CB_USAGE_INCOMPLETE');
    expect(warned.map(({ severity }) => severity)).toEqual(['warning', 'warning', 'warning']);
  });

  it('fall back when allocation_retry_limit is reached, with a warning', async () => {
    const problems = first.get('settled')!.problems.map(({ code, severity }) => `${code} ${severity}`);
    // The steps that lack scrapes, and the lines that rest on the others.
    expect(new Set(problems)).toEqual(new Set(['CB_METRICS_PARTIAL warning', 'CB_USAGE_INCOMPLETE warning']));
    const rows = await place.rowsOf('settled');
    expect(rows).toEqual(await place.rowsOf('fallback'));
    expect(amountsOf(rows, 'COMPUTE')).toEqual({
      'team-a': '12.0000',
      'team-b': '12.0000',
      'team-c': '12.0000',
    });
  });
});
