import {
  createMetricsModel,
  createSimulatorFetch,
  type SimulatorFetch,
  toOpenMetrics,
} from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askRange, HOUR, hours, MIDNIGHT, type Series, smallModel } from './simulator-fixture.ts';

interface RealPrometheus {
  readonly url: string;
  stop(): Promise<void>;
}

interface RealPrometheusModule {
  startRealPrometheus(options: { openMetrics: string }): Promise<RealPrometheus>;
  requireReal(what: string, environment: NodeJS.ProcessEnv): boolean;
}

const path = '../src/real-prometheus.ts';
const loaded = (await import(/* @vite-ignore */ path).catch(() => null)) as RealPrometheusModule | null;
const real = loaded?.requireReal('comparing the simulator with a real Prometheus', process.env) ?? false;

/** Bounds that fall on samples, so that only the rules differ and not what was recorded. */
const model = createMetricsModel({
  ...smallModel(),
  metrics: smallModel().metrics.map((metric) => ({
    ...metric,
    series: metric.series.map((series) => ({
      ...series,
      ...(series.starts ? { starts: hours(30) } : {}),
      ...(series.ends ? { ends: hours(10) } : {}),
    })),
  })),
});

describe.skipIf(!real)('the simulator and a real Prometheus with the same samples', () => {
  let prometheus: RealPrometheus;
  let simulator: SimulatorFetch;

  beforeAll(async () => {
    prometheus = await loaded!.startRealPrometheus({ openMetrics: toOpenMetrics(model, model.window) });
    const build = await fetch(`${prometheus.url}/api/v1/status/buildinfo`);
    const { data } = (await build.json()) as { data: { version: string } };
    simulator = createSimulatorFetch(model, { closedRanges: data.version.startsWith('2.') });
  });
  afterAll(async () => prometheus?.stop());

  const ask = async (query: string, step: string): Promise<Series[]> => {
    const request = { query, start: hours(1).toISOString(), end: hours(48).toISOString(), step };
    const response = await fetch(`${prometheus.url}/api/v1/query_range`, {
      method: 'POST',
      body: new URLSearchParams(request),
    });
    const answer = (await response.json()) as { error?: string; data: { result: Series[] } };
    if (answer.error) throw new Error(answer.error);
    return answer.data.result;
  };

  it.each([
    ['sum by (principal) (increase(bytes_total[1h]))', '1h'],
    ['sum(increase(bytes_total{principal=~"a|b"}[1h])) by (host)', '1h'],
    ['sum(increase(bytes_total{principal!~"late|gone"}[30m]))', '30m'],
    ['sum by (principal) (stored_bytes)', '1h'],
    ['avg(stored_bytes)', '1h'],
    ['stored_bytes{principal="a"}', '30m'],
    ['sum by (principal) (bytes_total{host="one"})', '1h'],
    ['sum by (nothing) (bytes_total{principal="b"}) / 1024', '1h'],
    ['avg_over_time((sum(stored_bytes))[1d:1h])', '1d'],
    ['sum_over_time((sum by (principal) (increase(bytes_total{host="one"}[1h])))[1d:1h])', '1d'],
    ['count_over_time((sum(increase(bytes_total[1h])))[12h:1h])', '6h'],
    ['sum((stored_bytes >= bool 110) + 1048576)', '1h'],
    ['sum_over_time(vector(time())[23h30m:1h])', '1d'],
    ['sum_over_time((vector(time()) / 7)[23h30m:1h])', '1d'],
    ['label_replace(stored_bytes, "who", "user:$1", "principal", "(.+)")', '1h'],
    ['label_replace(stored_bytes, "who", "user:$1", "nothing", "(.+)")', '1h'],
    ['max_over_time(stored_bytes[2h])', '1h'],
    ['max by (host) (count_over_time(bytes_total[30m]))', '30m'],
    ['count_over_time(stored_bytes[2h])', '1h'],
    ['last_over_time(stored_bytes[1d])', '1d'],
    ['last_over_time({__name__=~"bytes_total|stored_bytes",principal!="late"}[1d])', '1d'],
    ['group by (principal) (last_over_time(bytes_total{host!=""}[1d]))', '1d'],
  ])('agree on %s each %s', async (query, step) => {
    const expected = (await ask(query, step)).map(withoutLateSamples);
    const actual = await askRange(simulator, query, { start: hours(1), end: hours(48), step });
    expect(actual.length).toBeGreaterThan(0);
    expect(actual.map(({ metric }) => metric)).toEqual(expected.map(({ metric }) => metric));
    for (const [index, { values }] of actual.entries()) {
      const other = new Map(expected[index]!.values);
      for (const [seconds, value] of values) {
        const reference = Number(other.get(seconds));
        expect(Math.abs(Number(value) - reference)).toBeLessThanOrEqual(1e-9 * Math.max(1, reference));
      }
      expect(values.length).toBe(expected[index]!.values.length);
    }
  });

  it('agree on who exists', async () => {
    const names = (result: Series[]): unknown[] => result.map(({ metric }) => metric['principal']);
    const query = 'group by (principal) (bytes_total)';
    expect(names(await askRange(simulator, query, { start: hours(1), end: hours(48) }))).toEqual(
      names(await ask(query, '1h')),
    );
  });

  it('refuse the same queries', async () => {
    for (const query of ['sum(', 'increase(bytes_total)', 'bytes_total[5m]', '{a=~".*"}', 'x{a=~"("}']) {
      const start = hours(1);
      await expect(ask(query, '1h')).rejects.toThrow(/parse error|invalid expression/);
      await expect(askRange(simulator, query, { start, end: start })).rejects.toThrow(
        /parse error|invalid expression/,
      );
    }
  });
});

/** At the instant where a series begins a real server has its first sample, the 0 of a counter. */
function withoutLateSamples(series: Series): Series {
  const begins = (MIDNIGHT + 30 * HOUR) / 1000;
  const late = series.metric['principal'] === 'late';
  return late ? { ...series, values: series.values.filter(([seconds]) => seconds !== begins) } : series;
}
