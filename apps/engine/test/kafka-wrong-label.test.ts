import { createMetricsModel, kafkaScaleModel, startPrometheusSimulator } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DAY, firstDay, workplace, type Workplace } from './kafka-support.ts';

const DAYS = 2;
const endDate = new Date((firstDay + DAYS * DAY) * 1000);
const startOf = (day: number): Date => new Date((firstDay + day * DAY) * 1000);

/** Principals send from pods on the first day, half of them in the afternoon only; on the second day nobody does. */
function model() {
  const { window, metrics } = kafkaScaleModel({ principals: 6, topics: 3, days: DAYS, endDate });
  return createMetricsModel({
    window,
    metrics: metrics.map((metric) => ({
      ...metric,
      series: metric.series.map((series) => {
        const { principal } = series.labels;
        if (principal === undefined) return series;
        const labels = { ...series.labels, pod: `pod-${principal.slice(-1)}` };
        return {
          ...series,
          labels,
          starts: startOf((Number(principal.slice(-1)) % 2) / 2),
          ends: startOf(1),
        };
      }),
    })),
  });
}

describe('a wrong identity label in the settings of one run', () => {
  let simulator: Awaited<ReturnType<typeof startPrometheusSimulator>>;
  let place: Workplace;
  const labelled = (label: string) => ({ identity_source: { label }, missing_usage: 'fallback' });
  const [mistaken, right] = [labelled('pod'), labelled('principal')];

  beforeAll(async () => {
    simulator = await startPrometheusSimulator({ model: model() });
    place = await workplace(simulator.url, {
      settled: right,
      'settled-once': right,
      'settled-first': mistaken,
    });
    await place.run();
    await place.change('settled-first', right);
    await place.change('settled-once', mistaken);
    await place.run();
  });
  afterAll(async () => {
    await simulator?.stop();
    await place?.remove();
  });

  const bearersOf = async (tenant: string): Promise<string[]> =>
    [...new Set((await place.rowsOf(tenant)).map(({ identity }) => identity))].toSorted();

  it('makes other names bear the costs, as it says', async () => {
    const pods = Array.from({ length: 6 }, (_, index) => `pod-${index + 1}`);
    expect(await bearersOf('settled-once')).toEqual(pods);
  });

  it('leaves nothing behind once it is taken back', async () => {
    expect(await place.rowsOf('settled-first')).toEqual(await place.rowsOf('settled'));
    await place.change('settled-once', right);
    await place.run();
    expect(await place.rowsOf('settled-once')).toEqual(await place.rowsOf('settled'));
    expect((await bearersOf('settled')).every((name) => name.startsWith('User:'))).toBe(true);
  });
});
