import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Aggregation, EmissionBatch, Emitter } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCsvEmitter } from '../../emitters/src/index.ts';
import type { TenantRun } from '../src/index.ts';
import { daysFrom, line, TestTenant, usageDay } from './support.ts';
import { world } from './worlds.ts';

const JANUARY_ON = daysFrom('2026-01-01', 40);
const FROM_JANUARY_20 = daysFrom('2026-01-20', 21);
const dateOf = (index: number): string => new Date(Date.UTC(2026, 0, 1 + index)).toISOString().slice(0, 10);
const dates = Array.from({ length: 40 }, (_, index) => dateOf(index));
const dayFiles = (from: number, to: number): string[] => dates.slice(from, to).map((date) => `${date}.csv`);

let tenant: TestTenant;
beforeEach(async () => {
  tenant = await TestTenant.create(world({ lines: dates.map((date) => line(date, '3')) }));
  tenant.now = new Date('2026-02-10T06:00:00Z');
  tenant.minutesBetweenRuns = 60;
  tenant.limits = { ...tenant.limits, allocationRetryLimit: 99 };
});
afterEach(() => tenant.dispose());

const incomplete = (run: TenantRun): string[] =>
  run.problems.filter(({ code }) => code === 'CB_EMIT_INCOMPLETE').map(({ message }) => message);

describe('a month', () => {
  /** Days in the rows of each month that was emitted. */
  let emitted: [month: string, days: number][];

  beforeEach(() => {
    emitted = [];
    const emitter = { emit: (batch: EmissionBatch) => countDays(batch) };
    tenant.emitters = [{ name: 'monthly', aggregation: 'monthly', lookbackDays: null, emitter }];
  });

  const countDays = async (batch: EmissionBatch) => {
    const totals = new Map<string, bigint>();
    let rowCount = 0;
    for await (const rows of batch.rows) {
      rowCount += rows.length;
      for (const { amount } of rows)
        totals.set(amount.currency, (totals.get(amount.currency) ?? 0n) + amount.units);
    }
    // Each day costs 3.
    const days = Number((totals.get('USD') ?? 0n) / 300_000_000n);
    emitted.push([batch.period.start.toISOString().slice(0, 7), days]);
    return { rowCount, totals };
  };

  it('is not emitted in part after retention was lowered and raised again, and says so once', async () => {
    await tenant.run(JANUARY_ON);
    expect(emitted).toEqual([
      ['2026-01', 31],
      ['2026-02', 9],
    ]);
    const { retentionDays } = tenant.limits;
    tenant.limits = { ...tenant.limits, retentionDays: 35 };
    expect((await tenant.run(FROM_JANUARY_20)).daysPruned).toBe(5);
    tenant.limits = { ...tenant.limits, retentionDays };
    // Nothing of January has changed: what was emitted is whole.
    expect(incomplete(await tenant.run(FROM_JANUARY_20))).toEqual([]);
    tenant.world.lines[24] = line('2026-01-25', '3', { resourceId: 'another' });
    const run = await tenant.run(FROM_JANUARY_20);
    expect(incomplete(run)).toEqual([expect.stringMatching(/2026-01 is not emitted any more.*2026-01-06/)]);
    expect(run.status).toBe('completed');
    expect(incomplete(await tenant.run(FROM_JANUARY_20))).toEqual([]);
    expect(emitted).toHaveLength(2);
  });

  it('is emitted again once the source has given back the days that retention had removed', async () => {
    await tenant.run(JANUARY_ON);
    const { retentionDays } = tenant.limits;
    tenant.limits = { ...tenant.limits, retentionDays: 35 };
    await tenant.run(FROM_JANUARY_20);
    tenant.limits = { ...tenant.limits, retentionDays };
    tenant.world.lines[24] = line('2026-01-25', '3', { resourceId: 'another' });
    await tenant.run(FROM_JANUARY_20);
    expect(emitted).toHaveLength(2);
    expect(incomplete(await tenant.run(JANUARY_ON))).toEqual([]);
    expect(emitted.slice(2)).toEqual([['2026-01', 31]]);
  });

  it('whose held day has left the lookback is reported by every run, until the day is calculated', async () => {
    tenant.world.lines.push(line('2026-01-05', '3', { productType: 'NETWORK' }));
    tenant.world.usage = [usageDay('2026-01-05', {}, { samplesSeen: 0, samplesExpected: 24 })];
    expect(incomplete(await tenant.run(JANUARY_ON))).toEqual([]);
    expect(emitted).toEqual([['2026-02', 9]]);
    for (let runs = 0; runs < 2; runs += 1) {
      const run = await tenant.run(FROM_JANUARY_20);
      expect(incomplete(run)).toEqual([
        expect.stringMatching(/2026-01 waits, because 2026-01-05 is not calculated/),
      ]);
      expect(run.status).toBe('failed');
    }
    // Also once the whole month has left it.
    expect(incomplete(await tenant.run(daysFrom('2026-02-03', 5)))).toHaveLength(1);
    tenant.world.usage = [usageDay('2026-01-05', { ana: 1 })];
    await tenant.run(daysFrom('2026-01-05', 1), { regather: true });
    expect(emitted.slice(1)).toEqual([['2026-01', 32]]);
    expect(incomplete(await tenant.run(FROM_JANUARY_20))).toEqual([]);
    expect(await tenant.withStore((store) => store.problems(JANUARY_ON))).toEqual([]);
  });

  it('that changed is emitted also when the run that saw the change was killed before it came to that', async () => {
    await tenant.run(JANUARY_ON);
    tenant.world.lines[4] = line('2026-01-05', '6');
    const { emitters } = tenant;
    tenant.emitters = [];
    await tenant.run(daysFrom('2026-01-05', 1));
    tenant.emitters = emitters;
    await tenant.run(daysFrom('2026-02-03', 5));
    expect(emitted.slice(2)).toEqual([['2026-01', 32]]);
  });

  it('that failed is tried again also when the lookback has left it', async () => {
    tenant.emitters = [
      { ...tenant.emitters[0]!, emitter: { emit: () => Promise.reject(new Error('down')) } },
    ];
    await tenant.run(JANUARY_ON);
    tenant.emitters = [{ ...tenant.emitters[0]!, emitter: { emit: countDays } }];
    await tenant.run(daysFrom('2026-02-03', 5));
    expect(emitted).toEqual([
      ['2026-01', 31],
      ['2026-02', 9],
    ]);
    expect(await tenant.withStore((store) => store.problems(JANUARY_ON))).toEqual([]);
  });
});

describe('a CSV folder', () => {
  let folder: string;

  const use = (aggregation: Aggregation | null, template = '{date}.csv', to = folder): void => {
    const emitter = createCsvEmitter({ output_dir: to, filename_template: template });
    tenant.emitters = [{ name: 'csv', aggregation, lookbackDays: null, emitter }];
  };
  const files = async (): Promise<string[]> => (await readdir(folder)).toSorted();
  /** What all files of the folder add up to, in days. */
  const daysInAll = async (): Promise<number> => {
    let cost = 0;
    for (const name of await files()) {
      const [, ...rows] = (await readFile(path.join(folder, name), 'utf8')).trimEnd().split('\r\n');
      for (const row of rows) cost += Number(row.split(',')[8]);
    }
    return cost / 3;
  };

  beforeEach(() => {
    folder = path.join(tenant.folder, 'out');
    use('daily');
  });

  it('is refilled, and only where it lacks something', async () => {
    await tenant.run(JANUARY_ON);
    expect(await files()).toEqual(dayFiles(0, 40));
    const [deleted, damaged] = [path.join(folder, '2026-01-03.csv'), path.join(folder, '2026-01-04.csv')];
    const content = await readFile(deleted, 'utf8');
    await writeFile(deleted, '');
    await appendFile(damaged, 'x');
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ periodsEmitted: 2, datesCalculated: 0 });
    expect(await readFile(deleted, 'utf8')).toBe(content);
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ periodsEmitted: 0 });
    use('daily', '{date}.csv', `${folder}-new`);
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ periodsEmitted: 40 });
    expect((await readdir(`${folder}-new`)).toSorted()).toEqual(await files());
  });

  it('holds months only after a change from days, and what others put there', async () => {
    await mkdir(folder);
    await writeFile(path.join(folder, '2026-01.csv'), 'of somebody else');
    await tenant.run(JANUARY_ON);
    await appendFile(path.join(folder, '2026-01-09.csv'), 'my note\r\n');
    use('monthly');
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ status: 'completed', periodsEmitted: 2 });
    // What somebody changed by hand is his.
    expect(await files()).toEqual(['2026-01-01.csv', '2026-01-09.csv', '2026-01.csv', '2026-02-01.csv']);
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ periodsEmitted: 0 });
  });

  it.each(['{date}.csv', 'other-{date}.csv'])(
    'never shows a cost twice after a change from days to months and back, under the name %s',
    async (template) => {
      await tenant.run(JANUARY_ON);
      const once = await daysInAll();
      expect(Math.round(once)).toBe(40);
      for (const aggregation of ['monthly', 'daily', null, 'monthly', 'hourly'] as const) {
        use(aggregation, template);
        // The lookback begins in the middle of a month.
        await tenant.run(FROM_JANUARY_20);
        expect(await daysInAll()).toBeCloseTo(40, 6);
        expect(await files()).toHaveLength(aggregation === 'monthly' ? 2 : 40);
      }
    },
  );

  it('keeps the days of a month that waits, and the month whose days cannot all be shown', async () => {
    await tenant.run(JANUARY_ON);
    tenant.world.lines.push(line('2026-02-05', '3', { productType: 'NETWORK' }));
    tenant.world.usage = [usageDay('2026-02-05', {}, { samplesSeen: 0, samplesExpected: 24 })];
    use('monthly');
    await tenant.run(JANUARY_ON);
    expect(await files()).toEqual(['2026-01-01.csv', ...dayFiles(31, 40)]);
    expect(await daysInAll()).toBeCloseTo(40, 6);
    tenant.limits = { ...tenant.limits, retentionDays: 35 };
    await tenant.run(FROM_JANUARY_20);
    tenant.limits = { ...tenant.limits, retentionDays: 300 };
    use('daily');
    const run = await tenant.run(FROM_JANUARY_20);
    expect(incomplete(run)).toEqual([expect.stringContaining('2026-01 is not emitted any more')]);
    expect(await files()).toEqual(['2026-01-01.csv', ...dayFiles(31, 40)]);
    expect(await daysInAll()).toBeCloseTo(40, 6);
  });

  it('holds days again where no first day of the month was ever billed', async () => {
    tenant.world.lines = tenant.world.lines.slice(9);
    const later = daysFrom('2026-01-10', 31);
    use('monthly');
    await tenant.run(later);
    expect(await files()).toEqual(['2026-01-01.csv', '2026-02-01.csv']);
    use('daily');
    await tenant.run(later);
    expect(await files()).toEqual(dayFiles(9, 40));
  });

  it('is put right by the next run when one breaks off in the middle of a change', async () => {
    use('monthly');
    await tenant.run(JANUARY_ON);
    use('daily');
    const { emitter } = tenant.emitters[0]!;
    const controller = new AbortController();
    let count = 0;
    const breaking: Emitter = {
      ...emitter,
      emit: (batch, signal) => {
        if (++count === 30) controller.abort(new Error('killed'));
        return emitter.emit(batch, signal);
      },
    };
    tenant.emitters = [{ ...tenant.emitters[0]!, emitter: breaking }];
    expect((await tenant.run(FROM_JANUARY_20, { signal: controller.signal })).status).toBe('interrupted');
    use('daily');
    await tenant.run(FROM_JANUARY_20);
    expect(await files()).toEqual(dayFiles(0, 40));
    expect(await daysInAll()).toBeCloseTo(40, 6);
  });
});
