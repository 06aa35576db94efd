import type { MetricDefinition } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import {
  createScrapeCoverage,
  type DailyTotal,
  fetchDailyTotals,
  type PrometheusClient,
  type ScrapeQuery,
} from '../src/index.ts';
import { counters, simulated, WINDOW, WINDOW_DATES } from './simulated.ts';
import { days, never } from './support.ts';

describe('daily totals', () => {
  const totals = async (
    client: PrometheusClient,
    reduce: 'sum' | 'mean' | 'max',
    expression: string,
  ): Promise<(number | null)[]> => {
    const values: (number | null)[] = [];
    const query = { key: 'q', expression: () => expression, stepSeconds: 3600, reduce };
    for await (const { value } of fetchDailyTotals(client, query, {
      window: days('2026-02-03', 2),
      signal: never(),
    }))
      values.push(value);
    return values;
  };

  it('add series up per instant and reduce instants over the day', async () => {
    const gauge = (principal: string, level: number): MetricDefinition['series'][number] => ({
      labels: { principal },
      at: (hour) => level + (hour % 24 === 7 ? 24 : 0),
    });
    const metrics: MetricDefinition[] = [
      { name: 'disk', kind: 'gauge', series: [gauge('a', 10), gauge('b', 20)] },
    ];
    const { client } = simulated({ metrics });
    expect(await totals(client, 'mean', 'disk')).toEqual([32, 32]);
    expect(await totals(client, 'sum', 'disk')).toEqual([768, 768]);
    expect(await totals(client, 'max', 'disk')).toEqual([78, 78]);
  });

  it('set unusable samples aside and count their instants as not seen', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
    fetch.setFaults([{ effect: { kind: 'values', value: 'NaN', every: 24 } }]);
    const query = { key: 'q', expression: () => 'sum(increase(bytes_total[1h]))', stepSeconds: 3600 };
    const range = { window: days('2026-02-03', 1), signal: never() };
    for await (const day of fetchDailyTotals(client, { ...query, reduce: 'sum' }, range)) {
      expect(day).toMatchObject({ value: 23, coverage: { samplesSeen: 23, samplesExpected: 24 } });
      expect(day.problems).toMatchObject([{ code: 'CB_METRICS_SAMPLE', date: '2026-02-03', path: 'q' }]);
    }
  });

  it('say of every failed day why it has no value', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
    fetch.setFaults([{ effect: { kind: 'status', status: 403 } }]);
    const query = { key: 'q', expression: () => 'up', stepSeconds: 3600, reduce: 'sum' as const };
    const dates: string[] = [];
    for await (const day of fetchDailyTotals(client, query, { window: WINDOW, signal: never() })) {
      expect(day).toMatchObject({ value: null, coverage: { samplesSeen: 0, samplesExpected: 24 } });
      expect(day.problems).toMatchObject([{ code: 'CB_METRICS_AUTH', severity: 'error', date: day.date }]);
      dates.push(day.date);
    }
    expect(dates.toSorted()).toEqual(WINDOW_DATES);
  });

  it('have no value on a day without samples: nothing seen is not zero', async () => {
    const series = [{ labels: {}, at: () => 1, ends: new Date('2026-02-03T12:00:00Z') }];
    const { client } = simulated({ metrics: [{ name: 'bytes_total', kind: 'counter', series }] });
    const [first, second] = await totals(client, 'sum', 'sum(increase(bytes_total[1h]))');
    expect(first).toBeGreaterThan(0);
    expect(second).toBeNull();
  });
});

describe('daily totals beside counted scrapes', () => {
  const DAY = days('2026-02-03', 1);
  const outages = [{ start: new Date('2026-02-03T10:00:00Z'), end: new Date('2026-02-03T12:00:00Z') }];
  /** Two of them, one of which comes at six in the morning. */
  const hosts: MetricDefinition = {
    name: 'bytes_total',
    kind: 'counter',
    series: ['one', 'two'].map((host) => ({
      labels: { host },
      at: () => 100,
      ...(host === 'two' ? { starts: new Date('2026-02-03T06:00:00Z') } : {}),
    })),
  };
  const scrapeQuery = (expression: string, sources: number): ScrapeQuery => ({
    key: 'scrapes',
    expression: (range) => expression.replace('RANGE', range),
    sourceLabels: ['host'],
    sources: () => sources,
    noun: 'hosts',
    stepSeconds: 3600,
  });
  const COUNTED = 'max by (host) (count_over_time(bytes_total[RANGE]))';

  async function total(
    client: PrometheusClient,
    query: ScrapeQuery,
    options: { expression?: string; quiet?: boolean } = {},
  ): Promise<DailyTotal> {
    const { expression = 'sum(increase(bytes_total[1h]))', quiet = false } = options;
    const scrapes = createScrapeCoverage(client, [query]);
    const asked = {
      key: 'q',
      expression: () => expression,
      stepSeconds: 3600,
      reduce: 'sum' as const,
      quiet,
    };
    for await (const day of fetchDailyTotals(client, asked, { window: DAY, signal: never(), scrapes }))
      return day;
    throw new Error('no day');
  }

  it('count an instant only when every source was scraped, and keep what was measured then', async () => {
    const { client } = simulated({ metrics: [hosts], outages });
    const day = await total(client, scrapeQuery(COUNTED, 2));
    // From 06:00 to 24:00 but for the two hours of the outage; 24 − 2 hours of one host, 18 − 2 of the other.
    expect(day).toMatchObject({
      value: 3800,
      measured: { value: 3800, steps: 19 },
      coverage: { samplesSeen: 16, samplesExpected: 24 },
    });
    expect(day.problems.map(({ message }) => message)).toEqual([
      'q: on 2026-02-03 16 of 24 steps rest on 2 hosts; 0 answered in the worst, with gaps in one, two',
    ]);
    expect((await total(client, scrapeQuery(COUNTED, 1))).coverage.samplesSeen).toBe(22);
  });

  it('take a quiet hour for one without traffic only where that is said, and never a silent day', async () => {
    const rare = { labels: { host: 'rare' }, at: () => 7, starts: new Date('2026-02-03T20:00:00Z') };
    const metrics: MetricDefinition[] = [hosts, { name: 'rare_total', kind: 'counter', series: [rare] }];
    const { client } = simulated({ metrics });
    const query = scrapeQuery(COUNTED, 1);
    const expression = 'sum(increase(rare_total[1h]))';
    expect((await total(client, query, { expression })).coverage.samplesSeen).toBe(4);
    expect(await total(client, query, { expression, quiet: true })).toMatchObject({
      value: 28,
      coverage: { samplesSeen: 24, samplesExpected: 24 },
    });
    const nothing = { expression: 'sum(increase(rare_total{host="none"}[1h]))', quiet: true };
    expect(await total(client, query, nothing)).toMatchObject({ value: null, coverage: { samplesSeen: 0 } });
  });

  it('go by their own samples where no scrape is found, and count nothing when scrapes cannot be asked', async () => {
    const { client, fetch } = simulated({ metrics: [hosts], outages });
    const nowhere = await total(client, scrapeQuery('max by (host) (count_over_time(other[RANGE]))', 2));
    expect(nowhere).toMatchObject({ coverage: { samplesSeen: 22, samplesExpected: 24 }, problems: [] });
    const when = ({ query }: { query: string | null }): boolean => query!.includes('count_over_time');
    fetch.setFaults([{ when, effect: { kind: 'status', status: 422 } }]);
    const unknown = await total(client, scrapeQuery(COUNTED, 2));
    expect(unknown).toMatchObject({ value: 3800, measured: { steps: 0 } });
    // Something was measured, nobody knows how much of it.
    expect(unknown.coverage).toEqual({ samplesSeen: 1, samplesExpected: 24 });
    expect(unknown.problems.map(({ path }) => path)).toEqual(['scrapes']);
  });
});
