import type { MetricDefinition } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { fetchDailyTotals, type PrometheusClient } from '../src/index.ts';
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
