import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { fetchDailyTotals, injectMatcher, labelMatcher } from '../src/index.ts';
import { clientFor, days, never, totalsOf, usageOf, usageQuery } from './support.ts';

const real = requireReal('the client against a real Prometheus', process.env);
const START = Date.parse('2026-02-01T00:00:00Z') / 1000;
const DAY = 86_400;
const AWKWARD = 'quote " backslash \\ line\nend é';

/** Five-minute samples of ten days; `awkward` restarts at 06:25 of day 2, all is silent from 10:00 to 15:00 of day 3. */
/** Joins at 13:00 of day 6, beside one who was there all the time. */
const JOINED = 6 * DAY + 13 * 3600;
const ODD_VALUES = ['', ' ', '{}', '{x="y"}', "it's", '`', '\\n', '\\\\', '\t\r', '日本 🎉', '"}', '$&'];

// oxlint-disable-next-line require-await -- pieces may come from anywhere
async function* openMetrics(): AsyncIterable<string> {
  yield '# TYPE bytes counter\n';
  for (const [index, principal] of ['plain', AWKWARD].entries()) {
    const label = principal.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    let counter = 0;
    for (let slot = 0; slot <= 10 * 288; slot += 1) {
      const seconds = slot * 300;
      if (index === 1 && seconds === 2 * DAY + 6 * 3600 + 25 * 60) counter = 0;
      counter += index + 1;
      const hours = seconds / 3600 - 3 * 24;
      if (hours > 10 && hours < 15) continue;
      yield `bytes_total{principal="${label}"} ${counter} ${START + seconds}\n`;
    }
  }
  yield '# TYPE joined counter\n';
  for (let seconds = 0; seconds <= 10 * DAY; seconds += 300) {
    yield `joined_total{principal="early"} ${seconds / 300} ${START + seconds}\n`;
  }
  for (let seconds = JOINED; seconds <= 10 * DAY; seconds += 300) {
    yield `joined_total{principal="late"} ${(seconds - JOINED) / 300} ${START + seconds}\n`;
  }
  yield '# TYPE named gauge\n';
  for (const [index, name] of ODD_VALUES.entries()) {
    const label = name.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    yield `named{principal="p${index}",name="${label}"} ${index} ${START + 3600}\n`;
  }
  yield '# TYPE odd gauge\n';
  yield `odd{principal="a"} NaN ${START + 3600}\nodd{principal="a"} 4 ${START + 7200}\n`;
  yield '# EOF\n';
}

describe.skipIf(!real)('a real Prometheus behind a path prefix', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: openMetrics(), pathPrefix: '/metrics/one' });
  });
  afterAll(async () => prometheus?.stop());

  it('gives 24 samples a day at the ends of the hours, with the exact totals, over a counter reset too', async () => {
    const answered = await usageOf(clientFor(prometheus.url).client, days('2026-02-01', 3), usageQuery());
    for (const day of answered) {
      expect(day).toMatchObject({ outcome: 'complete', coverage: { samplesSeen: 24, samplesExpected: 24 } });
      expect(totalsOf(day)).toEqual({ plain: 288, [AWKWARD]: 576 });
    }
  });

  it('lowers the coverage by the silent hours', async () => {
    const [day] = await usageOf(clientFor(prometheus.url).client, days('2026-02-04', 1), usageQuery());
    expect(day).toMatchObject({ outcome: 'partial', coverage: { samplesSeen: 19, samplesExpected: 24 } });
    expect(totalsOf(day!)).toEqual({ plain: 19 * 12, [AWKWARD]: 19 * 24 });
  });

  it('finds a label value with quotes, backslashes and line ends', async () => {
    const expression = (range: string): string =>
      `sum by (principal) (increase(bytes_total{${labelMatcher('principal', AWKWARD)}}[${range}]))`;
    const [day] = await usageOf(
      clientFor(prometheus.url).client,
      days('2026-02-01', 1),
      usageQuery({ expression }),
    );
    expect(totalsOf(day!)).toEqual({ [AWKWARD]: 576 });
  });

  it.each(ODD_VALUES.map((name, index) => [JSON.stringify(name), name, index] as const))(
    'finds exactly the series whose label is %s',
    async (_shown, name, index) => {
      const query = usageQuery({
        expression: () => injectMatcher('max by (principal) (named{})', labelMatcher('name', name)),
        reduce: 'max',
        expects: 'any_instant',
      });
      const [day] = await usageOf(clientFor(prometheus.url).client, days('2026-02-01', 1), query);
      expect(totalsOf(day!)).toEqual({ [`p${index}`]: index });
    },
  );

  it('counts who joins in the middle of a day from then on, and the day is whole', async () => {
    const expression = (range: string): string => `sum by (principal) (increase(joined_total[${range}]))`;
    const answered = await usageOf(
      clientFor(prometheus.url).client,
      days('2026-02-06', 3),
      usageQuery({ expression }),
    );
    expect(answered.map(totalsOf)).toEqual([
      { early: 288 },
      { early: 288, late: 11 * 12 },
      { early: 288, late: 288 },
    ]);
    expect(answered.map(({ outcome }) => outcome)).toEqual(['complete', 'complete', 'complete']);
  });

  it('reads a scalar expression as a series of its own, as the server answers it', async () => {
    const query = { key: 'q', expression: () => 'scalar(vector(3))', stepSeconds: 3600 };
    const range = { window: days('2026-02-01', 1), signal: never() };
    const client = clientFor(prometheus.url).client;
    for await (const { value } of fetchDailyTotals(client, { ...query, reduce: 'mean' }, range))
      expect(value).toBe(3);
  });

  it('answers more than 11,000 points in several requests, with the same totals', async () => {
    const client = clientFor(prometheus.url).client;
    const query = {
      key: 'q',
      expression: (range: string) => `sum(increase(bytes_total[${range}]))`,
      reduce: 'sum' as const,
    };
    const sums: number[] = [];
    for (const stepSeconds of [600, 3600]) {
      let sum = 0;
      for await (const { date, value } of fetchDailyTotals(
        client,
        { ...query, stepSeconds },
        { window: days('2026-02-05', 5), signal: never() },
      )) {
        expect(value, date).toBe(864);
        sum += value ?? 0;
      }
      sums.push(sum);
    }
    expect(sums).toEqual([4320, 4320]);
    const instants = usageQuery({
      stepSeconds: 60,
      expression: () => 'group by (principal) (bytes_total)',
      reduce: 'max',
    });
    const answered = await usageOf(client, days('2026-02-01', 10), instants);
    expect(answered.filter(({ outcome }) => outcome === 'complete')).toHaveLength(9);
  });

  it('sets NaN aside and does not carry a stale sample on', async () => {
    const query = usageQuery({ expression: () => 'odd', reduce: 'mean' });
    const [day] = await usageOf(clientFor(prometheus.url).client, days('2026-02-01', 1), query);
    expect(totalsOf(day!)).toEqual({ a: 4 });
    expect(day!.coverage).toEqual({ samplesSeen: 1, samplesExpected: 24 });
    expect(day!.problems).toMatchObject([{ code: 'CB_METRICS_SAMPLE' }]);
  });

  it('reports what the server says about a bad query', async () => {
    const [day] = await usageOf(
      clientFor(prometheus.url).client,
      days('2026-02-01', 1),
      usageQuery({ expression: () => 'sum((' }),
    );
    expect(day!.problems).toMatchObject([{ code: 'CB_METRICS_QUERY' }]);
    expect(day!.problems[0]!.message).toMatch(/parse error/);
  });
});

describe('without a Prometheus on the path', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it('tests are skipped loudly, and their absence is an error where they are required', () => {
    vi.stubEnv('PATH', '/nonexistent');
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    expect(requireReal('these tests', {})).toBe(false);
    expect(warn.mock.calls.join()).toMatch(/SKIPPED these tests/);
    expect(() => requireReal('these tests', { REQUIRE_REAL: '1' })).toThrow(/these tests/);
  });
});
