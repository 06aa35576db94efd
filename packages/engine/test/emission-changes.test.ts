import { chmod, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Aggregation, Emitter, Logger } from '@chargeback/plugin-api';
import type { EmissionRecord } from '@chargeback/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCsvEmitter } from '../../emitters/src/index.ts';
import type { ConfiguredEmitter, TenantRun } from '../src/index.ts';
import { daysFrom, line, silentLogger, TestTenant, usageDay } from './support.ts';
import { world } from './worlds.ts';

const JANUARY_ON = daysFrom('2026-01-01', 40);
const FROM_JANUARY_20 = daysFrom('2026-01-20', 21);
const dates = Array.from({ length: 40 }, (_, index) =>
  new Date(Date.UTC(2026, 0, 1 + index)).toISOString().slice(0, 10),
);
const days = dates.map((date) => `${date}.csv`);
const months = ['2026-01-01.csv', '2026-02-01.csv'];

let tenant: TestTenant;
let folder: string;
beforeEach(async () => {
  tenant = await TestTenant.create(world({ lines: dates.map((date) => line(date, '3')) }));
  tenant.now = new Date('2026-02-10T06:00:00Z');
  tenant.minutesBetweenRuns = 60;
  tenant.limits = { ...tenant.limits, allocationRetryLimit: 99 };
  folder = path.join(tenant.folder, 'out');
});
afterEach(() => tenant.dispose());

const csv = (template = '{date}.csv'): Emitter =>
  createCsvEmitter({ output_dir: folder, filename_template: template });
const named = (
  aggregation: Aggregation | null,
  emitter: Emitter = csv(),
  more: Partial<ConfiguredEmitter> = {},
): ConfiguredEmitter => ({ name: 'csv', aggregation, lookbackDays: null, emitter, ...more });
const files = async (): Promise<string[]> => (await readdir(folder)).toSorted();
const coded = (run: TenantRun, code: string): string[] =>
  run.problems.filter((problem) => problem.code === code).map(({ message }) => message);
const records = (name = 'csv'): Promise<EmissionRecord[]> =>
  tenant.withStore((store) => store.emissions(name));

describe('a change from months to days', () => {
  it('shows all days of a month also when lookback_days of the emitter begins in the middle of it', async () => {
    tenant.emitters = [named('monthly', csv(), { lookbackDays: 30 })];
    await tenant.run(JANUARY_ON);
    expect(await files()).toEqual(months);
    tenant.emitters = [named('daily', csv(), { lookbackDays: 30 })];
    await tenant.run(JANUARY_ON);
    expect(await files()).toEqual(days);
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ status: 'completed', periodsEmitted: 0 });
  });

  it('keeps the month until each of its days is there, though the lookback has left the one that failed', async () => {
    tenant.emitters = [named('monthly')];
    await tenant.run(JANUARY_ON);
    const own = csv('day-{date}.csv');
    const refusing: Emitter = {
      ...own,
      emit: (batch, signal) =>
        batch.period.start.getUTCDate() === 5 ? Promise.reject(new Error('no')) : own.emit(batch, signal),
    };
    tenant.emitters = [named('daily', refusing, { lookbackDays: 30 })];
    await tenant.run(JANUARY_ON);
    expect(await files()).toEqual(
      [...months, ...days.map((name) => `day-${name}`)].filter((name) => !/day-.*-05/.test(name)),
    );
    tenant.emitters = [named('daily', own, { lookbackDays: 30 })];
    expect(await tenant.run(FROM_JANUARY_20)).toMatchObject({ status: 'completed', periodsEmitted: 2 });
    expect(await files()).toEqual(days.map((name) => `day-${name}`));
  });
});

describe('a run that was killed when a file had its name and nobody had recorded it', () => {
  /** Dies at the n-th file, before or after it has its name. */
  const dying = (emitter: Emitter, at: number, when: 'before' | 'after', stop: AbortController): Emitter => {
    let count = 0;
    const die = (): void => {
      stop.abort(new Error('killed'));
      stop.signal.throwIfAborted();
    };
    return {
      ...emitter,
      emit: async (batch, signal) => {
        const isLast = ++count === at;
        const confirm = async (mark?: string): Promise<void> => {
          await batch.confirm(mark);
          if (isLast && when === 'before') die();
        };
        const receipt = await emitter.emit({ ...batch, confirm }, signal);
        if (isLast) die();
        return receipt;
      },
    };
  };
  const kill = async (
    aggregation: Aggregation | null,
    at: number,
    when: 'before' | 'after',
    { template, ...more }: { template?: string; batchesAtOnce?: number } = {},
  ) => {
    const stop = new AbortController();
    tenant.emitters = [named(aggregation, dying({ ...csv(template), ...more }, at, when, stop))];
    expect((await tenant.run(JANUARY_ON, { signal: stop.signal })).status).toBe('interrupted');
  };

  it.each<['before' | 'after', number]>([
    ['before', 4],
    ['after', 5],
  ])('%s the rename leaves no day beside its month after a change of the aggregation', async (when, left) => {
    await kill('daily', 5, when, { batchesAtOnce: 1 });
    expect(await files()).toEqual(days.slice(0, left));
    expect((await records()).map(({ period, status }) => [period, status]).at(-1)).toEqual([
      '2026-01-05',
      'pending',
    ]);
    tenant.emitters = [named('monthly')];
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ status: 'completed', problems: [] });
    expect(await files()).toEqual(months);
  });

  it('while several were written at once leaves no day beside its month either', async () => {
    await kill('daily', 5, 'before');
    const known = (await records()).map(({ period }) => `${period}.csv`);
    expect(known).toEqual(expect.arrayContaining(await files()));
    tenant.emitters = [named('monthly')];
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ status: 'completed', problems: [] });
    expect(await files()).toEqual(months);
  });

  it('leaves no file of a name that was configured for this run only', async () => {
    tenant.emitters = [named('daily')];
    await tenant.run(JANUARY_ON);
    await kill('monthly', 1, 'after', { template: 'a-{date}.csv' });
    await kill('daily', 3, 'after', { template: 'b-{date}.csv' });
    expect(await files()).toEqual(expect.arrayContaining(['a-2026-01-01.csv', 'b-2026-01-03.csv']));
    tenant.emitters = [named('daily')];
    await tenant.run(JANUARY_ON);
    expect(await files()).toEqual(days);
    expect((await records()).every(({ status, others }) => status === 'emitted' && others.length === 0)).toBe(
      true,
    );
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ periodsEmitted: 0 });
  });

  it('is forgotten no more than a receipt that nobody believes', async () => {
    const doubted = csv('x-{date}.csv');
    tenant.emitters = [
      named('daily', {
        ...doubted,
        emit: async (batch, signal) => ({ ...(await doubted.emit(batch, signal)), rowCount: 7 }),
      }),
    ];
    expect(coded(await tenant.run(JANUARY_ON), 'CB_EMIT_RECEIPT')).toHaveLength(40);
    tenant.emitters = [named('monthly')];
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ status: 'completed', problems: [] });
    expect(await files()).toEqual(months);
  });
});

describe('what a version without marks has emitted', () => {
  it('is named by every run, once, when months replace it, until somebody has removed it', async () => {
    tenant.emitters = [named('daily')];
    await tenant.run(JANUARY_ON);
    await tenant.withStore(async (store) => {
      for (const record of await store.emissions('csv')) await store.saveEmission({ ...record, mark: null });
    });
    // Within what is looked at they are written again, and marked.
    await tenant.run(FROM_JANUARY_20);
    tenant.emitters = [named('monthly')];
    for (let runs = 0; runs < 2; runs += 1) {
      const run = await tenant.run(FROM_JANUARY_20);
      expect(coded(run, 'CB_EMIT_LEFT')).toHaveLength(1);
      expect(coded(run, 'CB_EMIT_LEFT')[0]).toContain(path.join(folder, '2026-01-02.csv'));
      expect(run.status).toBe('failed');
      expect(await files()).toEqual([...days.slice(0, 19), '2026-02-01.csv']);
    }
    for (const name of days.slice(1, 18)) await rm(path.join(folder, name));
    const [message] = coded(await tenant.run(FROM_JANUARY_20), 'CB_EMIT_LEFT');
    expect(message?.match(/\d{4}-\d\d-\d\d\.csv/g)).toEqual(['2026-01-19.csv']);
    await rm(path.join(folder, '2026-01-19.csv'));
    expect(await tenant.run(FROM_JANUARY_20)).toMatchObject({ status: 'completed', problems: [] });
    expect(await tenant.withStore((store) => store.problems(JANUARY_ON))).toEqual([]);
  });

  it('is logged once where the emitter cannot take back anything', async () => {
    const { withdraw: _, ...without } = csv();
    const warnings: string[] = [];
    const warn = (_fields: object, message: string): void => void warnings.push(message);
    const logger: Logger = { ...silentLogger, warn, child: () => logger };
    tenant.emitters = [named('daily', without)];
    await tenant.run(JANUARY_ON, { logger });
    tenant.emitters = [named('monthly', without)];
    for (let runs = 0; runs < 2; runs += 1) {
      expect(await tenant.run(JANUARY_ON, { logger })).toMatchObject({ status: 'completed', problems: [] });
    }
    expect(warnings).toEqual([expect.stringContaining('shows their costs twice')]);
    expect(await files()).toEqual(days);
  });
});

describe('two emitters of one folder', () => {
  it.each(['before', 'after'])(
    'leave each other the names that they gave up, taken over by the one %s',
    async (which) => {
      tenant.emitters = [named('daily', csv('day_{date}.csv'), { name: 'finance' })];
      await tenant.run(JANUARY_ON);
      const finance = named('monthly', csv('month_{date}.csv'), { name: 'finance' });
      const team = named('daily', csv('day_{date}.csv'), { name: 'team' });
      tenant.emitters = which === 'before' ? [team, finance] : [finance, team];
      await tenant.run(JANUARY_ON);
      const all = [...days.map((name) => `day_${name}`), ...months.map((name) => `month_${name}`)];
      expect(await files()).toEqual(all);
      expect(await tenant.run(JANUARY_ON)).toMatchObject({ status: 'completed', periodsEmitted: 0 });
      expect(await files()).toEqual(all);
    },
  );
});

it('a file that was touched is read once and not at every run', async () => {
  const asked: (string | null)[][] = [[]];
  const own = csv();
  const watched: Emitter = {
    ...own,
    holds: (batch) => {
      asked.at(-1)!.push(batch.mark);
      return own.holds!(batch);
    },
  };
  tenant.emitters = [named('daily', watched)];
  await tenant.run(JANUARY_ON);
  await chmod(path.join(folder, days[3]!), 0o600);
  for (let runs = 0; runs < 3; runs += 1) {
    asked.push([]);
    expect(await tenant.run(JANUARY_ON)).toMatchObject({ periodsEmitted: 0 });
  }
  const [, touched, known, after] = asked;
  expect(known).toEqual(after);
  expect(known!.filter((mark, index) => mark !== touched![index])).toHaveLength(1);
  expect(await readFile(path.join(folder, days[3]!), 'utf8')).toContain('2026-01-04');
});

it('a day inside the lookback of the settings waits, whatever other days somebody asks for', async () => {
  tenant.lookbackDays = 40;
  tenant.world.lines.push(line('2026-01-05', '3', { productType: 'NETWORK' }));
  tenant.world.usage = [usageDay('2026-01-05', {}, { samplesSeen: 0, samplesExpected: 24 })];
  tenant.emitters = [named('daily')];
  await tenant.run(JANUARY_ON);
  expect(coded(await tenant.run(daysFrom('2026-02-08', 2)), 'CB_EMIT_INCOMPLETE')).toEqual([]);
  tenant.lookbackDays = 30;
  const [message] = coded(await tenant.run(daysFrom('2026-02-08', 2)), 'CB_EMIT_INCOMPLETE');
  expect(message).toContain('2026-01-05 is not calculated and no longer looked at');
});
