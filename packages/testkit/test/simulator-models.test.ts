import {
  createMetricsModel,
  createSimulatorFetch,
  fictionalCompany,
  type MetricsModel,
  scaleConfigYaml,
  scaleModel,
  scaleRowsPerDay,
  toOpenMetrics,
} from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { askHours, askRange, DAY, HOUR, hours, smallModel, totalOf } from './simulator-fixture.ts';

const END = new Date('2026-07-01T00:00:00Z');
const PATHS = { database: '/var/lib/demo/chargeback.db', outputDirectory: '/var/lib/demo/out' };

function day(model: MetricsModel, index: number): { start: Date; end: Date } {
  const start = new Date(model.window.start.getTime() + index * DAY);
  return { start, end: new Date(start.getTime() + DAY) };
}

describe('a model', () => {
  it('refuses to contradict itself', () => {
    const window = { start: hours(0), end: hours(1) };
    const metric = { name: 'x', kind: 'gauge' as const, series: [] };
    const at = (): number => 0;
    expect(() => createMetricsModel({ window, metrics: [metric, metric] })).toThrow('described twice');
    const twins = [
      { labels: { a: '1', b: '2' }, at },
      { labels: { b: '2', a: '1' }, at },
    ];
    expect(() => createMetricsModel({ window, metrics: [{ ...metric, series: twins }] })).toThrow(
      'same labels',
    );
    expect(() => createMetricsModel({ window, metrics: [], sampleSeconds: 7 })).toThrow('divide an hour');
    expect(() => smallModel().expectedTotal('nothing', {}, window)).toThrow('no metric nothing');
  });

  it('knows totals that can be counted by hand', () => {
    const model = smallModel();
    const total = (principal: string, window = model.window): number =>
      model.expectedTotal('bytes_total', { principal }, window);
    expect(total('a')).toBe((60 * 48 * 49) / 2 + 7 * 48);
    expect(total('b')).toBe(24_000);
    expect(total('gone')).toBe(6150);
    expect(total('late')).toBe(10_500);
    expect(total('b', { start: hours(2), end: hours(2.5) })).toBe(500);
    expect(total('b', { start: hours(47), end: hours(100) })).toBe(0);
  });
});

describe('the fictional company', () => {
  const company = fictionalCompany({ seed: 1, days: 30, endDate: END });
  const { model } = company;
  const received = (principal: string, window = model.window): number =>
    model.expectedTotal('platform_bytes_received_total', { principal }, window);

  it('has six teams and 24 principals, each seen by every metric', async () => {
    expect(company.teams).toHaveLength(6);
    expect(company.principals).toHaveLength(24);
    for (const { name, series } of model.metrics) {
      const seen = new Set(series.map(({ labels }) => labels['principal']));
      expect(seen, name).toEqual(new Set(company.principals.map(({ id }) => id)));
    }
  });

  it('is the same for the same seed and another one for another', () => {
    const again = fictionalCompany({ seed: 1, days: 30, endDate: END }).model;
    const other = fictionalCompany({ seed: 2, days: 30, endDate: END }).model;
    const text = (one: MetricsModel): string => toOpenMetrics(one, day(one, 0), { stepSeconds: 3600 });
    expect(text(again)).toBe(text(model));
    expect(text(other)).not.toBe(text(model));
  });

  it('works less on weekends and, in offices, at night', () => {
    const saturday = { start: new Date('2026-06-13T00:00:00Z'), end: new Date('2026-06-14T00:00:00Z') };
    const friday = { start: new Date('2026-06-12T00:00:00Z'), end: new Date('2026-06-13T00:00:00Z') };
    const whole = (window: typeof friday): number =>
      model.expectedTotal('platform_requests_total', {}, window);
    expect(whole(saturday)).toBeLessThan(0.85 * whole(friday));
    const nightOf = { start: new Date('2026-06-12T01:00:00Z'), end: new Date('2026-06-12T04:00:00Z') };
    const noonOf = { start: new Date('2026-06-12T09:00:00Z'), end: new Date('2026-06-12T12:00:00Z') };
    expect(received('svc-inventory', nightOf)).toBeLessThan(received('svc-inventory', noonOf) / 5);
  });

  it('has a team that grows, and one that does not', () => {
    const growth = (team: string): number => {
      const ids = company.principals.filter((one) => one.team === team).map(({ id }) => id);
      const week = (from: number): number =>
        ids.reduce((sum, id) => {
          const start = day(model, from).start;
          return sum + received(id, { start, end: new Date(start.getTime() + 7 * DAY) });
        }, 0);
      return week(21) / week(0);
    };
    expect(growth('Tracking')).toBeGreaterThan(1.4);
    expect(growth('Checkout')).toBeGreaterThan(0.95);
    expect(growth('Checkout')).toBeLessThan(1.05);
  });

  it('has principals that begin, end, and do nothing', async () => {
    expect(received('svc-quote-api', { start: model.window.start, end: day(model, 14).end })).toBe(0);
    expect(received('svc-quote-api', day(model, 15))).toBeGreaterThan(0);
    expect(received('svc-legacy-edi', day(model, 19))).toBeGreaterThan(0);
    expect(received('svc-legacy-edi', day(model, 20))).toBe(0);
    const idle = 'sum by (principal) (increase(platform_requests_total{principal="svc-label-printer"}[1d]))';
    const [series] = await askRange(model, idle, { start: END, end: END });
    expect(series!.values).toEqual([[END.getTime() / 1000, '0']]);
  });

  it('answers every query of its configuration with the expected totals', async () => {
    const yaml = company.configYaml('http://metrics.test', PATHS);
    const queries = [...yaml.matchAll(/query: "?([^"\n]+)"?/g)].map(([, query]) => query!);
    expect(queries).toHaveLength(7);
    const window = { start: new Date(model.window.start.getTime() + HOUR), end: END };
    for (const query of queries) {
      const total = totalOf(await askRange(model, query, window));
      const metric = /platform_\w+/.exec(query)![0];
      const expected = query.startsWith('group')
        ? 24 * 720 - 360 - 240
        : model.expectedTotal(metric, {}, model.window);
      // The hourly samples of what is stored add up to more than 2⁵³.
      expect(total / expected).toBeCloseTo(1, 14);
    }
  });

  it('writes a configuration with the keys of the ecosystem', () => {
    const yaml = company.configYaml('http://127.0.0.1:9', PATHS);
    for (const line of [
      'ecosystem: generic-metrics',
      'lookback_days: 31',
      'cutoff_days: 1',
      'connection_string: "sqlite:////var/lib/demo/chargeback.db"',
      'url: "http://127.0.0.1:9"',
      'source: both',
      'default_team: UNASSIGNED',
      'svc-cart: Checkout',
      '- identity_id: customs-desk',
      'output_dir: /var/lib/demo/out',
      'name: csv-monthly',
    ]) {
      expect(yaml).toContain(` ${line}\n`);
    }
    expect(yaml).not.toContain('svc-backup: ');
    expect(yaml.match(/ - name: PLATFORM_/g)).toHaveLength(5);
  });

  it('must be of whole days', () => {
    expect(() => fictionalCompany({ seed: 1, days: 30, endDate: hours(1) })).toThrow('midnight');
    expect(() => fictionalCompany({ seed: 1, days: 1.5, endDate: END })).toThrow('whole number');
  });
});

describe('the scale model', () => {
  it('has 75,000 rows in 30 days as it stands', () => {
    expect(scaleRowsPerDay({ endDate: END }) * 30).toBe(75_000);
  });

  it('gives every principal a positive part of every day in every query', async () => {
    const options = { endDate: END, identities: 40, days: 2, queries: 3 };
    const model = scaleModel(options);
    const yaml = scaleConfigYaml(options, 'http://metrics.test', PATHS);
    const queries = [...yaml.matchAll(/allocation_query: "([^"]+)"/g)].map(([, query]) => query!);
    expect(queries).toHaveLength(3);
    expect(yaml.match(/even_split/g)).toHaveLength(2);
    for (const query of queries) {
      const daily = query.replace('[1h]', '[1d]');
      const answer = await askHours(model, daily, { start: day(model, 0).end, end: END, step: '1d' });
      const samples = Object.values(answer).flatMap((series) => Object.values(series));
      expect(samples).toHaveLength(80);
      expect(Math.min(...samples)).toBeGreaterThan(0);
      const name = /scale_\w+/.exec(query)![0];
      expect(samples.reduce((sum, value) => sum + value, 0)).toBe(
        model.expectedTotal(name, {}, model.window),
      );
    }
  });

  it('is served at millions of samples per second', async () => {
    const fetch = createSimulatorFetch(scaleModel({ endDate: END }));
    const before = process.cpuUsage();
    const start = new Date(END.getTime() - 30 * DAY + HOUR).toISOString();
    let bytes = 0;
    for (let index = 1; index <= 5; index += 1) {
      const query = `sum by (principal) (increase(scale_bytes_${index}_total[1h]))`;
      const body = new URLSearchParams({ query, start, end: END.toISOString(), step: '1h' });
      const response = await fetch('http://metrics.test/api/v1/query_range', { method: 'POST', body });
      bytes += (await response.arrayBuffer()).byteLength;
    }
    const { user, system } = process.cpuUsage(before);
    expect(bytes).toBeGreaterThan(1_800_000 * 20);
    // Measured 0.3 s for 1.8 million samples; the bound is only there to notice a collapse.
    expect((user + system) / 1e6).toBeLessThan(3);
  });
});

describe('OpenMetrics text', () => {
  it('accumulates counters and shows gauges, both ends included', () => {
    const text = toOpenMetrics(smallModel(), { start: hours(0), end: hours(2) }, { stepSeconds: 3600 });
    const at = (hour: number): number => hours(hour).getTime() / 1000;
    expect(text.split('\n')).toEqual([
      '# TYPE bytes counter',
      `bytes_total{principal="a",host="one"} 0 ${at(0)}`,
      `bytes_total{principal="a",host="one"} 60 ${at(1)}`,
      `bytes_total{principal="a",host="one"} 180 ${at(2)}`,
      `bytes_total{principal="a",host="two"} 0 ${at(0)}`,
      `bytes_total{principal="a",host="two"} 7 ${at(1)}`,
      `bytes_total{principal="a",host="two"} 14 ${at(2)}`,
      `bytes_total{principal="b",host="one"} 0 ${at(0)}`,
      `bytes_total{principal="b",host="one"} 1000 ${at(1)}`,
      `bytes_total{principal="b",host="one"} 1000 ${at(2)}`,
      `bytes_total{principal="gone",host="two"} 0 ${at(0)}`,
      `bytes_total{principal="gone",host="two"} 600 ${at(1)}`,
      `bytes_total{principal="gone",host="two"} 1200 ${at(2)}`,
      '# TYPE stored_bytes gauge',
      `stored_bytes{principal="a"} 100 ${at(1)}`,
      `stored_bytes{principal="a"} 101 ${at(2)}`,
      `stored_bytes{principal="b"} 0.5 ${at(1)}`,
      `stored_bytes{principal="b"} 0.5 ${at(2)}`,
      '# EOF',
      '',
    ]);
  });
});
