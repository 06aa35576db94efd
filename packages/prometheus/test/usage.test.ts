import { describe, expect, it } from 'vitest';
import { createMetricsSource, fetchDailyTotals } from '../src/index.ts';
import { counters, hourly, simulated, WINDOW, WINDOW_DATES } from './simulated.ts';
import { clientFor, days, matrix, never, serve, silent, totalsOf, usageOf, usageQuery } from './support.ts';

describe('usage', () => {
  it('is the sum of 24 hourly increases for every day and name, in order of the names', async () => {
    const { client, model } = simulated({
      metrics: [counters(['b', 'a', 'é'], (index, hour) => (hour % 5) * (index + 1))],
    });
    const answered = await usageOf(client, WINDOW, usageQuery());
    expect(answered.map(({ date }) => date)).toHaveLength(30);
    expect(answered[0]!.totals.identityIds).toEqual(['a', 'b', 'é']);
    for (const day of answered) {
      const window = days(day.date, 1);
      expect(totalsOf(day)).toEqual(
        Object.fromEntries(
          ['a', 'b', 'é'].map((principal) => [
            principal,
            model.expectedTotal('bytes_total', { principal }, window),
          ]),
        ),
      );
      expect(day).toMatchObject({
        outcome: 'complete',
        coverage: { samplesSeen: 24, samplesExpected: 24 },
        problems: [],
      });
    }
  });

  it('asks for many days at once, and for fewer when answers are large', async () => {
    const small = simulated({ metrics: [counters(['a'], () => 1)] });
    await usageOf(small.client, WINDOW, usageQuery());
    expect(small.fetch.requests.length).toBeLessThan(4);
    const names = Array.from({ length: 500 }, (_, index) => `svc-${index}`);
    const large = simulated({ metrics: [counters(names, () => 1)] });
    await usageOf(large.client, WINDOW, usageQuery());
    expect(large.fetch.requests.length).toBeGreaterThan(4);
    expect(large.fetch.requests.length).toBeLessThan(12);
  });

  it('never asks for more than 11,000 points a series', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 60)] });
    const answered = await usageOf(client, WINDOW, usageQuery({ stepSeconds: 60 }));
    expect(answered.every(({ outcome }) => outcome === 'complete')).toBe(true);
    for (const { start, end, step } of fetch.requests) {
      expect((Number(end) - Number(start)) / Number(step) + 1).toBeLessThanOrEqual(11_000);
    }
  });

  it.each([300, 900, 1800, 3600, 86_400])(
    'has the same totals with a step and range of %d s',
    async (stepSeconds) => {
      const { client, model } = simulated({
        metrics: [counters(['a'], (_index, hour) => (hour % 7) * 1200)],
      });
      const [day] = await usageOf(client, days('2026-02-05', 1), usageQuery({ stepSeconds }));
      expect(totalsOf(day!)['a']).toBeCloseTo(
        model.expectedTotal('bytes_total', {}, days('2026-02-05', 1)),
        6,
      );
    },
  );

  it('lowers the coverage by an outage, not by idle names', async () => {
    const outages = [{ start: new Date('2026-02-03T10:00:00Z'), end: new Date('2026-02-03T15:00:00Z') }];
    const late = { labels: { principal: 'late' }, at: () => 5, starts: new Date('2026-02-02T12:00:00Z') };
    const base = counters(['a'], () => 1);
    const { client } = simulated({ metrics: [{ ...base, series: [...base.series, late] }], outages });
    const [first, second, third] = await usageOf(client, days('2026-02-01', 3), usageQuery());
    expect(totalsOf(first!)).toEqual({ a: 24 });
    expect(totalsOf(second!)).toEqual({ a: 24, late: 60 });
    expect([first, second].map((day) => day!.outcome)).toEqual(['complete', 'complete']);
    expect(third).toMatchObject({ outcome: 'partial', coverage: { samplesExpected: 24 } });
    expect(third!.coverage.samplesSeen).toBeLessThan(24);
  });

  it('sets NaN and infinite samples aside, says so, and lowers the coverage', async () => {
    for (const value of ['NaN', '+Inf', '-Inf'] as const) {
      const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
      fetch.setFaults([{ effect: { kind: 'values', value, every: 24 } }]);
      const [day] = await usageOf(client, days('2026-02-03', 1), usageQuery());
      expect(totalsOf(day!)).toEqual({ a: 23 });
      expect(day).toMatchObject({ outcome: 'partial', coverage: { samplesSeen: 23, samplesExpected: 24 } });
      expect(day!.problems).toMatchObject([{ code: 'CB_METRICS_SAMPLE', date: '2026-02-03' }]);
    }
  });

  it('sets negative samples aside', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const values = Array.from({ length: 24 }, (_, hour) => [
      start + (hour + 1) * 3600,
      hour === 3 ? '-5' : '1',
    ]);
    const server = await serve(() => ({ text: matrix([{ metric: { principal: 'a' }, values }]) }));
    const [day] = await usageOf(clientFor(server.url).client, days('2026-02-03', 1), usageQuery());
    await server.stop();
    expect(totalsOf(day!)).toEqual({ a: 23 });
    expect(day!.coverage.samplesSeen).toBe(23);
  });

  it('does not take a partial answer for a whole one', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
    fetch.setFaults([{ effect: { kind: 'warnings', warnings: ['store-2 did not answer'] } }]);
    const [day] = await usageOf(client, days('2026-02-03', 1), usageQuery());
    expect(day!.outcome).toBe('partial');
    expect(day!.coverage).toEqual({ samplesSeen: 23, samplesExpected: 24 });
    expect(day!.problems).toMatchObject([{ code: 'CB_METRICS_PARTIAL', date: '2026-02-03' }]);
    expect(day!.problems[0]!.message).toContain('store-2 did not answer');
  });

  it('fails the days of a query without the label, and names the label', async () => {
    const { client } = simulated({ metrics: [counters(['a'], () => 1)] });
    const query = usageQuery({ expression: () => 'sum(increase(bytes_total[1h]))' });
    const [day] = await usageOf(client, days('2026-02-03', 1), query);
    expect(day).toMatchObject({ outcome: 'failed', totals: { identityIds: [] } });
    expect(day!.problems).toMatchObject([{ code: 'CB_METRICS_LABEL', severity: 'error' }]);
    expect(day!.problems[0]!.fix).toContain('sum by (principal)');
  });

  it('gives the usage of series without a name to UNALLOCATED, on their days only, and says how many', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const server = await serve(() => ({
      text: matrix([
        { metric: { principal: 'a' }, values: hourly(start, 72) },
        // The end of the first day is still its own; the second day holds the rest.
        { metric: { principal: '' }, values: hourly(start + 86_400, 3, () => '5') },
        { metric: {}, values: hourly(start + 86_400, 1, () => '2') },
      ]),
    }));
    const answered = await usageOf(clientFor(server.url).client, days('2026-02-03', 3), usageQuery());
    await server.stop();
    expect(answered.map(({ outcome }) => outcome)).toEqual(['complete', 'complete', 'complete']);
    expect(answered.map(totalsOf)).toEqual([{ a: 24 }, { UNALLOCATED: 17, a: 24 }, { a: 24 }]);
    expect(answered.map(({ problems }) => problems.map(({ date }) => date))).toEqual([
      [],
      ['2026-02-04'],
      [],
    ]);
    expect(answered[1]!.problems[0]).toMatchObject({
      code: 'CB_METRICS_LABEL',
      severity: 'warning',
      message: 'bytes: the usage of 2 series without the label principal goes to UNALLOCATED',
    });
  });

  it('gives a day on which only the nameless moved something to UNALLOCATED, whatever days are asked for beside it', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const server = await serve(() => ({
      text: matrix([
        { metric: { principal: 'a' }, values: hourly(start, 24) },
        { metric: {}, values: hourly(start, 48, () => '2') },
      ]),
    }));
    const { client } = clientFor(server.url);
    const both = await usageOf(client, days('2026-02-03', 2), usageQuery());
    const alone = await usageOf(client, days('2026-02-04', 1), usageQuery());
    await server.stop();
    expect(both.map(totalsOf)).toEqual([{ UNALLOCATED: 48, a: 24 }, { UNALLOCATED: 48 }]);
    expect(alone).toEqual(both.slice(1));
    // Not whole, so that it waits for its tries: perhaps the label was renamed.
    expect(alone[0]).toMatchObject({
      outcome: 'partial',
      coverage: { samplesSeen: 23, samplesExpected: 24 },
      problems: [{ code: 'CB_METRICS_LABEL', severity: 'warning' }],
    });
  });

  it('fails no day on which the nameless stood still, not even of a query without the label', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const server = await serve(() => ({
      text: matrix([{ metric: {}, values: hourly(start, 48, (hour) => (hour < 24 ? '0' : '1')) }]),
    }));
    const query = usageQuery({ expression: () => 'sum(increase(bytes_total{principal!=""}[1h]))' });
    const answered = await usageOf(clientFor(server.url).client, days('2026-02-03', 2), query);
    await server.stop();
    expect(answered.map(({ outcome }) => outcome)).toEqual(['complete', 'failed']);
    expect(answered.map(({ problems }) => problems)).toMatchObject([
      [{ code: 'CB_METRICS_LABEL', severity: 'warning' }],
      [{ code: 'CB_METRICS_LABEL', severity: 'error' }],
    ]);
    expect(totalsOf(answered[0]!)).toEqual({ UNALLOCATED: 0 });
  });

  it.each([
    ['sum by (principal, "a.b") (increase(x[1h]))', 'partial'],
    ['sum(increase(x[1h])) by (principal)', 'partial'],
    ['sum by ("principal") (increase(x[1h]))', 'partial'],
    ['sum without (instance) (sum by (principal, instance) (increase(x[1h])))', 'partial'],
    ['topk(3, sum by (principal) (increase(x[1h])))', 'partial'],
    ['label_replace(sum by (user) (x), "principal", "$1", "user", "(.*)")', 'partial'],
    ['increase(x{principal=~".*"}[1h])', 'partial'],
    ['sum by (user) (x) * on (user) group_left (principal) owner', 'partial'],
    ['(sum by (principal) (x) or sum by (principal) (y)) * 60', 'partial'],
    ['count_values("principal", x)', 'partial'],
    ['sum by (principals) (increase(x{principal!=""}[1h]))', 'failed'],
    ['sum without (principal) (increase(x{principal!=""}[1h]))', 'failed'],
    ['sum by (topic) (sum by (principal, topic) (increase(x[1h])))', 'failed'],
    ['topk by (principal) (3, sum(increase(x[1h])))', 'failed'],
    ['x * ignoring (principal) y', 'failed'],
    ['increase(x{user="principal"}[1h]) # principal', 'failed'],
  ])('a day without a name is the fault of the query or not: %s', async (text, outcome) => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const server = await serve(() => ({ text: matrix([{ metric: {}, values: hourly(start, 24) }]) }));
    const query = usageQuery({ expression: () => text });
    const [day] = await usageOf(clientFor(server.url).client, days('2026-02-03', 1), query);
    await server.stop();
    expect(day!.outcome).toBe(outcome);
  });

  it('lets a nameless series of one resource touch no other resource', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const server = await serve(() => ({
      text: matrix([
        { metric: { cluster: 'c1', principal: 'a' }, values: hourly(start, 24) },
        { metric: { cluster: 'c2' }, values: hourly(start, 24) },
      ]),
    }));
    const query = usageQuery({ resourceLabel: 'cluster' });
    const [day] = await usageOf(clientFor(server.url).client, days('2026-02-03', 1), query);
    await server.stop();
    expect(day).toMatchObject({
      outcome: 'complete',
      totals: { resourceIds: ['c1', 'c2'], identityIds: ['a', 'UNALLOCATED'], values: [24, 24] },
    });
  });

  it('keeps what no resource can be given, and does not call the day whole because of it', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const nowhere = (value: string) => [
      { metric: { cluster: 'c1', principal: 'a' }, values: hourly(start, 48) },
      { metric: { principal: 'b' }, values: hourly(start, 24, () => value) },
    ];
    const query = usageQuery({ resourceLabel: 'cluster' });
    const ask = async (value: string) => {
      const server = await serve(() => ({ text: matrix(nowhere(value)) }));
      const answered = await usageOf(clientFor(server.url).client, days('2026-02-03', 2), query);
      await server.stop();
      return answered;
    };
    const [touched, whole] = await ask('3');
    expect(touched).toMatchObject({
      outcome: 'partial',
      coverage: { samplesSeen: 23, samplesExpected: 24 },
      totals: { resourceIds: ['UNALLOCATED', 'c1'], identityIds: ['b', 'a'], values: [72, 24] },
      problems: [{ code: 'CB_METRICS_LABEL', severity: 'warning' }],
    });
    expect(whole).toMatchObject({ outcome: 'complete', problems: [] });
    // Nothing moved, nothing lost.
    expect((await ask('0'))[0]).toMatchObject({ outcome: 'complete', problems: [{ severity: 'warning' }] });
  });

  it('sets samples aside whose sum would not stay finite', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const values = hourly(start, 24, (hour) => (hour < 2 ? '1.7e308' : '1'));
    const server = await serve(() => ({ text: matrix([{ metric: { principal: 'a' }, values }]) }));
    const [day] = await usageOf(clientFor(server.url).client, days('2026-02-03', 1), usageQuery());
    await server.stop();
    expect(totalsOf(day!)).toEqual({ a: 22 });
    expect(day!.problems[0]!.message).toMatch(/2 samples set aside, such as 1.7e\+308/);
  });

  it('adds up in a way that the order of series hardly matters to', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const series = Array.from({ length: 60 }, (_, index) => ({
      metric: { principal: 'a', part: String(index) },
      values: hourly(start, 24, (hour) => String(index % 2 === 0 ? 1e16 : 1 + hour / 10)),
    }));
    const sums: number[] = [];
    for (const order of [series, series.toReversed()]) {
      const server = await serve(() => ({ text: matrix(order) }));
      const [day] = await usageOf(clientFor(server.url).client, days('2026-02-03', 1), usageQuery());
      await server.stop();
      sums.push(totalsOf(day!)['a']!);
    }
    // 30 × 24 × 10¹⁶ + 30 × (24 + 0 + 0.1 + … + 2.3): the small ones would get lost one by one.
    const exact = 7_200_000_000_000_001_548n;
    for (const sum of sums) expect(Math.abs(Number(BigInt(sum) - exact))).toBeLessThanOrEqual(1024);
    expect(sums[0]).toBe(sums[1]);
  });

  it('asks again for half as many days when a query is too much for the server', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
    const tooMuch = {
      kind: 'error',
      status: 422,
      errorType: 'execution',
      error: 'query processing would load too many samples into memory',
    } as const;
    fetch.setFaults([{ when: ({ start, end }) => Number(end) - Number(start) > 86_400, effect: tooMuch }]);
    const answered = await usageOf(client, days('2026-02-01', 8), usageQuery());
    expect(answered.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 8 }, () => 'complete'));
    // What was too much once is not asked for again and again.
    const refused = fetch.requests.filter(({ start, end }) => Number(end) - Number(start) > 86_400);
    expect(refused).toHaveLength(1);
  });

  it('goes on behind days that the server can not answer', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
    const bad = Date.parse('2026-02-10T00:00:00Z') / 1000;
    fetch.setFaults([{ when: ({ start }) => Number(start) < bad, effect: { kind: 'status', status: 500 } }]);
    const answered = await usageOf(client, WINDOW, usageQuery());
    expect(answered.map(({ date, outcome }) => `${date} ${outcome}`)).toEqual(
      WINDOW_DATES.map((date) => `${date} ${date < '2026-02-10' ? 'failed' : 'complete'}`),
    );
  });

  it('asks for a step of seconds in several requests a day', async () => {
    const series = [{ labels: { principal: 'a' }, at: () => 10 }];
    const { client, fetch } = simulated({ metrics: [{ name: 'disk', kind: 'gauge', series }] });
    const query = usageQuery({
      expression: () => 'sum by (principal) (disk)',
      reduce: 'mean',
      stepSeconds: 5,
    });
    const [day] = await usageOf(client, days('2026-02-03', 1), query);
    expect(totalsOf(day!)).toEqual({ a: 10 });
    expect(day!.coverage).toEqual({ samplesSeen: 17_280, samplesExpected: 17_280 });
    expect(fetch.requests).toHaveLength(2);
  });

  it('looks ahead by one answer of each query at work, not by all days', async () => {
    const names = Array.from({ length: 400 }, (_, index) => `svc-${index}`);
    const { client, fetch } = simulated({ metrics: [counters(names, () => 1)] });
    const queries = ['a', 'b', 'c', 'd'].map((key) => usageQuery({ key }));
    const source = createMetricsSource(client, { concurrency: 2, logger: silent });
    for await (const day of source.usage(queries, WINDOW, never())) {
      expect(day.outcome).toBe('complete');
      break;
    }
    expect(fetch.requests.length).toBeLessThanOrEqual(2);
  });

  it('answers every day exactly once when the server refuses, without asking for each of them', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
    fetch.setFaults([{ effect: { kind: 'status', status: 401 } }]);
    const answered = await usageOf(client, WINDOW, usageQuery(), usageQuery({ key: 'other' }));
    expect(answered).toHaveLength(60);
    expect(
      answered.every(({ outcome, coverage }) => outcome === 'failed' && coverage.samplesSeen === 0),
    ).toBe(true);
    expect(fetch.requests.length).toBe(2);
    for (const { date, queryKey, problems } of answered) {
      expect(problems).toMatchObject([{ code: 'CB_METRICS_AUTH', severity: 'error', date, path: queryKey }]);
    }
  });

  it('goes on with other days after a failure that passes', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
    fetch.setFaults([{ times: 4, effect: { kind: 'status', status: 500 } }]);
    const answered = await usageOf(client, days('2026-02-01', 6), usageQuery());
    expect(answered.map(({ outcome }) => outcome)).toEqual([
      'failed',
      'failed',
      'failed',
      'complete',
      'complete',
      'complete',
    ]);
  });

  it('keeps resources apart where the query has a resource label', async () => {
    const series = ['c1', 'c2'].map((cluster, index) => ({
      labels: { cluster, principal: 'a' },
      at: () => index + 1,
    }));
    const { client } = simulated({ metrics: [{ name: 'bytes_total', kind: 'counter', series }] });
    const expression = (range: string): string =>
      `sum by (cluster, principal) (increase(bytes_total[${range}]))`;
    const [day] = await usageOf(
      client,
      days('2026-02-03', 1),
      usageQuery({ expression, resourceLabel: 'cluster' }),
    );
    expect(day!.totals).toEqual({ resourceIds: ['c1', 'c2'], identityIds: ['a', 'a'], values: [24, 48] });
  });

  it('averages a gauge over the instants that the query saw: half a day of 10 is 5', async () => {
    const series = [
      { labels: { principal: 'whole' }, at: () => 10 },
      { labels: { principal: 'half' }, at: () => 10, starts: new Date('2026-02-03T12:00:00Z') },
    ];
    const { client } = simulated({ metrics: [{ name: 'disk', kind: 'gauge', series }] });
    const query = usageQuery({ expression: () => 'sum by (principal) (disk)', reduce: 'mean' });
    const [day] = await usageOf(client, days('2026-02-03', 1), query);
    const { whole, half } = totalsOf(day!);
    expect(whole).toBe(10);
    expect(half).toBeGreaterThan(4.9);
    expect(half).toBeLessThan(5.5);
  });

  it('averages over the instants of good samples, whatever other series hold', async () => {
    const start = Date.parse('2026-02-03T00:00:00Z') / 1000;
    const server = await serve(() => ({
      text: matrix([
        { metric: { principal: 'a' }, values: hourly(start, 24, () => '10') },
        { metric: { principal: 'b' }, values: hourly(start, 24, (hour) => (hour < 12 ? 'NaN' : '10')) },
        { metric: { principal: 'c' }, values: hourly(start, 24, () => 'NaN') },
      ]),
    }));
    const query = usageQuery({ reduce: 'mean' });
    const [day] = await usageOf(clientFor(server.url).client, days('2026-02-03', 1), query);
    await server.stop();
    expect(totalsOf(day!)).toEqual({ a: 10, b: 5 });
    expect(day).toMatchObject({ outcome: 'partial', coverage: { samplesSeen: 0 } });
  });

  it('needs one instant a day, no more, of a query that asks who exists', async () => {
    const series = [{ labels: { principal: 'a' }, at: () => 1, starts: new Date('2026-02-03T20:00:00Z') }];
    const { client } = simulated({ metrics: [{ name: 'bytes_total', kind: 'counter', series }] });
    const query = usageQuery({
      expression: () => 'group by (principal) (bytes_total)',
      reduce: 'max',
      expects: 'any_instant',
    });
    const answered = await usageOf(client, days('2026-02-02', 2), query);
    expect(
      answered.map(({ outcome, coverage }) => [outcome, coverage.samplesSeen, coverage.samplesExpected]),
    ).toEqual([
      ['partial', 0, 1],
      ['complete', 1, 1],
    ]);
  });

  it('refuses a step that does not divide a day', async () => {
    const { client } = simulated({ metrics: [counters(['a'], () => 1)] });
    await expect(usageOf(client, WINDOW, usageQuery({ stepSeconds: 7000 }))).rejects.toThrow(
      /does not divide a day/,
    );
  });

  it('stops in the middle when asked to', async () => {
    const { client, fetch } = simulated({ metrics: [counters(['a'], () => 1)] });
    const stop = new AbortController();
    fetch.setFaults([{ effect: { kind: 'delay', milliseconds: 60_000 } }]);
    const asked = fetchDailyTotals(client, usageQuery(), { window: WINDOW, signal: stop.signal });
    const asking = asked[Symbol.asyncIterator]().next();
    stop.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
  });
});
