import type { UsageDay } from '@chargeback/plugin-api';
import type { SimulatorRequest } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { counters, simulated, WINDOW } from './simulated.ts';
import { createMetricsSource } from '../src/index.ts';
import { days, never, silent, usageOf, usageQuery } from './support.ts';
import { bothWays } from './summed.ts';

const NAMES = Array.from({ length: 100 }, (_, index) => `svc-${index}`);
const busy = () => counters(NAMES, (index, hour) => index * 100 + (hour % 7));
type Request = Pick<SimulatorRequest, 'query' | 'start' | 'end'>;
const isTotal = ({ query }: Request): boolean => /^(sum|max)_over_time\(\(\n/.test(query ?? '');
const isCensus = ({ query }: Request): boolean => query?.includes('>= bool 0') === true;
const isProbe = ({ query }: Request): boolean => query?.includes('vector(time())') === true;

/** A server's answer of one sample, at the end of the fourth day. */
const answerOf = (value: string): string => {
  const midnight = Date.parse('2026-02-05T00:00:00Z') / 1000;
  const result = [{ metric: {}, values: [[midnight, value]] }];
  return JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
};

describe('totals that the server adds up', () => {
  it.each([true, false])('are those of the samples, with ranges closed: %s', async (closedRanges) => {
    const { client, fetch } = simulated({ metrics: [busy()] }, { closedRanges });
    const { bySample, summed, reasons } = await bothWays(client, WINDOW, usageQuery());
    expect(summed).toEqual(bySample);
    expect(summed).toHaveLength(30);
    expect(summed.every(({ outcome }) => outcome === 'complete')).toBe(true);
    expect(reasons).toEqual([]);
    // The first three days tell that it pays.
    expect(fetch.requests.filter(isTotal)).toHaveLength(27);
    expect(fetch.requests.filter(isProbe)).toHaveLength(1);
  });

  it('are asked for from the first day on when another window has told that it pays', async () => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    const bySample = await usageOf(client, WINDOW, usageQuery());
    const source = createMetricsSource(client, {
      concurrency: 2,
      dailySubqueries: 'auto',
      logger: silent,
      worthwhileSamples: 2000,
    });
    const answered: UsageDay[] = [];
    let before = 0;
    for (const start of ['2026-02-01', '2026-02-16']) {
      before = fetch.requests.length;
      for await (const day of source.usage([usageQuery()], days(start, 15), never())) answered.push(day);
    }
    expect(answered.toSorted((left, right) => left.date.localeCompare(right.date))).toEqual(bySample);
    const later = fetch.requests.slice(before);
    expect(later.filter(isTotal)).toHaveLength(15);
    expect(later.every((request) => isTotal(request) || isCensus(request))).toBe(true);
  });

  it('are a fraction of the bytes', async () => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    await bothWays(client, WINDOW, usageQuery());
    const from = fetch.requests.findIndex(isCensus);
    const bytesOf = (requests: typeof fetch.requests): number =>
      requests.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(bytesOf(fetch.requests.slice(from)) * 5).toBeLessThan(bytesOf(fetch.requests.slice(0, from)));
  });

  it('are asked for at one instant with the step of the samples, after the census of their day', async () => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    await bothWays(client, days('2026-02-01', 4), usageQuery());
    // By samples: three days, and then one. By sums: the same three days first.
    const [, , , census, probe, total, ...others] = fetch.requests;
    expect(others).toEqual([]);
    expect([census, probe, total].map((request) => request!.step)).toEqual(['3600', '3600', '3600']);
    expect([isCensus(census!), isProbe(probe!), isTotal(total!)]).toEqual([true, true, true]);
    expect(total!.query).toContain('[84600s:3600s]');
    const midnight = String(Date.parse('2026-02-05T00:00:00Z') / 1000);
    expect([total!.start, total!.end]).toEqual([midnight, midnight]);
  });

  it('are not asked for where answers are small, where a day is one sample, or unless told to', async () => {
    const small = simulated({ metrics: [counters(['a', 'b'], () => 1)] });
    const { bySample, summed } = await bothWays(small.client, WINDOW, usageQuery());
    expect(summed).toEqual(bySample);
    const asked = small.fetch.requests.map(({ query, start, end }) => [query, start, end]);
    expect(asked.slice(asked.length / 2)).toEqual(asked.slice(0, asked.length / 2));

    const daily = simulated({ metrics: [busy()] });
    await bothWays(daily.client, WINDOW, usageQuery({ stepSeconds: 86_400 }));
    await usageOf(daily.client, WINDOW, usageQuery());
    expect(daily.fetch.requests.filter((request) => isCensus(request) || isTotal(request))).toEqual([]);
  });

  it('average over the instants of the query, and keep the largest', async () => {
    const series = [...NAMES, 'half'].map((principal) => ({
      labels: { principal },
      at: (hour: number) => hour % 5,
      ...(principal === 'half' ? { starts: new Date('2026-02-05T12:00:00Z') } : {}),
    }));
    const { client, fetch } = simulated({ metrics: [{ name: 'disk', kind: 'gauge', series }] });
    const expression = (): string => 'sum by (principal) (disk) # of one cluster';
    const { bySample, summed } = await bothWays(
      client,
      days('2026-02-01', 6),
      usageQuery({ key: 'mean', expression, reduce: 'mean' }),
      usageQuery({ key: 'max', expression, reduce: 'max', expects: 'any_instant' }),
    );
    expect(summed).toEqual(bySample);
    // All days are whole.
    expect(fetch.requests.filter(isTotal)).toHaveLength(6);
  });

  it('leave days with silent hours, NaN and negative samples to the samples', async () => {
    const outages = [{ start: new Date('2026-02-06T10:00:00Z'), end: new Date('2026-02-06T15:00:00Z') }];
    const series = NAMES.map((principal, index) => ({
      labels: { principal },
      at: (hour: number) => (index === 7 && hour === Date.parse('2026-02-07T03:00:00Z') / 3_600_000 ? -1 : 2),
      notANumber:
        index === 3
          ? [{ start: new Date('2026-02-05T10:00:00Z'), end: new Date('2026-02-05T12:00:00Z') }]
          : [],
    }));
    const { client, fetch } = simulated({ metrics: [{ name: 'disk', kind: 'gauge', series }], outages });
    const query = usageQuery({ expression: () => 'disk' });
    const { bySample, summed, reasons } = await bothWays(client, days('2026-02-01', 10), query);
    expect(summed).toEqual(bySample);
    const odd = summed.filter(({ outcome }) => outcome === 'partial').map(({ date }) => date);
    expect(odd).toEqual(['2026-02-05', '2026-02-06', '2026-02-07']);
    expect(summed.flatMap(({ problems }) => problems)).toHaveLength(2);
    expect(fetch.requests.filter(isTotal)).toHaveLength(4);
    expect(reasons).toEqual([]);
  });

  it('leave a day with an infinite sample to the samples', async () => {
    const series = NAMES.map((principal, index) => ({
      labels: { principal },
      at: (hour: number) =>
        index === 7 && hour === Date.parse('2026-02-05T03:00:00Z') / 3_600_000 ? Infinity : 2,
    }));
    const { client } = simulated({ metrics: [{ name: 'disk', kind: 'gauge', series }] });
    for (const reduce of ['sum', 'max'] as const) {
      const query = usageQuery({ expression: () => 'disk', reduce });
      const { bySample, summed } = await bothWays(client, days('2026-02-01', 6), query);
      expect(summed).toEqual(bySample);
      const partial = summed.filter(({ outcome }) => outcome === 'partial').map(({ date }) => date);
      expect(partial).toEqual(['2026-02-05']);
    }
  });

  it('do not ask further about days without a single sample', async () => {
    const outages = [{ start: new Date('2026-02-04T00:00:00Z'), end: new Date('2026-02-09T00:00:00Z') }];
    const { client, fetch } = simulated({ metrics: [busy()], outages });
    const { bySample, summed } = await bothWays(client, days('2026-02-01', 8), usageQuery());
    expect(summed).toEqual(bySample);
    expect(summed[3]!.coverage).toEqual({ samplesSeen: 0, samplesExpected: 24 });
    const from = fetch.requests.findIndex(isCensus);
    expect(from).toBeGreaterThan(0);
    expect(fetch.requests.slice(from).every(isCensus)).toBe(true);
  });

  it('are not taken where the label is the name of the metric', async () => {
    const { client } = simulated({
      metrics: [
        {
          name: 'disk',
          kind: 'gauge',
          series: NAMES.map((principal) => ({ labels: { principal }, at: () => 1 })),
        },
      ],
    });
    const query = usageQuery({ expression: () => 'disk', identityLabel: '__name__' });
    const { bySample, summed } = await bothWays(client, days('2026-02-01', 2), query);
    expect(summed).toEqual(bySample);
    expect(summed[0]!.totals.identityIds).toEqual(['disk']);
  });
});

describe('names with several series', () => {
  const series = NAMES.map((_, index) => ({
    labels: { principal: `svc-${index >> 1}`, part: String(index) },
    at: (hour: number) => (index + (hour % 7)) / 10,
  }));

  it('are added up sample by sample, as their last digit depends on it', async () => {
    const { client, fetch } = simulated({ metrics: [{ name: 'disk', kind: 'gauge', series }] });
    const query = usageQuery({ expression: () => 'disk' });
    const { bySample, summed, reasons } = await bothWays(client, days('2026-02-01', 8), query);
    expect(summed).toEqual(bySample);
    expect(fetch.requests.filter(isTotal)).toHaveLength(1);
    expect(reasons).toEqual([]);
  });

  it('have the same largest sample either way', async () => {
    const { client, fetch } = simulated({ metrics: [{ name: 'disk', kind: 'gauge', series }] });
    const query = usageQuery({ expression: () => 'disk', reduce: 'max' });
    const { bySample, summed } = await bothWays(client, days('2026-02-01', 8), query);
    expect(summed).toEqual(bySample);
    expect(fetch.requests.filter(isTotal)).toHaveLength(5);
  });
});

describe('a server that does not add up', () => {
  const refusal = { kind: 'error', status: 400, errorType: 'bad_data', error: 'no subqueries here' } as const;

  it('is asked once whether it can, and for samples from then on', async () => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    fetch.setFaults([{ when: ({ query }) => query?.includes(':3600s]') === true, effect: refusal }]);
    const queries = [usageQuery(), usageQuery({ key: 'more' })];
    const { bySample, summed, reasons } = await bothWays(client, WINDOW, ...queries);
    expect(summed).toEqual(bySample);
    expect(fetch.requests.filter(isProbe)).toHaveLength(1);
    expect(fetch.requests.filter(isTotal)).toEqual([]);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain('no subqueries here');
  });

  it('is not trusted when it adds up without care for the last digit', async () => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    const midnight = Date.parse('2026-02-05T00:00:00Z') / 1000;
    const instants = Array.from({ length: 24 }, (_, hour) => midnight - (23 - hour) * 3600);
    let divisor = 0;
    const careless = (): string => {
      const probe = fetch.requests.find(isProbe)?.query ?? '';
      divisor = Number(/ \/ (\d+)\)/.exec(probe)?.[1]);
      return String(instants.reduce((sum, instant) => sum + instant / divisor, 0));
    };
    await bothWays(client, days('2026-02-01', 4), usageQuery());
    const value = careless();
    expect(divisor).toBeGreaterThanOrEqual(3);
    const other = simulated({ metrics: [busy()] });
    other.fetch.setFaults([
      { when: isProbe, effect: { kind: 'status', status: 200, body: answerOf(value) } },
    ]);
    const { bySample, summed, reasons } = await bothWays(other.client, days('2026-02-01', 4), usageQuery());
    expect(summed).toEqual(bySample);
    expect(other.fetch.requests.filter(isTotal)).toEqual([]);
    expect(reasons[0]).toContain(value);
  });

  it('is not trusted when it adds other instants up', async () => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    fetch.setFaults([{ when: isProbe, effect: { kind: 'values', value: 'NaN' } }]);
    const { bySample, summed, reasons } = await bothWays(client, WINDOW, usageQuery());
    expect(summed).toEqual(bySample);
    expect(fetch.requests.filter(isTotal)).toEqual([]);
    expect(reasons[0]).toMatch(/is NaN, not \d+/);
  });

  it.each([
    ['of the totals', isTotal],
    ['of the census', isCensus],
  ])('is asked for samples after a refusal %s', async (_which, refused) => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    fetch.setFaults([{ when: refused, after: 1, effect: refusal }]);
    const { bySample, summed, reasons } = await bothWays(client, WINDOW, usageQuery());
    expect(summed).toEqual(bySample);
    expect(fetch.requests.filter(refused)).toHaveLength(2);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain('bytes');
  });

  it('is asked for fewer days at once when a census is too much', async () => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    const effect = { kind: 'error', status: 422, errorType: 'execution', error: 'too many samples' } as const;
    const long = ({ start, end }: Request): boolean => Number(end) - Number(start) > 86_400;
    fetch.setFaults([{ when: (request) => isCensus(request) && long(request), effect }]);
    const { bySample, summed, reasons } = await bothWays(client, days('2026-02-01', 8), usageQuery());
    expect(summed).toEqual(bySample);
    expect(reasons).toEqual([]);
    expect(fetch.requests.filter(isTotal)).toHaveLength(5);
    expect(fetch.requests.filter((request) => isCensus(request) && long(request))).toHaveLength(1);
  });

  it.each([
    ['the census', isCensus],
    ['the totals', isTotal],
  ])('is asked for samples when it warns of %s', async (_which, when) => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    fetch.setFaults([{ when, effect: { kind: 'warnings', warnings: ['store-2 did not answer'] } }]);
    const { bySample, summed } = await bothWays(client, days('2026-02-01', 6), usageQuery());
    expect(summed).toEqual(bySample);
    expect(fetch.requests.filter(when).length).toBeGreaterThan(0);
    expect(summed.every(({ outcome }) => outcome === 'complete')).toBe(true);
  });

  it('fails as it does without', async () => {
    const { client, fetch } = simulated({ metrics: [busy()] });
    for (const status of [401, 500]) {
      fetch.setFaults([{ effect: { kind: 'status', status } }]);
      const { bySample, summed } = await bothWays(client, days('2026-02-01', 6), usageQuery());
      expect(summed).toEqual(bySample);
      expect(summed.every(({ outcome }) => outcome === 'failed')).toBe(true);
    }
  });
});
