import { describe, expect, it } from 'vitest';
import {
  createPrometheusClient,
  createScrapeCoverage,
  type DailyTotal,
  fetchDailyTotals,
  metricsConnectionSchema,
} from '../src/index.ts';
import { days, never, silent } from './support.ts';

const DAY = 86_400;
const SPAN = 300;
const WINDOW = days('2026-02-03', 1);
const MIDNIGHT = WINDOW.start.getTime() / 1000;

/** When a source was scraped, in seconds of the day. */
type Scrapes = readonly number[];

/** Scrapes every so many seconds from one second of the day to another. */
function every(seconds: number, from = 0, to = DAY): number[] {
  const times: number[] = [];
  for (let time = from + seconds; time <= to; time += seconds) times.push(time);
  return times;
}

const without = (times: Scrapes, from: number, to: number): number[] =>
  times.filter((time) => time <= from || time >= to);
const clock = (hour: number, minute = 0): number => hour * 3600 + minute * 60;

interface Told {
  readonly sources: Readonly<Record<string, Scrapes>>;
  /** How many there should be. */
  readonly expected: number;
  readonly stepSeconds?: number;
  /** Bytes in a step; a step without is `null`. */
  readonly bytes?: (step: number) => number | null;
  readonly bridge?: { readonly increase: number; readonly resets: number };
  readonly quiet?: boolean;
  readonly reduce?: 'sum' | 'mean';
}

/** The day as a metrics server tells it that knows just these scrapes and bytes. */
async function dayOf({ sources, expected, stepSeconds = 3600, ...told }: Told): Promise<DailyTotal> {
  const matrix = (step: number, series: [object, (index: number) => number | null][]): Response => {
    const result = series.map(([metric, value]) => ({
      metric,
      values: Array.from({ length: DAY / step }, (_, index) => [
        MIDNIGHT + (index + 1) * step,
        value(index),
      ]).flatMap(([time, one]) => (one === null ? [] : [[time, String(one)]])),
    }));
    return new Response(JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } }));
  };
  const fetch = (async (_url: unknown, init?: { body?: unknown }) => {
    const query = new URLSearchParams(String(init?.body)).get('query')!;
    if (query === 'increase') return matrix(DAY, [[{}, () => told.bridge!.increase]]);
    if (query === 'resets') return matrix(DAY, [[{}, () => told.bridge!.resets]]);
    if (query === 'bytes') return matrix(stepSeconds, [[{}, told.bytes ?? (() => 100)]]);
    const counted = (times: Scrapes) => (span: number) =>
      times.filter((time) => time > span * SPAN && time <= (span + 1) * SPAN).length || null;
    return matrix(
      SPAN,
      Object.entries(sources).map(([host, times]) => [{ host }, counted(times)]),
    );
  }) as typeof globalThis.fetch;
  const client = createPrometheusClient(metricsConnectionSchema.parse({ url: 'http://told.invalid' }), {
    createFetch: () => fetch,
    clock: () => new Date('2026-03-01T00:00:00Z'),
    random: () => 0.5,
    sleep: () => Promise.resolve(),
    logger: silent,
  });
  const scrapes = createScrapeCoverage(client, [
    {
      key: 'scrapes',
      expression: () => 'scrapes',
      sourceLabels: ['host'],
      sources: () => expected,
      noun: 'hosts',
      stepSeconds,
    },
  ]);
  const query = {
    key: 'q',
    expression: () => 'bytes',
    stepSeconds,
    reduce: told.reduce ?? 'sum',
    quiet: told.quiet ?? false,
    ...(told.bridge ? { bridge: { increase: 'increase', resets: 'resets' } } : {}),
  };
  for await (const day of fetchDailyTotals(client, query, { window: WINDOW, signal: never(), scrapes }))
    return day;
  throw new Error('no day');
}

const seen = async (told: Told): Promise<number> => (await dayOf(told)).coverage.samplesSeen;
/** A little to and fro, the same at every run. */
const jittered = (times: Scrapes, by: number): number[] =>
  times.map((time, index) => time + (((index * 7919) % 201) / 100 - 1) * by);

describe('steps of a source that is well', () => {
  it.each([
    ['once a minute', every(60)],
    ['once a minute, a second more or less', jittered(every(60), 1)],
    ['every 30 s, three seconds more or less', jittered(every(30), 3)],
    ['every 15 s', every(15)],
    ['every 150 s', every(150)],
    ['every 300 s, ten seconds more or less', jittered(every(300), 10)],
    ['every ten minutes, off the hour', every(600, 180)],
    ['every ten minutes, off the hour, some seconds more or less', jittered(every(600, 180), 20)],
    ['every 60 s, from noon on every 15 s', [...every(60, 0, DAY / 2), ...every(15, DAY / 2)]],
    ['every 15 s, from noon on every 60 s', [...every(15, 0, DAY / 2), ...every(60, DAY / 2)]],
  ])('%s: all count', async (_name, times) => {
    const day = await dayOf({ sources: { one: times }, expected: 1 });
    expect(day.coverage.samplesSeen).toBe(24);
    expect(day.problems).toEqual([]);
  });
});

describe('restarts and outages', () => {
  const well = every(60);

  it.each([300, 900, 3600])(
    'four minutes over the hour are no outage, with a step of %d s',
    async (stepSeconds) => {
      const one = without(well, clock(9, 57), clock(10, 1));
      const expected = DAY / stepSeconds;
      expect(await seen({ sources: { one, two: well }, expected: 2, stepSeconds })).toBe(expected);
      expect(await seen({ sources: { one }, expected: 1, stepSeconds })).toBe(expected);
    },
  );

  it('one that is replaced under another name carries on, also when all are, one right after another', async () => {
    const sources = Object.fromEntries(
      [0, 1, 2].flatMap((host) => {
        const gone = clock(9, 51) + host * 300;
        return [
          [`old-${host}`, well.filter((time) => time < gone)],
          [`new-${host}`, well.filter((time) => time > gone + 240)],
        ];
      }),
    );
    expect(await seen({ sources, expected: 3 })).toBe(24);
    expect(await seen({ sources, expected: 3, stepSeconds: 300 })).toBe(288);
  });

  it('twelve minutes over the hour are one, and cost the steps on both sides', async () => {
    const one = without(well, clock(9, 53), clock(10, 5));
    const day = await dayOf({ sources: { one, two: well, three: well }, expected: 3 });
    expect(day.coverage.samplesSeen).toBe(22);
    expect(day.problems.map(({ message }) => message)).toEqual([
      'q: on 2026-02-03 22 of 24 steps rest on 3 hosts; 2 answered in the worst, with gaps in one',
    ]);
    expect(await seen({ sources: { one, two: well, three: well }, expected: 3, quiet: true })).toBe(22);
  });

  it('a replacement that comes late is one', async () => {
    const sources = {
      two: well,
      old: well.filter((time) => time < clock(9, 50)),
      new: well.filter((time) => time > clock(10, 30)),
    };
    expect(await seen({ sources, expected: 2 })).toBe(22);
  });

  it('a gap inside a step is one for what is no counter', async () => {
    const one = without(well, clock(9, 10), clock(9, 30));
    expect(await seen({ sources: { one }, expected: 1 })).toBe(24);
    expect(await seen({ sources: { one }, expected: 1, quiet: true })).toBe(23);
  });

  it.each([
    ['four hosts, three minutes', 4, 60, 180],
    ['nine hosts, a minute', 9, 15, 60],
    ['three hosts, five minutes and a half', 3, 30, 330],
  ])('a pause of all at midnight is none, on either side: %s', async (_name, hosts, interval, seconds) => {
    const times = every(interval);
    const all = (own: Scrapes) =>
      Object.fromEntries(Array.from({ length: hosts }, (_, host) => [`h${host}`, own]));
    const before = all(times.filter((time) => time <= DAY - seconds));
    const after = all(times.filter((time) => time > seconds));
    for (const sources of [before, after]) {
      expect(await seen({ sources, expected: hosts })).toBe(24);
      expect(await seen({ sources, expected: hosts, stepSeconds: 300 })).toBe(288);
    }
  });

  it('a longer one at midnight is one, of however many', async () => {
    for (const hosts of [1, 4]) {
      const all = (own: Scrapes) =>
        Object.fromEntries(Array.from({ length: hosts }, (_, host) => [`h${host}`, own]));
      const before = all(well.filter((time) => time <= DAY - 600));
      const after = all(well.filter((time) => time > 600));
      expect(await seen({ sources: before, expected: hosts })).toBe(23);
      expect(await seen({ sources: after, expected: hosts })).toBe(23);
    }
  });

  it('many short gaps are one', async () => {
    const one = well.filter((time) => time % 3600 > 300);
    expect(await seen({ sources: { one }, expected: 1 })).toBeLessThan(24);
  });

  it('half a day that has not come in is one', async () => {
    expect(await seen({ sources: { one: every(60, 0, DAY / 2) }, expected: 1 })).toBe(12);
  });

  it('one more than there should be that goes and comes back is one, and is told of', async () => {
    const three = without(well, clock(6), clock(18));
    const day = await dayOf({ sources: { one: well, two: well, three }, expected: 2 });
    expect(day.coverage.samplesSeen).toBe(12);
    expect(day.problems.map(({ message }) => message)).toContain(
      'on 2026-02-03 3 hosts were scraped side by side, the settings have 2',
    );
  });

  it('one that joins or leaves at noon is none, nor is one that runs beside its replacement for a while', async () => {
    const noon = DAY / 2;
    const joins = { one: well, two: every(60, noon) };
    expect(await seen({ sources: joins, expected: 1 })).toBe(24);
    const overlaps = { old: every(60, 0, noon), new: every(60, noon - 900) };
    const day = await dayOf({ sources: overlaps, expected: 1 });
    expect(day).toMatchObject({ coverage: { samplesSeen: 24 }, problems: [] });
  });
});

describe('a gap that counts as none over midnight', () => {
  const well = every(60);
  const told = async (times: Scrapes, more: Partial<Told> = {}): Promise<string[]> => {
    const day = await dayOf({ sources: { one: times, two: well }, expected: 2, ...more });
    expect(day.coverage.samplesSeen).toBe(24);
    return day.problems.map(({ severity, code, message }) => `${severity} ${code} ${message}`);
  };
  const before = well.filter((time) => time <= DAY - 240);
  const after = well.filter((time) => time > 240);

  it('is told of on each day that it touches: no range of a day reaches over it', async () => {
    const lost = (where: string): string[] => [
      `warning CB_METRICS_PARTIAL q: scrapes of hosts are missing ${where}; what passed over midnight until the next one is on neither day`,
    ];
    expect(await told(before)).toEqual(lost('at the end of 2026-02-03'));
    expect(await told(after)).toEqual(lost('at the start of 2026-02-03'));
    expect(await told(before.filter((time) => time > 240))).toEqual(
      lost('at the start of 2026-02-03 and at the end of 2026-02-03'),
    );
    expect(await told(before, { quiet: true })).toEqual(lost('at the end of 2026-02-03'));
  });

  it('is not where nothing passes, where it lies inside the day, or where another carries on', async () => {
    expect(await told(before, { reduce: 'mean' })).toEqual([]);
    expect(await told(without(well, DAY - 900, DAY - 660))).toEqual([]);
    expect(await told(before, { expected: 1, sources: { old: before, new: every(60, DAY - 900) } })).toEqual(
      [],
    );
  });
});

describe('what is held', () => {
  const well = every(60);
  const bytes = (step: number): number => (step === 9 ? 200 : 300);

  it('is the mean of the instants at which all were there; a restart over one of them holds nothing', async () => {
    const one = without(well, clock(9, 57), clock(10, 2));
    const day = await dayOf({ sources: { one, two: well }, expected: 2, bytes, reduce: 'mean' });
    expect(day).toMatchObject({ value: 300, coverage: { samplesSeen: 24 }, problems: [] });
    // It was back before the hour: the instant counts.
    const back = without(well, clock(9, 53), clock(9, 58));
    const early = await dayOf({ sources: { one: back, two: well }, expected: 2, bytes, reduce: 'mean' });
    expect(early.value).toBeCloseTo(300 - 100 / 24, 9);
  });
});

describe('what passes in a gap', () => {
  const well = every(60);
  const short = without(well, clock(9, 57), clock(10, 1));
  const long = without(well, clock(9), clock(12));
  const bytes = (step: number): number => (step >= 9 && step < 12 ? 0 : 100);

  it('is in the sum when a gap is none, as counters tell it of the whole day', async () => {
    const bridge = { increase: 2407, resets: 1 };
    expect((await dayOf({ sources: { one: short }, expected: 1, bridge })).value).toBe(2407);
    // A restart loses what came after the last scrape, and no sum becomes less by asking.
    const less = { increase: 2300, resets: 1 };
    expect((await dayOf({ sources: { one: short }, expected: 1, bridge: less })).value).toBe(2400);
  });

  it('is measured when the same counters go on after an outage, else missing for just that time', async () => {
    const bridge = { increase: 2130, resets: 0 };
    const told = { sources: { one: long }, expected: 1, bytes };
    expect(await dayOf({ ...told, bridge })).toMatchObject({
      value: 2100,
      measured: { value: 2130, steps: 24 },
      coverage: { samplesSeen: 21 },
    });
    const restarted = await dayOf({ ...told, bridge: { increase: 2110, resets: 1 } });
    expect(restarted.measured.value).toBe(2100);
    // 09:00 to 12:00 without the scrapes at both ends: 179 minutes.
    expect(restarted.measured.steps).toBeCloseTo(24 - 179 / 60, 6);
  });

  it('of one of two sources is half of the time', async () => {
    const { measured } = await dayOf({ sources: { one: long, two: well }, expected: 2, bytes: () => 100 });
    expect(measured.value).toBe(2400);
    expect(measured.steps).toBeCloseTo(24 - 179 / 120, 6);
  });

  it('is not bridged where nobody comes back', async () => {
    const sources = { one: every(60, 0, DAY / 2) };
    const day = await dayOf({
      sources,
      expected: 1,
      bridge: { increase: 1200, resets: 0 },
      bytes: (step) => (step < 12 ? 100 : null),
    });
    expect(day.measured).toEqual({ value: 1200, steps: 12 });
  });
});
