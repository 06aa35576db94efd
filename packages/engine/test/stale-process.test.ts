import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ChargebackRow, Emitter } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCsvEmitter } from '../../emitters/src/index.ts';
import type { ConfiguredEmitter, TenantRun } from '../src/index.ts';
import { daysFrom, identity, line, resource, TestTenant } from './support.ts';
import { world } from './worlds.ts';

const DAYS = daysFrom('2026-02-01', 2);
const dates = ['2026-02-01', '2026-02-02'];

/** A process that slept so long that another one, with newer bills, took the tenant over and finished. */
describe('a process that has lost its tenant', () => {
  let stale: TestTenant;
  let newer: TestTenant;
  let finished: TenantRun | undefined;
  let takenOver: Promise<void> | undefined;
  let after: unknown;

  const csv = (): Emitter =>
    createCsvEmitter({ output_dir: path.join(stale.folder, 'out'), filename_template: '{date}.csv' });
  const named = (emitter: Emitter): ConfiguredEmitter[] => [
    { name: 'csv', aggregation: 'daily', lookbackDays: null, emitter },
  ];
  const everything = (store: Store) =>
    Promise.all([
      store.dateStates(DAYS),
      store.reconcile(DAYS, 'line'),
      store.loadLifetimes(DAYS),
      store.tenantState(),
      store.problems(DAYS),
      store.emissions('csv'),
      store.runs(9),
      store.lease(),
    ]);
  const files = async (): Promise<Record<string, string>> => {
    const folder = path.join(stale.folder, 'out');
    const names = (await readdir(folder)).toSorted();
    const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8')));
    return Object.fromEntries(names.map((name, index) => [name, texts[index]!]));
  };
  /** Once, however many periods are on their way. */
  const takeOver = (): Promise<void> => (takenOver ??= runNewer());
  const runNewer = async (): Promise<void> => {
    newer.now = stale.now;
    finished = await newer.run(DAYS);
    after = await newer.withStore(everything);
  };

  beforeEach(async () => {
    finished = undefined;
    takenOver = undefined;
    stale = await TestTenant.create(world({ lines: dates.map((date) => line(date, '30')) }));
    stale.emitters = named(csv());
    newer = stale.twin();
    newer.emitters = named(csv());
    Object.assign(newer.world, {
      lines: dates.map((date) => line(date, '70')),
      resources: [resource('cluster-1'), resource('cluster-2')],
      identities: [identity('ana')],
    });
  });
  afterEach(() => stale.dispose());

  it('writes nothing after waking up in front of its source', async () => {
    stale.world.waitBeforeBilling = takeOver;
    stale.world.resources = [resource('cluster-9')];
    const run = await stale.run(DAYS);
    expect(finished).toMatchObject({ status: 'completed', periodsEmitted: 2 });
    expect(run.status).toBe('failed');
    expect(run.problems.map(({ code }) => code)).toEqual(['CB_STORAGE_LEASE']);
    expect(await stale.withStore(everything)).toEqual(after);
    const runs = await stale.withStore((store) => store.runs(9));
    expect(runs.map(({ status }) => status)).toEqual(['completed', 'interrupted']);
  });

  it('does not suspend the tenant for a failure that is its own', async () => {
    stale.limits = { ...stale.limits, gatherFailureThreshold: 1 };
    stale.world.waitBeforeBilling = async () => {
      await takeOver();
      throw new Error('the connection was gone');
    };
    expect((await stale.run(DAYS)).status).toBe('failed');
    expect(await stale.withStore(everything)).toEqual(after);
  });

  it('does not put its file over the newer one when it wakes up behind the last row', async () => {
    const own = csv();
    const slow: Emitter = {
      ...own,
      emit: (batch, signal) => own.emit({ ...batch, rows: thenDo(batch.rows, takeOver) }, signal),
    };
    stale.emitters = named(slow);
    const run = await stale.run(DAYS);
    expect(run.problems.map(({ code }) => code)).toEqual(['CB_STORAGE_LEASE']);
    const written = await files();
    expect(Object.keys(written)).toEqual(['2026-02-01.csv', '2026-02-02.csv']);
    for (const text of Object.values(written)) expect(text).toContain(',23.3333,');
    expect(await stale.withStore(everything)).toEqual(after);
  });

  it('is put right by the next run, should its file have got there all the same', async () => {
    const own = csv();
    const blind: Emitter = {
      ...own,
      // Else the rows of the other day may have been read before.
      batchesAtOnce: 1,
      emit: (batch, signal) =>
        own.emit({ ...batch, rows: thenDo(batch.rows, takeOver), confirm: async () => {} }, signal),
    };
    stale.emitters = named(blind);
    expect((await stale.run(DAYS)).status).toBe('failed');
    expect((await files())['2026-02-01.csv']).toContain(',10.0000,');
    newer.now = new Date(newer.now.getTime() + 60_000);
    expect(await newer.run(DAYS)).toMatchObject({ status: 'completed', periodsEmitted: 1 });
    expect((await files())['2026-02-01.csv']).toContain(',23.3333,');
    expect(await newer.run(DAYS)).toMatchObject({ periodsEmitted: 0 });
  });
});

async function* thenDo(
  rows: AsyncIterable<readonly ChargebackRow[]>,
  work: () => Promise<void>,
): AsyncIterable<readonly ChargebackRow[]> {
  yield* rows;
  await work();
}
