import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Aggregation, Emitter } from '@chargeback/plugin-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCsvEmitter } from '../../emitters/src/index.ts';
import type { ConfiguredEmitter } from '../src/index.ts';
import { daysFrom, line, TestTenant } from './support.ts';
import { world } from './worlds.ts';

const DAYS = 8;
/** Half of January and half of February. */
const ALL = daysFrom('2026-01-28', DAYS);
const dates = Array.from({ length: DAYS }, (_, index) =>
  new Date(ALL.start.getTime() + index * 86_400_000).toISOString().slice(0, 10),
);

interface Settings {
  readonly aggregation: Aggregation | null;
  readonly template: string;
}

/** What goes wrong at the n-th batch that a run emits or takes back. */
interface Trouble {
  readonly at: number;
  readonly what: 'killed before' | 'killed after' | 'killed withdrawing' | 'refused' | 'doubted' | 'none';
}

interface Step {
  readonly settings: readonly Settings[];
  readonly trouble: Trouble;
  readonly firstDay: number;
  readonly changedDays: readonly (readonly [day: number, cost: number])[];
  readonly lostFile: number | null;
}

const day = fc.nat(DAYS - 1);
const settings = fc.record({
  aggregation: fc.constantFrom<(Aggregation | null)[]>('daily', 'monthly', 'monthly', null),
  template: fc.constantFrom('{date}.csv', 'x-{date}.csv'),
});
/** Of two emitters no two have one destination. */
const bothSettings = fc
  .record({ first: settings, second: settings, alone: fc.boolean() })
  .map(({ first, second, alone }) =>
    alone || first.template === second.template ? [first] : [first, second],
  );
const step: fc.Arbitrary<Step> = fc.record({
  settings: bothSettings,
  trouble: fc.record({
    at: fc.nat(DAYS),
    what: fc.constantFrom<Trouble['what'][]>(
      'killed before',
      'killed after',
      'killed withdrawing',
      'refused',
      'doubted',
      'none',
    ),
  }),
  firstDay: fc.oneof(fc.constant(0), day),
  changedDays: fc.array(fc.tuple(day, fc.integer({ min: 1, max: 9 })), { maxLength: 3 }),
  lostFile: fc.option(day),
});

function emitters(folder: string, all: readonly Settings[]): ConfiguredEmitter[] {
  return all.map(({ aggregation, template }, index) => {
    const emitter = createCsvEmitter({ output_dir: folder, filename_template: template });
    return { name: `csv-${index}`, aggregation, lookbackDays: null, emitter };
  });
}

/** An emitter that the trouble befalls; `kill` ends the run as if the process had died. */
function troubled(emitter: Emitter, { at, what }: Trouble, kill: () => void): Emitter {
  let count = 0;
  const dieIf = (fatal: boolean): void => {
    if (!fatal) return;
    kill();
    throw new Error('dead');
  };
  return {
    ...emitter,
    emit: async (batch, signal) => {
      const hit = count++ === at;
      if (hit && what === 'refused') throw new Error('refused');
      const receipt = await emitter.emit(
        {
          ...batch,
          confirm: async (mark) => {
            await batch.confirm(mark);
            dieIf(hit && what === 'killed before');
          },
        },
        signal,
      );
      dieIf(hit && what === 'killed after');
      return hit && what === 'doubted' ? { ...receipt, rowCount: -1 } : receipt;
    },
    withdraw: async (batch, by) => {
      const left = await emitter.withdraw!(batch, by);
      dieIf(what === 'killed withdrawing' && count++ >= at);
      return left;
    },
  };
}

async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith('.'));
  const texts = names
    .toSorted()
    .map(async (name) => [name, await readFile(path.join(folder, name), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(texts));
}

async function take(tenant: TestTenant, folder: string, { settings: all, trouble, ...change }: Step) {
  for (const [index, cost] of change.changedDays) {
    tenant.world.lines[index] = line(dates[index]!, String(cost));
  }
  const names = Object.keys(await contents(folder));
  const lost = change.lostFile === null ? undefined : names[change.lostFile];
  if (lost !== undefined) await rm(path.join(folder, lost));
  const controller = new AbortController();
  const kill = (): void => controller.abort(new Error('killed'));
  tenant.emitters = emitters(folder, all).map((configured) => ({
    ...configured,
    emitter: troubled(configured.emitter, trouble, kill),
  }));
  const window = daysFrom(dates[change.firstDay]!, DAYS - change.firstDay);
  await tenant.run(window, { signal: controller.signal });
}

async function tenantWith(lines: TestTenant['world']['lines']): Promise<TestTenant> {
  const tenant = await TestTenant.create(world({ lines }));
  tenant.now = new Date('2026-02-10T06:00:00Z');
  tenant.minutesBetweenRuns = 60;
  return tenant;
}

describe('a CSV folder', () => {
  it('holds exactly what a first emission writes, whatever was changed and broke off before, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 2, maxLength: 5 }),
        bothSettings,
        async (steps, finally_) => {
          const tenant = await tenantWith(dates.map((date) => line(date, '3')));
          const folder = path.join(tenant.folder, 'out');
          for (const each of steps) await take(tenant, folder, each);
          // An emitter that is configured no more leaves its files: the last settings name as many as any before.
          const count = Math.max(...steps.map((each) => each.settings.length), finally_.length);
          const last = count > finally_.length ? [...finally_, besides(finally_[0]!)] : finally_;
          for (let runs = 0; runs < 2; runs += 1) {
            tenant.emitters = emitters(folder, last);
            expect((await tenant.run(ALL)).problems).toEqual([]);
          }
          const fresh = await tenantWith(tenant.world.lines);
          fresh.emitters = emitters(path.join(fresh.folder, 'out'), last);
          await fresh.run(ALL);
          expect(await contents(folder)).toEqual(await contents(path.join(fresh.folder, 'out')));
          await tenant.dispose();
          await fresh.dispose();
        },
      ),
      {
        numRuns: Number(
          process.env['EMISSION_STORIES'] ?? (process.env['TEST_DATABASE'] === 'postgres' ? 3 : 10),
        ),
      },
    );
  }, 600_000);
});

function besides({ aggregation, template }: Settings): Settings {
  return { aggregation, template: template === '{date}.csv' ? 'x-{date}.csv' : '{date}.csv' };
}
