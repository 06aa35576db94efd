import { createMetricsModel, createSimulatorFetch } from '@chargeback/testkit';
import { array, assert, asyncProperty, constantFrom, integer, option, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askHours, askRange, HOUR, hours, MIDNIGHT, smallModel, totalOf } from './simulator-fixture.ts';

describe('increase', () => {
  it('covers the hour that ends at the instant', async () => {
    const answer = await askHours(smallModel(), 'increase(bytes_total{principal="a",host="one"}[1h])', {
      start: hours(1),
      end: hours(3),
    });
    expect(answer).toEqual({ 'one/a': { 1: 60, 2: 120, 3: 180 } });
  });

  it('has no sample at the very start, where nothing is known of the hour before', async () => {
    const answer = await askHours(smallModel(), 'sum(increase(bytes_total[1h]))', {
      start: hours(0),
      end: hours(1),
    });
    expect(answer).toEqual({ '': { 1: 60 + 7 + 1000 + 600 } });
  });

  it('spreads an hour over shorter ranges in whole numbers that add up to it', async () => {
    const model = smallModel();
    for (const [step, range] of [
      ['5m', '5m'],
      ['900', '15m'],
      ['1800', '30m'],
      ['3600', '3600s'],
      ['21600', '6h'],
    ] as const) {
      const minutes = { '5m': 5, '900': 15, '1800': 30, '3600': 60, '21600': 360 }[step];
      const result = await askRange(model, `sum by (principal) (increase(bytes_total[${range}]))`, {
        start: new Date(MIDNIGHT + minutes * 60_000),
        end: hours(48),
        step,
      });
      expect(totalOf(result)).toBe(model.expectedTotal('bytes_total', {}, model.window));
      expect(result.flatMap(({ values }) => values).every(([, value]) => /^\d+$/.test(value))).toBe(true);
    }
  });

  it('covers a day in one sample, wherever the day is cut', async () => {
    const model = smallModel();
    const answer = await askHours(model, 'sum by (principal) (increase(bytes_total{host="one"}[1d]))', {
      start: hours(24),
      end: hours(48),
      step: '1d',
    });
    const first = (24 * 25 * 60) / 2;
    expect(answer).toEqual({
      a: { 24: first, 48: (48 * 49 * 60) / 2 - first },
      b: { 24: 12_000, 48: 12_000 },
    });
    const shifted = await askRange(model, 'sum(increase(bytes_total{host="one"}[1d]))', {
      start: hours(30.3),
      end: hours(30.3),
    });
    const window = { start: hours(6.3), end: hours(30.3) };
    expect(totalOf(shifted)).toBe(model.expectedTotal('bytes_total', { host: 'one' }, window));
  });

  it('knows a series only while it lives, yet loses nothing of its last part of an hour', async () => {
    const answer = await askHours(smallModel(), 'increase(bytes_total{principal=~"late|gone"}[1h])', {
      start: hours(9),
      end: hours(33),
    });
    expect(answer['two/gone']).toEqual({ 9: 600, 10: 600, 11: 150 });
    expect(answer['two/late']).toEqual({ 31: 300, 32: 600, 33: 600 });
  });

  it('has no sample in an outage, and is not zero there', async () => {
    const model = smallModel({ outages: [{ start: hours(4), end: hours(6) }] });
    const answer = await askHours(model, 'sum(increase(bytes_total{principal="b"}[1h]))', {
      start: hours(3),
      end: hours(8),
    });
    expect(answer).toEqual({ '': { 3: 1000, 4: 0, 7: 1000, 8: 0 } });
    expect(model.expectedTotal('bytes_total', { principal: 'b' }, model.window)).toBe(23_000);
  });

  it('is per second when asked as a rate', async () => {
    const answer = await askHours(smallModel(), 'rate(bytes_total{principal="b"}[1h]) * 3600', {
      start: hours(1),
      end: hours(1),
    });
    expect(answer['one/b']![1]).toBeCloseTo(1000, 9);
  });

  it('adds up to the expected total for any lives, outages and steps', async () => {
    const span = tuple(integer({ min: 0, max: 47 * 60 }), integer({ min: 1, max: 600 })).map(
      ([start, length]) => ({ start: minute(start), end: minute(Math.min(start + length, 48 * 60)) }),
    );
    await assert(
      asyncProperty(
        array(span, { maxLength: 3 }),
        array(option(span), { minLength: 1, maxLength: 4 }),
        constantFrom(5, 15, 60, 120, 1440),
        async (outages, lives, stepMinutes) => {
          const model = createMetricsModel({
            window: { start: hours(0), end: hours(48) },
            outages,
            metrics: [
              {
                name: 'x_total',
                kind: 'counter',
                series: lives.map((life, index) => ({
                  labels: { principal: `p${index}` },
                  at: (hour: number) => ((hour * 7919 + index * 104_729) % 100_003) + 1,
                  ...(life ? { starts: life.start, ends: life.end } : {}),
                })),
              },
            ],
          });
          const result = await askRange(model, `sum by (principal) (increase(x_total[${stepMinutes}m]))`, {
            start: minute(stepMinutes),
            end: hours(48),
            step: `${stepMinutes}m`,
          });
          expect(totalOf(result)).toBe(model.expectedTotal('x_total', {}, model.window));
        },
      ),
      { numRuns: 60 },
    );
  });
});

function minute(count: number): Date {
  return new Date(MIDNIGHT + count * 60_000);
}

describe('gauges and instants', () => {
  it('show the value of the hour that ends', async () => {
    const model = smallModel();
    const request = { start: hours(1), end: hours(48) };
    const result = await askRange(model, 'sum by (principal) (stored_bytes)', request);
    expect(result.map(({ metric }) => metric)).toEqual([{ principal: 'a' }, { principal: 'b' }]);
    expect(result[0]!.values.slice(0, 2)).toEqual([
      [(MIDNIGHT + HOUR) / 1000, '100'],
      [(MIDNIGHT + 2 * HOUR) / 1000, '101'],
    ]);
    expect(totalOf(result)).toBe(model.expectedTotal('stored_bytes', {}, model.window));
  });

  it('show a counter as its running total since the series began', async () => {
    const answer = await askHours(smallModel(), 'bytes_total{principal="a"}', {
      start: hours(1),
      end: hours(3),
    });
    expect(answer).toEqual({
      'bytes_total/one/a': { 1: 60, 2: 180, 3: 360 },
      'bytes_total/two/a': { 1: 7, 2: 14, 3: 21 },
    });
  });

  it('name only series that are alive', async () => {
    const model = smallModel();
    const at = async (hour: number): Promise<string[]> =>
      Object.keys(
        await askHours(model, 'group by (principal) (bytes_total)', { start: hours(hour), end: hours(hour) }),
      );
    expect(await at(5)).toEqual(['a', 'b', 'gone']);
    expect(await at(20)).toEqual(['a', 'b']);
    expect(await at(40)).toEqual(['a', 'b', 'late']);
    expect(await at(49)).toEqual([]);
  });

  it('add up stored samples over a range', async () => {
    const over = async (call: string): Promise<number> => {
      const query = `${call}_over_time(stored_bytes{principal="a"}[2h])`;
      return totalOf(await askRange(smallModel(), query, { start: hours(2), end: hours(2) }));
    };
    // Twelve samples of 100 in the first hour, twelve of 101 in the second.
    expect(await over('sum')).toBe(12 * 201);
    expect(await over('avg')).toBe(100.5);
    expect(await over('count')).toBe(24);
    expect(await over('min')).toBe(100);
    expect(await over('max')).toBe(101);
    expect(await over('last')).toBe(101);
    expect(await over('present')).toBe(1);
  });
});

describe('aggregation', () => {
  const request = { start: hours(2), end: hours(2) };
  const sample = async (query: string): Promise<Record<string, number>> =>
    Object.fromEntries(
      Object.entries(await askHours(smallModel(), query, request)).map(([name, values]) => [
        name,
        values[2]!,
      ]),
    );

  it('groups by the labels named before or after', async () => {
    const grouped = { 'one/a': 120, 'two/a': 7, 'one/b': 0, 'two/gone': 600 };
    expect(await sample('sum by (principal, host) (increase(bytes_total[1h]))')).toEqual(grouped);
    expect(await sample('sum(increase(bytes_total[1h])) by (host, principal,)')).toEqual(grouped);
  });

  it('knows every operator', async () => {
    const each = async (operator: string): Promise<number | undefined> =>
      (await sample(`${operator} by (principal) (increase(bytes_total{principal="a"}[1h]))`))['a'];
    expect(await each('sum')).toBe(127);
    expect(await each('avg')).toBe(63.5);
    expect(await each('min')).toBe(7);
    expect(await each('max')).toBe(120);
    expect(await each('count')).toBe(2);
    expect(await each('group')).toBe(1);
  });

  it('leaves out labels that a series does not have', async () => {
    const result = await askRange(smallModel(), 'sum by (nothing, principal) (stored_bytes)', request);
    expect(result.map(({ metric }) => metric)).toEqual([{ principal: 'a' }, { principal: 'b' }]);
  });

  it('filters with every matcher', async () => {
    const names = async (matchers: string): Promise<string[]> =>
      Object.keys(await sample(`group by (principal) (bytes_total{${matchers}})`));
    expect(await names('principal="a"')).toEqual(['a']);
    expect(await names("principal!='a'")).toEqual(['b', 'gone']);
    expect(await names('principal=~"a|g.*"')).toEqual(['a', 'gone']);
    expect(await names('principal!~`a|g.*`')).toEqual(['b']);
    expect(await names('principal=~"g"')).toEqual([]);
    expect(await names('host="two", principal="a",')).toEqual(['a']);
    expect(await names('missing=""')).toEqual(['a', 'b', 'gone']);
    expect(await sample('sum({__name__="stored_bytes", principal="a"})')).toEqual({ '': 101 });
  });
});

describe('subqueries', () => {
  it('reduce the inner instants of the range', async () => {
    const model = smallModel();
    const answer = await askHours(
      model,
      'sum_over_time((sum by (principal) (increase(bytes_total{host="one"}[1h])))[1d:1h])',
      { start: hours(24), end: hours(48), step: '1d' },
    );
    const day = { start: hours(24), end: hours(48) };
    expect(answer['b']).toEqual({ 24: 12_000, 48: 12_000 });
    expect(answer['a']![48]).toBe(model.expectedTotal('bytes_total', { host: 'one', principal: 'a' }, day));
  });

  it('count what was there and average it', async () => {
    const model = smallModel({ outages: [{ start: hours(24), end: hours(30) }] });
    const request = { start: hours(48), end: hours(48) };
    const inner = '(sum(stored_bytes{principal="a"}))[1d:1h]';
    expect(totalOf(await askRange(model, `count_over_time(${inner})`, request))).toBe(18);
    // Hours 30 to 47 show 130 to 147.
    expect(totalOf(await askRange(model, `avg_over_time(${inner})`, request))).toBe(138.5);
  });

  it('include the first instant as Prometheus 2 does when asked to', async () => {
    const query = 'count_over_time((sum(stored_bytes))[1d:1h])';
    const request = { start: hours(48), end: hours(48) };
    const two = createSimulatorFetch(smallModel(), { closedRanges: true });
    expect(totalOf(await askRange(two, query, request))).toBe(25);
    expect(totalOf(await askRange(smallModel(), query, request))).toBe(24);
  });
});

describe('arithmetic', () => {
  it('binds as in PromQL and compares to 0 and 1', async () => {
    const model = smallModel();
    const request = { start: hours(1), end: hours(2) };
    // 100 and 101 of the one, 0.5 of the other.
    expect(await askHours(model, 'sum(stored_bytes) * 2 + 1 >= bool 203', request)).toEqual({
      '': { 1: 0, 2: 1 },
    });
    expect(await askHours(model, '(stored_bytes{principal="a"} >= bool 101) + 4', request)).toEqual({
      a: { 1: 4, 2: 5 },
    });
  });

  it('knows the time of an instant, in a subquery too', async () => {
    const request = { start: hours(24), end: hours(24) };
    const midnight = hours(24).getTime() / 1000;
    expect(totalOf(await askRange(smallModel(), 'vector(time())', request))).toBe(midnight);
    const query = 'sum_over_time(vector(time())[23h30m:1h])';
    for (const closedRanges of [true, false]) {
      const fetch = createSimulatorFetch(smallModel(), { closedRanges });
      expect(totalOf(await askRange(fetch, query, request))).toBe(24 * midnight - 276 * 3600);
    }
  });
});

describe('values', () => {
  it('are written as a Prometheus server writes them', async () => {
    const values = [
      0,
      12,
      99_999_999,
      100_000_000,
      2 ** 53,
      1e15 - 1,
      1e21,
      0.1,
      1e-9,
      -3,
      -2.5,
      Infinity,
      -Infinity,
    ];
    const model = createMetricsModel({
      window: { start: hours(0), end: hours(48) },
      metrics: [
        {
          name: 'g',
          kind: 'gauge',
          series: [{ labels: {}, at: (hour) => values[hour - MIDNIGHT / HOUR] ?? Number.NaN }],
        },
      ],
    });
    const [series] = await askRange(model, 'g', { start: hours(1), end: hours(values.length + 1) });
    expect(series!.values.map(([, text]) => text)).toEqual([
      '0',
      '12',
      '99999999',
      '100000000',
      '9007199254740992',
      '999999999999999',
      '1e+21',
      '0.1',
      '1e-09',
      '-3',
      '-2.5',
      '+Inf',
      '-Inf',
      'NaN',
    ]);
  });

  it('are NaN where the model says so, and poison a sum', async () => {
    const series = {
      labels: { principal: 'a' },
      at: () => 5,
      notANumber: [{ start: hours(2), end: hours(3) }],
    };
    const model = createMetricsModel({
      window: { start: hours(0), end: hours(48) },
      metrics: [
        { name: 'x_total', kind: 'counter', series: [series, { labels: { principal: 'b' }, at: () => 1 }] },
      ],
    });
    const answer = await askHours(model, 'sum(increase(x_total[1h]))', { start: hours(1), end: hours(5) });
    expect(answer).toEqual({ '': { 1: 6, 2: 6, 3: Number.NaN, 4: 6, 5: 6 } });
    expect(model.expectedTotal('x_total', { principal: 'a' }, model.window)).toBe(47 * 5);
  });
});

describe('what is not understood', () => {
  it.each([
    ['', 'no expression found'],
    ['sum(', 'unexpected end of input'],
    ['sum without (principal) (bytes_total)', 'unexpected name "without"'],
    ['histogram_quantile(0.9, bytes_total)', 'no function with name "histogram_quantile"'],
    ['increase(bytes_total)', 'expected type range vector in call to function "increase"'],
    ['bytes_total[5m]', 'invalid expression type "range vector"'],
    ['increase(sum(bytes_total)[1h])', 'ranges only allowed for vector selectors'],
    ['increase(bytes_total[1x])', 'not a valid duration string'],
    ['increase(bytes_total[0h])', 'not a valid duration string'],
    ['bytes_total offset 1d', 'unexpected name "offset"'],
    ['bytes_total / stored_bytes', 'calculates and compares with a number only'],
    ['bytes_total >= 3', 'compares with "bool" only'],
    ['vector(1)', 'makes a vector of time() only'],
    ['{principal=~".*"}', 'at least one non-empty matcher'],
    ['bytes_total{principal="a"', 'unexpected end of input'],
    ['bytes_total{principal=a}', 'expected string'],
    ['bytes_total{principal=~"("}', 'error parsing regexp'],
    ['increase(stored_bytes[1h])', 'stored_bytes is a gauge'],
    ['sum_over_time(bytes_total[1h])', 'bytes_total is a counter'],
    ['bytes_total ~ 3', 'unexpected character'],
  ])('is refused, never answered with nothing: %s', async (query, message) => {
    await expect(askRange(smallModel(), query, { start: hours(1), end: hours(2) })).rejects.toThrow(message);
  });

  it('does not concern a metric that nobody recorded: that is an empty answer, as of a real server', async () => {
    expect(await askRange(smallModel(), 'sum(nothing_total)', { start: hours(1), end: hours(2) })).toEqual(
      [],
    );
  });
});
