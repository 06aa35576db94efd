import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  chargeback,
  type CsvRow,
  filesIn,
  parseCsv,
  repository,
  temporaryFolder,
  unitsOf,
} from './support.ts';

const real = requireReal('billing a real Prometheus', process.env);

const DAY = 86_400;
const SPACING = 300;
const DAYS = 14;
const GIB = 2n ** 30n;
const today = Math.floor(Date.now() / 1000 / DAY) * DAY;
/** The days that lookback 15 and cutoff 1 bill. */
const firstDay = today - 15 * DAY;
const principals = ['svc-checkout', 'svc-reports', 'svc-search'] as const;
const late = 'svc-late';
/** Hours after `firstDay` in which nothing was scraped: from 10:00 to 15:00 of the fifth day. */
const gap = { from: 4 * 24 + 10, to: 4 * 24 + 15 };
/** The late series has its first sample, 0, at noon of the ninth day. */
const lateFrom = firstDay + 8 * DAY + 12 * 3600;
/** svc-search restarts and counts from zero again, at 07:35 of the third day. */
const resetAt = firstDay + 2 * DAY + 7 * 3600 + 35 * 60;

/** Bytes that a principal receives in the five minutes up to an instant: whole MiB, different for each. */
function received(principal: string, instant: number): bigint {
  if (principal === late && instant <= lateFrom) return 0n;
  const index = BigInt([...principals, late].indexOf(principal as never) + 1);
  const slot = BigInt((instant - firstDay) / SPACING);
  return ((slot * 7n * index) % 23n) * 1_048_576n * index;
}

function stored(principal: string, instant: number): bigint {
  const index = BigInt([...principals, late].indexOf(principal as never) + 1);
  return index * 40n * GIB + BigInt(Math.floor((instant - firstDay) / 3600)) * 1_048_576n;
}

const inGap = (instant: number): boolean => {
  const hours = (instant - firstDay) / 3600;
  return hours > gap.from && hours < gap.to;
};

function* openMetrics(): Iterable<string> {
  const end = firstDay + DAYS * DAY;
  yield '# TYPE store_bytes_received counter\n';
  for (const principal of [...principals, late]) {
    let counter = 0n;
    for (let instant = firstDay; instant <= end; instant += SPACING) {
      const restarted = principal === 'svc-search' && instant === resetAt;
      counter = restarted ? received(principal, instant) : counter + received(principal, instant);
      if (inGap(instant) || (principal === late && instant < lateFrom)) continue;
      yield `store_bytes_received_total{principal="${principal}"} ${counter} ${instant}\n`;
    }
  }
  yield '# TYPE store_bytes_stored gauge\n';
  for (const principal of principals) {
    for (let instant = firstDay; instant <= end; instant += SPACING) {
      if (!inGap(instant))
        yield `store_bytes_stored{principal="${principal}"} ${stored(principal, instant)} ${instant}\n`;
    }
  }
  yield '# EOF\n';
}

/** Independent of the product: bytes per day and principal, counted from the data set itself. */
function dayTotals(day: number): Map<string, bigint> {
  const start = firstDay + day * DAY;
  const totals = new Map<string, bigint>();
  for (const principal of [...principals, late]) {
    let sum = 0n;
    for (let instant = start + SPACING; instant <= start + DAY; instant += SPACING) {
      const hour = Math.ceil((instant - firstDay) / 3600);
      const unseen = hour > gap.from && hour <= gap.to;
      if (!unseen) sum += received(principal, instant);
    }
    if (sum > 0n) totals.set(principal, sum);
  }
  return totals;
}

/** quantity × rate in ledger units, half-even: bytes × 10⁸ × rate ÷ 2³⁰. */
function costOf(bytes: bigint, ratePerGib: bigint, rateScale: bigint): bigint {
  const numerator = bytes * 100_000_000n * ratePerGib;
  const denominator = GIB * rateScale;
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  return quotient + (twice > denominator || (twice === denominator && quotient % 2n === 1n) ? 1n : 0n);
}

/** The rounding rule of the specification, written a second time: shares in ledger units by name. */
function expectedShares(total: bigint, weights: ReadonlyMap<string, bigint>): Map<string, bigint> {
  const names = [...weights.keys()].toSorted();
  const sum = [...weights.values()].reduce((left, right) => left + right, 0n);
  const quanta = total / 10_000n;
  const shares = names.map((name) => (2n * quanta * weights.get(name)! + sum) / (2n * sum));
  let rest = quanta - shares.reduce((left, right) => left + right, 0n);
  for (let index = 0; rest !== 0n; index = (index + 1) % names.length) {
    const step = rest > 0n ? 1n : -1n;
    if (shares[index]! + step < 0n) continue;
    shares[index]! += step;
    rest -= step;
  }
  return new Map(
    names.map((name, index) => [name, shares[index]! * 10_000n + (index === 0 ? total % 10_000n : 0n)]),
  );
}

const isoDay = (day: number): string => new Date((firstDay + day * DAY) * 1000).toISOString().slice(0, 10);

describe.skipIf(!real)('the example configuration against a real Prometheus', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let rows: CsvRow[];
  let config = path.join(repository, 'examples', 'generic-metrics', 'config.yaml');

  const environment = (): Record<string, string> => ({
    PROMETHEUS_URL: prometheus.url,
    DATABASE: `sqlite:///${path.join(folder.path, 'store.db')}`,
    OUTPUT_DIR: path.join(folder.path, 'out'),
  });
  const runOnce = (): ReturnType<typeof chargeback> =>
    chargeback(['run', '--config', config, '--json'], { env: environment(), cwd: folder.path });
  const rowsOf = async (): Promise<CsvRow[]> =>
    Object.entries(await filesIn(path.join(folder.path, 'out', 'daily'))).flatMap(([, text]) =>
      parseCsv(text),
    );

  beforeAll(async () => {
    folder = await temporaryFolder();
    prometheus = await startRealPrometheus({ openMetrics: [...openMetrics()].join('') });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await folder?.remove();
  });

  it('holds the lines of the day with the gap, and bills every other day at once', async () => {
    const result = await runOnce();
    expect(result.stderr).not.toMatch(/CB_INTERNAL/);
    expect(result.exitCode).toBe(1);
    const [run] = (JSON.parse(result.stdout) as { runs: Record<string, unknown>[] }).runs;
    expect(run).toMatchObject({ dates_gathered: DAYS, dates_calculated: DAYS - 1, dates_held: 1 });
    const problems = run!['problems'] as { code: string; date: string; message: string }[];
    expect(new Set(problems.map(({ date }) => date))).toEqual(new Set([isoDay(4)]));
    expect(problems.map(({ message }) => message).join('\n')).toMatch(/STORE_INGRESS.* 19 of 24 samples/);
    rows = await rowsOf();
    expect(new Set(rows.map(({ day }) => day)).size).toBe(DAYS - 1);
  });

  it('charges ingress exactly as counted from the data: reset and late series included', () => {
    for (let day = 0; day < DAYS; day += 1) {
      if (day === 4) continue;
      const totals = dayTotals(day);
      const bytes = [...totals.values()].reduce((left, right) => left + right, 0n);
      const expected = expectedShares(costOf(bytes, 1n, 100n), totals);
      const billed = rows.filter((row) => row.day === isoDay(day) && row.productType === 'STORE_INGRESS');
      expect(new Map(billed.map(({ identity, amount }) => [identity, unitsOf(amount)])), isoDay(day)).toEqual(
        expected,
      );
      expect(new Set(billed.map(({ detail }) => detail))).toEqual(new Set(['USAGE_RATIO_ALLOCATION']));
    }
    expect(rows.some(({ identity, day }) => identity === late && day === isoDay(8))).toBe(true);
    expect(rows.some(({ identity, day }) => identity === late && day === isoDay(7))).toBe(false);
  });

  it('charges capacity by the mean of 24 samples at the ends of the hours', () => {
    for (const day of [0, 9, 13]) {
      const ends = Array.from({ length: 24 }, (_, hour) => firstDay + day * DAY + (hour + 1) * 3600);
      const byPrincipal = new Map(
        principals.map((principal) => [
          principal as string,
          ends.reduce((sum, instant) => sum + stored(principal, instant), 0n),
        ]),
      );
      const sum = [...byPrincipal.values()].reduce((left, right) => left + right, 0n);
      // mean × 24 hours × 0.0001 = sum × 0.0001
      const expected = expectedShares(costOf(sum, 1n, 10_000n), byPrincipal);
      const billed = rows.filter((row) => row.day === isoDay(day) && row.productType === 'STORE_CAPACITY');
      expect(new Map(billed.map(({ identity, amount }) => [identity, unitsOf(amount)])), isoDay(day)).toEqual(
        expected,
      );
    }
  });

  it('splits the fixed cost of 36.00 a day evenly across everyone known that day', () => {
    const compute = (day: number): Map<string, bigint> =>
      new Map(
        rows
          .filter((row) => row.day === isoDay(day) && row.productType === 'STORE_COMPUTE')
          .map(({ identity, amount }) => [identity, unitsOf(amount)]),
      );
    const everyone = (names: readonly string[]): Map<string, bigint> =>
      expectedShares(36n * 100_000_000n, new Map(names.map((name) => [name, 1n])));
    expect(compute(0)).toEqual(everyone(['platform-team', ...principals]));
    expect(compute(10)).toEqual(everyone(['platform-team', ...principals, late]));
  });

  it('settles the day with the gap at the retry limit, marked, and changes no other day', async () => {
    // The tries of a day are hours apart: one that has used up its only one is settled at once.
    const text = await readFile(config, 'utf8');
    config = path.join(folder.path, 'config.yaml');
    await writeFile(
      config,
      text.replace('    lookback_days:', '    allocation_retry_limit: 1\n    lookback_days:'),
    );
    const settled = await runOnce();
    expect(settled.exitCode).toBe(0);
    const [run] = (
      JSON.parse(settled.stdout) as { runs: { problems: { code: string; severity: string }[] }[] }
    ).runs;
    expect(run!.problems.map(({ code, severity }) => `${code} ${severity}`)).toContain(
      'CB_USAGE_INCOMPLETE warning',
    );
    const after = await rowsOf();
    expect(after.filter(({ day }) => day !== isoDay(4))).toEqual(rows);
    const totals = dayTotals(4);
    const bytes = [...totals.values()].reduce((left, right) => left + right, 0n);
    const billed = after.filter((row) => row.day === isoDay(4) && row.productType === 'STORE_INGRESS');
    expect(billed.reduce((sum, { amount }) => sum + unitsOf(amount), 0n)).toBe(costOf(bytes, 1n, 100n));
  });

  it('calculates nothing more, and says so', async () => {
    const again = await chargeback(['run', '--config', config], { env: environment(), cwd: folder.path });
    expect(again.stdout).toMatch(/Nothing changed: no date was calculated again/);
    expect(again.exitCode).toBe(0);
  });

  it('reconciles per line, day and month with a difference of exactly 0', async () => {
    for (const by of ['line', 'day', 'month']) {
      const args = ['reconcile', '--config', config, '--tenant', 'object-store', '--by', by, '--json'];
      const result = await chargeback(args, { env: environment(), cwd: folder.path });
      expect(result.exitCode).toBe(0);
      const { totals } = JSON.parse(result.stdout) as { totals: Record<string, string>[] };
      expect(totals).toHaveLength(1);
      expect(totals[0]).toMatchObject({ difference: '0.0000', held: '0.0000', retained: '0.0000' });
      const allocated = (await rowsOf()).reduce((sum, { amount }) => sum + unitsOf(amount), 0n);
      expect(unitsOf(totals[0]!['billed']!)).toBe(allocated);
    }
  });
});
