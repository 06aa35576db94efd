import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { money } from '@chargeback/money';
import type { ChargebackRow, EmissionBatch } from '@chargeback/plugin-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrometheusEmitter, findEmitter, prometheusParamsSchema } from '../src/index.ts';
import { batch, host, never, row, temporaryFolder } from './support.ts';

const OWNER = { tenantId: 'acme', ecosystem: 'generic-metrics' };

function emitterIn(folder: string, params: object = {}, owner = OWNER) {
  return createPrometheusEmitter(prometheusParamsSchema.parse({ output_dir: folder, ...params }), owner);
}

function day(date: string, rows: readonly ChargebackRow[], overrides: Partial<EmissionBatch> = {}) {
  const start = new Date(`${date}T00:00:00Z`);
  const period = { start, end: new Date(start.getTime() + 86_400_000) };
  return batch([rows], { batchId: `batch ${date}`, period, ...overrides });
}

const seconds = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 1000;

/** Samples of a text: value by name and labels, and the time after it where there is one. A series twice is an error. */
function samplesOf(text: string): Record<string, string> {
  const samples: Record<string, string> = {};
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const cut = line.lastIndexOf('}') + 1;
    const series = line.slice(0, cut);
    const value = line.slice(cut + 1);
    const key = value.includes(' ') ? `${series} @${value.split(' ')[1]}` : series;
    if (key in samples) throw new Error(`twice: ${key}`);
    samples[key] = value.split(' ')[0]!;
  }
  return samples;
}

const FILE = (date: string, length = 'day'): string => `chargeback+generic-metrics+acme+${length}+${date}.om`;
const GAUGES = 'chargeback+generic-metrics+acme.prom';
const A =
  '{tenant_id="acme",ecosystem="generic-metrics",resource_id="cluster-1",product_category="network",' +
  'product_type="NETWORK_IN",identity_id="team-a",cost_type="USAGE",allocation_method="usage_ratio",' +
  'allocation_detail="USAGE_RATIO_ALLOCATION",currency="USD"}';
const B = A.replace('team-a', 'team-b');
const OWN = '{tenant_id="acme",ecosystem="generic-metrics"}';

describe('the file of a period', () => {
  it('holds one sample per series with the time that was billed, in OpenMetrics text', async () => {
    await using folder = await temporaryFolder();
    const rows = [row(), row({ identityId: 'team-b', amount: money(-30_000n, 'USD') })];
    const receipt = await emitterIn(folder.path).emit(day('2026-02-01', rows), never);
    expect(receipt).toEqual({ rowCount: 2, totals: new Map([['USD', 104_970_000n]]) });
    const text = await readFile(path.join(folder.path, FILE('2026-02-01')), 'utf8');
    expect(text.split('\n')).toEqual([
      expect.stringMatching(/^# HELP chargeback_daily_cost Cost of the day .* Batch [0-9a-f]{16}\.$/),
      '# TYPE chargeback_daily_cost gauge',
      `chargeback_daily_cost${A} 1.0500 ${seconds('2026-02-01')}`,
      `chargeback_daily_cost${B} -0.0003 ${seconds('2026-02-01')}`,
      '# EOF',
      '',
    ]);
  });

  it('adds rows exactly that labels do not tell apart', async () => {
    await using folder = await temporaryFolder();
    const rows = [
      row({ resourceId: null, amount: money(1n, 'USD') }),
      row({ resourceId: '', amount: money(2n ** 62n, 'USD') }),
      row({ resourceId: null, timestamp: new Date('2026-02-01T07:00:00Z'), amount: money(1n, 'USD') }),
    ];
    await emitterIn(folder.path).emit(day('2026-02-01', rows, { aggregation: null }), never);
    const text = await readFile(path.join(folder.path, FILE('2026-02-01')), 'utf8');
    // 2^62 + 2 units of 10⁻⁸
    expect(Object.values(samplesOf(text))).toEqual(['46116860184.27387906']);
  });

  it('keeps currencies, environments and categories apart', async () => {
    await using folder = await temporaryFolder();
    const rows = [
      row(),
      row({ amount: money(1n, 'EUR') }),
      row({ environmentId: 'env-1' }),
      row({ productCategory: 'disk' }),
      row({ allocationDetail: 'NO_METRICS_LOCATED' }),
    ];
    await emitterIn(folder.path).emit(day('2026-02-01', rows), never);
    const text = await readFile(path.join(folder.path, FILE('2026-02-01')), 'utf8');
    expect(Object.keys(samplesOf(text))).toHaveLength(5);
  });

  it('has a sample per hour when rows are hourly, in order of time', async () => {
    await using folder = await temporaryFolder();
    const at = (hour: number) => new Date(Date.UTC(2026, 1, 1, hour));
    const rows = [row({ timestamp: at(5) }), row({ timestamp: at(1) }), row({ timestamp: at(5) })];
    const emitter = emitterIn(folder.path);
    await emitter.emit(day('2026-02-01', rows, { aggregation: 'hourly' }), never);
    const text = await readFile(path.join(folder.path, FILE('2026-02-01', 'hour')), 'utf8');
    expect(samplesOf(text)).toEqual({
      [`chargeback_hourly_cost${A} @${seconds('2026-02-01') + 3600}`]: '1.0500',
      [`chargeback_hourly_cost${A} @${seconds('2026-02-01') + 5 * 3600}`]: '2.1000',
    });
    expect(text.indexOf(' 1.0500 ')).toBeLessThan(text.indexOf(' 2.1000 '));
    await emitter.finish!('hourly', never);
    expect(samplesOf(await emitter.exposition!())[`chargeback_last_day_cost${A}`]).toBe('3.1500');
  });

  it.each(['../evil', 'a/b', '..', 'a+b', 'nul\0byte', 'star*', 'half \ud800 pair'])(
    'lies in output_dir, whatever the tenant is called: %j',
    async (tenantId) => {
      await using folder = await temporaryFolder();
      const out = path.join(folder.path, 'out');
      const emitter = emitterIn(out, {}, { ...OWNER, tenantId });
      await emitter.emit(day('2026-02-01', [row({ tenantId })], { tenantId }), never);
      await emitter.finish!('daily', never);
      expect(await folder.list()).toEqual(['out']);
      expect(samplesOf(await emitter.exposition!())).not.toEqual({});
    },
  );

  it('is not mixed up with that of a tenant whose name and ecosystem look alike', async () => {
    await using folder = await temporaryFolder();
    const owners = [
      { tenantId: 'b+c', ecosystem: 'a' },
      { tenantId: 'c', ecosystem: 'a+b' },
      { tenantId: 'c', ecosystem: 'a' },
    ];
    for (const owner of owners) {
      const emitter = emitterIn(folder.path, {}, owner);
      await emitter.emit(day('2026-02-01', [row(owner)], owner), never);
      await emitter.finish!('daily', never);
    }
    expect(await folder.list()).toHaveLength(6);
  });

  it('stays as it was when the rows fail or the run is stopped, and no other file is left', async () => {
    await using folder = await temporaryFolder();
    const emitter = emitterIn(folder.path);
    await emitter.emit(day('2026-02-01', [row()]), never);
    const before = await readFile(path.join(folder.path, FILE('2026-02-01')), 'utf8');
    const cause = new Error('the source broke');
    async function* failing(): AsyncGenerator<readonly ChargebackRow[]> {
      yield [row({ identityId: 'half' })];
      throw cause;
    }
    await expect(emitter.emit(day('2026-02-01', [], { rows: failing() }), never)).rejects.toMatchObject({
      code: 'CB_EMIT_FAILED',
      cause,
    });
    const stopped = AbortSignal.abort(new Error('stop'));
    await expect(emitter.emit(day('2026-02-01', []), stopped)).rejects.toThrow('stop');
    expect(await readFile(path.join(folder.path, FILE('2026-02-01')), 'utf8')).toBe(before);
    expect(await folder.list()).toEqual([FILE('2026-02-01')]);
  });

  it('says so when output_dir is a file', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'file');
    await writeFile(file, '');
    await expect(emitterIn(file).emit(day('2026-02-01', [row()]), never)).rejects.toMatchObject({
      code: 'CB_EMIT_FAILED',
    });
    await expect(emitterIn(file).finish!('daily', never)).rejects.toMatchObject({ code: 'CB_EMIT_FAILED' });
  });
});

describe('the gauges of now', () => {
  it('show the last day with costs and its month so far, without a time, and which they are', async () => {
    await using folder = await temporaryFolder();
    const emitter = emitterIn(folder.path);
    await emitter.emit(day('2026-01-31', [row({ amount: money(900_000_000n, 'USD') })]), never);
    await emitter.emit(day('2026-02-01', [row(), row({ identityId: 'team-b' })]), never);
    await emitter.emit(day('2026-02-02', [row({ amount: money(30_000n, 'USD') })]), never);
    await emitter.emit(day('2026-02-03', []), never);
    await emitter.finish!('daily', never);
    const text = await emitter.exposition!();
    expect(text).toBe(await readFile(path.join(folder.path, GAUGES), 'utf8'));
    expect(samplesOf(text)).toEqual({
      [`chargeback_month_to_date_cost${A}`]: '1.0503',
      [`chargeback_month_to_date_cost${B}`]: '1.0500',
      [`chargeback_month_to_date_timestamp_seconds${OWN}`]: String(seconds('2026-02-01')),
      [`chargeback_month_to_date_periods${OWN}`]: '3',
      [`chargeback_last_day_cost${A}`]: '0.0003',
      [`chargeback_last_day_timestamp_seconds${OWN}`]: String(seconds('2026-02-02')),
    });
  });

  it('show the month alone when rows are added up by month', async () => {
    await using folder = await temporaryFolder();
    const emitter = emitterIn(folder.path);
    for (const [date, units] of [
      ['2026-01-01', 5n],
      ['2026-02-01', 7n],
    ] as const) {
      const rows = [row({ amount: money(units, 'USD') })];
      await emitter.emit(day(date, rows, { aggregation: 'monthly' }), never);
    }
    await emitter.finish!('monthly', never);
    expect(samplesOf(await emitter.exposition!())).toEqual({
      [`chargeback_month_to_date_cost${A}`]: '0.00000007',
      [`chargeback_month_to_date_timestamp_seconds${OWN}`]: String(seconds('2026-02-01')),
    });
    const january = await readFile(path.join(folder.path, FILE('2026-01-01', 'month')), 'utf8');
    expect(samplesOf(january)).toEqual({
      [`chargeback_monthly_cost${A} @${seconds('2026-01-01')}`]: '0.00000005',
    });
  });

  it('are the same after a restart, whatever the order in which days arrive', async () => {
    const rowsOf = fc.array(
      fc.record({
        identityId: fc.constantFrom('a', 'b', 'ä"\\\n'),
        units: fc.bigInt(-(10n ** 12n), 10n ** 12n),
      }),
      { maxLength: 4 },
    );
    const days = fc.array(fc.tuple(fc.integer({ min: 1, max: 28 }), rowsOf), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(days, async (emissions) => {
        await using folder = await temporaryFolder();
        const last = new Map<string, bigint>();
        const byDay = new Map(emissions);
        for (const [index, [date, rows]] of emissions.entries()) {
          // A process of its own for each day.
          const emitter = emitterIn(folder.path, { labels: ['identity_id'] });
          const made = rows.map(({ identityId, units }) => row({ identityId, amount: money(units, 'USD') }));
          const batchId = `calculation ${index}`;
          await emitter.emit(day(`2026-02-${String(date).padStart(2, '0')}`, made, { batchId }), never);
          await emitter.finish!('daily', never);
        }
        for (const rows of byDay.values())
          for (const { identityId, units } of rows)
            last.set(identityId, (last.get(identityId) ?? 0n) + units);
        const shown = samplesOf(await emitterIn(folder.path).exposition!());
        const sums = Object.entries(shown).filter(([name]) =>
          name.startsWith('chargeback_month_to_date_cost'),
        );
        expect(sums.map(([, text]) => unitsOf(text)).toSorted(ascending)).toEqual(
          [...last.values()].toSorted(ascending),
        );
        const again = await readFile(path.join(folder.path, GAUGES), 'utf8');
        await rm(path.join(folder.path, GAUGES));
        await emitterIn(folder.path, { labels: ['identity_id'] }).finish!('daily', never);
        expect(await readFile(path.join(folder.path, GAUGES), 'utf8')).toBe(again);
      }),
      { numRuns: 40 },
    );
  });

  it('follow a day that is emitted again', async () => {
    await using folder = await temporaryFolder();
    const emitter = emitterIn(folder.path);
    await emitter.emit(day('2026-02-01', [row()]), never);
    await emitter.emit(day('2026-02-02', [row()]), never);
    await emitter.finish!('daily', never);
    const corrected = [row({ amount: money(1n, 'USD') })];
    await emitter.emit(day('2026-02-01', corrected, { batchId: 'corrected' }), never);
    await emitter.finish!('daily', never);
    expect(samplesOf(await emitter.exposition!())[`chargeback_month_to_date_cost${A}`]).toBe('1.05000001');
  });

  it('are not written again when nothing changed', async () => {
    await using folder = await temporaryFolder();
    const emitter = emitterIn(folder.path);
    await emitter.emit(day('2026-02-01', [row()]), never);
    await emitter.finish!('daily', never);
    await appendFile(path.join(folder.path, GAUGES), '# still here\n');
    await emitter.finish!('daily', never);
    expect(await emitter.exposition!()).toContain('still here');
  });

  it('are empty before anything was emitted', async () => {
    await using folder = await temporaryFolder();
    const emitter = emitterIn(path.join(folder.path, 'new'));
    expect(await emitter.exposition!()).toBe('');
    await emitter.finish!('daily', never);
    expect(samplesOf(await emitter.exposition!())).toEqual({});
  });

  it('are not made from a file that somebody changed', async () => {
    await using folder = await temporaryFolder();
    const emitter = emitterIn(folder.path);
    const file = path.join(folder.path, FILE('2026-02-01'));
    for (const damage of [
      (text: string) => text.slice(0, -20),
      (text: string) => text.replace('1.05', 'x'),
    ]) {
      await emitter.emit(day('2026-02-01', [row()]), never);
      await writeFile(file, damage(await readFile(file, 'utf8')));
      await expect(emitter.finish!('daily', never)).rejects.toMatchObject({
        code: 'CB_EMIT_FAILED',
        path: file,
        fix: expect.stringContaining('Delete'),
      });
    }
  });
});

describe('what an emitter still holds', () => {
  it('is what was written last, also after a restart', async () => {
    await using folder = await temporaryFolder();
    const batched = day('2026-02-01', [row()]);
    expect(await emitterIn(folder.path).holds!(batched)).toBe(false);
    await emitterIn(folder.path).emit(batched, never);
    expect(await emitterIn(folder.path).holds!(batched)).toBe(true);
    expect(await emitterIn(folder.path).holds!({ ...batched, batchId: 'another' })).toBe(false);
    expect(await emitterIn(folder.path).holds!({ ...batched, aggregation: 'monthly' })).toBe(false);
    expect(await emitterIn(folder.path).holds!(day('2026-02-02', []))).toBe(false);
    await rm(path.join(folder.path, FILE('2026-02-01')));
    expect(await emitterIn(folder.path).holds!(batched)).toBe(false);
  });

  it('is nothing that has other labels; their order does not matter', async () => {
    await using folder = await temporaryFolder();
    const labels = ['identity_id', 'product_type'];
    const batched = day('2026-02-01', [row(), row({ resourceId: 'cluster-2' })]);
    await emitterIn(folder.path, { labels }).emit(batched, never);
    expect(await emitterIn(folder.path, { labels: labels.toReversed() }).holds!(batched)).toBe(true);
    expect(await emitterIn(folder.path, { labels: ['identity_id'] }).holds!(batched)).toBe(false);
    const text = await readFile(path.join(folder.path, FILE('2026-02-01')), 'utf8');
    expect(samplesOf(text)).toEqual({
      [`chargeback_daily_cost{tenant_id="acme",ecosystem="generic-metrics",product_type="NETWORK_IN",identity_id="team-a",currency="USD"} @${seconds('2026-02-01')}`]:
        '2.1000',
    });
  });

  it('is not what cannot be read', async () => {
    await using folder = await temporaryFolder();
    await mkdir(path.join(folder.path, FILE('2026-02-01')));
    expect(await emitterIn(folder.path).holds!(day('2026-02-01', []))).toBe(false);
  });
});

describe('the settings of a Prometheus emitter', () => {
  it('default to all labels and the prefix chargeback', () => {
    expect(prometheusParamsSchema.parse({ output_dir: 'out' })).toEqual({
      output_dir: 'out',
      metric_prefix: 'chargeback',
      labels: [
        'environment_id',
        'resource_id',
        'product_category',
        'product_type',
        'identity_id',
        'cost_type',
        'allocation_method',
        'allocation_detail',
      ],
    });
  });

  it.each([
    [{}],
    [{ output_dir: '' }],
    [{ output_dir: 'out', labels: ['tenant_id'] }],
    [{ output_dir: 'out', metric_prefix: '1st' }],
    [{ output_dir: 'out', metric_prefix: 'a-b' }],
    [{ output_dir: 'out', port: 8000 }],
  ])('refuse %j', (params) => {
    expect(prometheusParamsSchema.safeParse(params).success).toBe(false);
  });

  it('give two emitters of a tenant one destination unless their metrics have different names', () => {
    const { create, params } = findEmitter('prometheus');
    const destination = (settings: object, tenantId = 'acme') =>
      create(params.parse(settings), host(tenantId)).destination;
    expect(destination({ output_dir: 'a' })).toBe(destination({ output_dir: 'b' }));
    expect(destination({ output_dir: 'a' })).not.toBe(destination({ output_dir: 'a', metric_prefix: 'own' }));
    expect(destination({ output_dir: 'a' })).not.toBe(destination({ output_dir: 'a' }, 'other'));
  });
});

function unitsOf(text: string): bigint {
  const [whole, decimals] = text.split('.') as [string, string];
  return BigInt(whole + decimals.padEnd(8, '0'));
}

function ascending(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
