import type { Fetch } from '@chargeback/plugin-api';
import {
  type MetricDefinition,
  requireReal,
  type SeriesDefinition,
  startRealPrometheus,
} from '@chargeback/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { simulated, WINDOW } from './simulated.ts';
import { clientFor, days, never, usageQuery } from './support.ts';
import { bothWays } from './summed.ts';

const DAYS = 7;
const HOURS = DAYS * 24;
const FIRST_HOUR = WINDOW.start.getTime() / 3_600_000;
/** Every five minutes: eight series are samples enough to let the server add up. */
const STEP = 300;

const instant = (slot: number): Date => new Date(WINDOW.start.getTime() + slot * STEP * 1000);
const slot = fc.integer({ min: 0, max: HOURS * 12 });
const span = fc
  .tuple(slot, fc.integer({ min: 1, max: 60 }))
  .map(([from, length]) => ({ start: instant(from), end: instant(from + length) }));
const rarely = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value[]> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Value[]>([]) },
    { weight: 1, arbitrary: value.map((one) => [one]) },
  );

interface Oddity {
  readonly hour: number;
  readonly value: number;
}
const oddity: fc.Arbitrary<Oddity> = fc.record({
  hour: fc.integer({ min: 0, max: HOURS - 1 }),
  value: fc.constantFrom(-1, -0.5, Infinity, -Infinity, 1.7e308, 2e290, -0),
});

/** Tenths, so that sums are exact only when they are added up with care. */
const anySeries = fc
  .record({
    values: fc.array(fc.integer({ min: 0, max: 4_000_000 }), { minLength: 1, maxLength: 24 }),
    oddities: rarely(oddity),
    notANumber: rarely(span),
    starts: rarely(slot.map(instant)),
    ends: rarely(slot.map(instant)),
    unnamed: fc.integer({ min: 0, max: 40 }).map((number) => number === 0),
  })
  .map(({ values, oddities, notANumber, starts: [starts], ends: [ends], unnamed }) => ({
    unnamed,
    definition: {
      at: (hour: number): number =>
        oddities.find((odd) => odd.hour === hour - FIRST_HOUR)?.value ?? values[hour % values.length]! / 10,
      notANumber,
      ...(starts ? { starts } : {}),
      ...(ends && (!starts || starts < ends) ? { ends } : {}),
    },
  }));

describe('totals that a simulated server adds up', () => {
  it('are those of the samples, with their coverage and problems, whatever the samples are', async () => {
    let complete = 0;
    let partial = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          all: fc.array(anySeries, { minLength: 8, maxLength: 12 }),
          outages: rarely(span),
          closedRanges: fc.boolean(),
          reduce: fc.constantFrom('sum' as const, 'mean' as const, 'max' as const),
          expects: fc.constantFrom('every_instant' as const, 'any_instant' as const),
          // Two series of each name, or one.
          names: fc.constantFrom(1, 2),
        }),
        async ({ all, outages, closedRanges, reduce, expects, names }) => {
          const disk: MetricDefinition = {
            name: 'disk',
            kind: 'gauge',
            series: all.map(({ unnamed, definition }, index): SeriesDefinition => {
              const principal = `p${Math.floor(index / names)}`;
              return { ...definition, labels: { part: String(index), ...(unnamed ? {} : { principal }) } };
            }),
          };
          const { client } = simulated({ metrics: [disk], outages }, { closedRanges });
          const query = usageQuery({ expression: () => 'disk', stepSeconds: STEP, reduce, expects });
          const { bySample, summed } = await bothWays(client, days('2026-02-01', DAYS), query);
          expect(summed).toEqual(bySample);
          for (const { outcome } of summed) {
            if (outcome === 'complete') complete += 1;
            if (outcome === 'partial') partial += 1;
          }
        },
      ),
      { numRuns: 60 },
    );
    // Both ways were gone.
    expect(Math.min(complete, partial)).toBeGreaterThan(20);
  });
});

const real = requireReal('adding up by a real Prometheus', process.env);
const START = Date.parse('2026-02-01T00:00:00Z') / 1000;
const SERIES = 100;
const REAL_DAYS = 9;

/** Made of nothing but its arguments, between 0 and 1. */
const noise = (...parts: number[]): number => {
  let state = 2_166_136_261;
  for (const part of parts) state = Math.imul(state ^ part, 16_777_619) ^ (state >>> 13);
  return (Math.imul(state ^ (state >>> 15), 2_246_822_519) >>> 0) / 2 ** 32;
};

/**
 * Five-minute samples of 100 principals. Counters reset now and then, some join late or leave early, and on the
 * sixth day all are silent for hours. The gauge is a fraction, on the seventh day once NaN and on the eighth negative.
 */
// oxlint-disable-next-line require-await -- pieces may come from anywhere
async function* openMetrics(): AsyncIterable<string> {
  const slots = REAL_DAYS * 288;
  const silent = (at: number): boolean => at > 5 * 288 + 100 && at < 5 * 288 + 150;
  const lives = (index: number, at: number): boolean =>
    (index % 10 !== 3 || at > noise(index, 1) * slots) && (index % 10 !== 4 || at < noise(index, 2) * slots);
  for (const [name, whole] of [
    ['bytes', true],
    ['seconds', false],
  ] as const) {
    yield `# TYPE ${name} counter\n`;
    for (let index = 0; index < SERIES; index += 1) {
      let counter = 0;
      const lines: string[] = [];
      for (let at = 0; at <= slots; at += 1) {
        const gained = noise(index, at, 3) * 1e6;
        counter = noise(index, at, 4) < 0.001 ? 0 : counter + (whole ? Math.floor(gained) : gained);
        if (!silent(at) && lives(index, at)) {
          lines.push(`${name}_total{principal="p${index}"} ${counter} ${START + at * STEP}\n`);
        }
      }
      yield lines.join('');
    }
  }
  yield '# TYPE disk gauge\n';
  for (let index = 0; index < SERIES; index += 1) {
    for (let at = 0; at <= slots; at += 1) {
      if (silent(at) || !lives(index, at)) continue;
      const odd = index === 7 && at % 12 === 0;
      const value =
        odd && at === 6 * 288 + 60 ? 'NaN' : odd && at === 7 * 288 + 60 ? -3 : noise(index, at) / 3;
      yield `disk{principal="p${index}"} ${value} ${START + at * STEP}\n`;
    }
  }
  yield '# EOF\n';
}

describe.skipIf(!real)('totals that a real Prometheus adds up', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: openMetrics() });
  });
  afterAll(async () => prometheus?.stop());

  it('are of the 24 ends of the hours, though versions disagree on where a range begins', async () => {
    const { client } = clientFor(prometheus.url);
    const count = async (range: string): Promise<number | undefined> => {
      const expression = `count_over_time(vector(time())[${range}:3600s])`;
      const time = new Date('2026-02-02T00:00:00Z');
      const { series } = await client.query({ expression, time }, never());
      return series[0]?.values[0];
    };
    const build = await fetch(`${prometheus.url}/api/v1/status/buildinfo`);
    const { data } = (await build.json()) as { data: { version: string } };
    expect(await count('86400s')).toBe(data.version.startsWith('2.') ? 25 : 24);
    expect(await count('84600s')).toBe(24);
  });

  it.each([
    ['whole numbers', 'bytes_total', 'sum', 3600],
    ['increases of fractions', 'seconds_total', 'sum', 3600],
    ['increases of fractions', 'seconds_total', 'sum', 300],
    ['increases of fractions', 'seconds_total', 'mean', 1800],
    ['increases of fractions', 'seconds_total', 'max', 900],
  ] as const)('are those of the samples, bit for bit: %s (%s, %s each %d s)', async (...row) => {
    const [, metric, reduce, stepSeconds] = row;
    const by = `sum by (principal) (increase(${metric}[${Math.max(stepSeconds, 600)}s]))`;
    const query = usageQuery({ expression: () => by, reduce, stepSeconds });
    const window = days('2026-02-01', REAL_DAYS);
    let totals = 0;
    const counting: Fetch = (url, request) => {
      if (/^query=(sum|max)_over_time%28%28%0A/.test(String(request?.body))) totals += 1;
      return fetch(url, request);
    };
    const { client } = clientFor(prometheus.url, {}, { createFetch: () => counting });
    const { bySample, summed, reasons } = await bothWays(client, window, query);
    expect(summed).toEqual(bySample);
    expect(reasons).toEqual([]);
    const complete = summed.filter(({ outcome }) => outcome === 'complete');
    // All days but the one with silent hours; the first has no increase yet when its first step ends.
    expect(complete.length).toBeGreaterThanOrEqual(7);
    // The first three days tell that it pays.
    expect(totals).toBe(complete.filter(({ date }) => date > '2026-02-03').length);
    expect(totals).toBe(5);
  });

  it.each(['sum', 'mean', 'max'] as const)(
    'are those of a gauge with unusable samples: %s',
    async (reduce) => {
      for (const expression of ['disk', 'max by (principal) (disk) # peaks', 'disk{principal!="p7"}']) {
        const query = usageQuery({ expression: () => expression, reduce });
        const window = days('2026-02-01', REAL_DAYS);
        const { bySample, summed } = await bothWays(clientFor(prometheus.url).client, window, query);
        expect(summed).toEqual(bySample);
        expect(summed.filter(({ outcome }) => outcome === 'complete')).toHaveLength(
          expression.includes('p7') ? 8 : 6,
        );
      }
    },
  );

  it('are not had of a query that cannot be wrapped, and the answer is what it is without', async () => {
    for (const expression of [
      'scalar(vector(3))',
      'sum((',
      'disk) + (disk',
      '{__name__=~"disk|bytes_total"}',
    ]) {
      const query = usageQuery({ expression: () => expression });
      const window = days('2026-02-01', 5);
      const { bySample, summed } = await bothWays(clientFor(prometheus.url).client, window, query);
      expect(summed).toEqual(bySample);
    }
  });
});
