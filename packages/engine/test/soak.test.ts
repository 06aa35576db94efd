import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Aggregation, isoDateOf, type Window } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCsvEmitter } from '../../emitters/src/index.ts';
import { daysFrom, identity, TestTenant } from './support.ts';
import { DAY, dateOf, FIRST, LOOKBACK, Vendor } from './vendor-story.ts';
import { evenRoute, ownerRoute, usageRoute, world } from './worlds.ts';

const DAYS = 60;
/** On PostgreSQL, where each step takes longer, the one in which a cluster comes back before anybody missed it. */
const STORIES = process.env['TEST_DATABASE'] === 'postgres' ? [3] : [1, 2, 3];
const KINDS = [
  ['daily', 'day-{date}.csv'],
  ['monthly', 'month-{date}.csv'],
] as const;
const TODAY_LAST = { start: new Date(FIRST), end: new Date(FIRST + DAYS * DAY) };

/** A file and what tells whether it was written again. */
interface WrittenFile {
  readonly text: string;
  readonly written: string;
}

async function filesIn(folder: string): Promise<Map<string, WrittenFile>> {
  const files = new Map<string, WrittenFile>();
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.startsWith('.')) continue;
    const file = path.join(folder, name);
    const { ino, mtimeNs } = await stat(file, { bigint: true });
    files.set(name, { text: await readFile(file, 'utf8'), written: `${ino} ${mtimeNs}` });
  }
  return files;
}

function textsOf(files: ReadonlyMap<string, WrittenFile>): Map<string, string> {
  return new Map([...files].map(([name, { text }]) => [name, text]));
}

describe('sixty days, advanced one at a time', () => {
  let tenant: TestTenant;
  let out: string;

  beforeEach(async () => {
    tenant = await TestTenant.create(
      world({ routes: [evenRoute('COMPUTE', ['ana', 'bo']), usageRoute('NETWORK'), ownerRoute('STORAGE')] }),
    );
    tenant.minutesBetweenRuns = 0;
    tenant.limits = { ...tenant.limits, emptyListingThreshold: 2 };
    out = path.join(tenant.folder, 'out');
    tenant.emitters = KINDS.map(([aggregation, filename_template]) => ({
      name: aggregation,
      aggregation,
      lookbackDays: null,
      emitter: createCsvEmitter({ output_dir: out, filename_template }),
    }));
  });
  afterEach(() => tenant.dispose());

  const windowAt = (today: number): Window => {
    const first = Math.max(0, today - LOOKBACK);
    return daysFrom(dateOf(first), today - first);
  };

  /** Runs the day that begins, as a worker would the morning after. */
  const runDay = (vendor: Vendor, today: number) => {
    vendor.advance(today - 1);
    tenant.now = new Date(FIRST + today * DAY + 3 * 3_600_000);
    tenant.world.lines = [...vendor.lines.values()];
    tenant.world.usage = [...vendor.usage.values()];
    tenant.world.identities = [...vendor.people].map((name) => identity(name));
    tenant.world.resources = [...vendor.clusters.values()];
    return tenant.run(windowAt(today));
  };

  /**
   * What an emitter that never wrote anything writes of the database: every day, and every month up to now, none of
   * whose days waits for something.
   */
  const freshFiles = async (): Promise<Map<string, string>> => {
    const folder = path.join(tenant.folder, 'fresh');
    await mkdir(folder);
    await tenant.withStore(async (store) => {
      const states = await store.dateStates(TODAY_LAST);
      const emit = async (kind: (typeof KINDS)[number], period: Window) => {
        const [aggregation, filename_template] = kind;
        const rows = store.rows(period, aggregation satisfies Aggregation);
        const batch = { batchId: 'fresh', ecosystem: 'test-world', tenantId: 'tenant-1', aggregation, rows };
        const emitter = createCsvEmitter({ output_dir: folder, filename_template });
        await emitter.emit({ ...batch, period, confirm: async () => {} }, new AbortController().signal);
      };
      for (const { date, state } of states) {
        if (state === 'calculated') await emit(KINDS[0], daysFrom(date, 1));
      }
      for (const month of new Set(states.map(({ date }) => date.slice(0, 7)))) {
        const inside = states.filter(({ date }) => date.startsWith(month));
        if (inside.some(({ state }) => state !== 'calculated')) continue;
        const start = new Date(`${month}-01T00:00:00.000Z`);
        const end = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1));
        await emit(KINDS[1], { start, end });
      }
    });
    const fresh = textsOf(await filesIn(folder));
    await rm(folder, { recursive: true });
    return fresh;
  };

  const storageTotals = (window: Window) =>
    tenant.withStore(async (store) => {
      const totals = await store.totals(window, ['resource_id', 'identity_id', 'date', 'product_type']);
      return totals.filter(({ key }) => key[3] === 'STORAGE');
    });

  it.each(STORIES)(
    'always add up to the bill, and days that nothing touches never change (story %i)',
    async (seed) => {
      const vendor = new Vendor(seed);
      let before = new Map<string, WrittenFile>();
      let held = 0;
      for (let today = 1; today <= DAYS; today += 1) {
        const window = windowAt(today);
        const run = await runDay(vendor, today);
        const told = run.problems.filter(({ code }) => /UNCONSERVED|INTERNAL|EMIT/.test(code));
        expect(told).toEqual([]);

        const billed = tenant.world.lines
          .filter(({ timestamp }) => timestamp >= window.start && timestamp < window.end)
          .reduce((sum, { totalCost }) => sum + totalCost.units, 0n);
        const rows = await tenant.withStore((store) => store.reconcile(window, 'line'));
        expect(rows.reduce((sum, row) => sum + row.billed, 0n)).toBe(billed);
        for (const row of rows) {
          expect(row.difference).toBe(0n);
          expect(row.allocated + row.retained + row.held).toBe(row.billed);
        }

        for (const { key } of await storageTotals(window)) {
          const [resourceId, identityId, date] = key;
          const owner = vendor.owners.get(`${resourceId}/STORAGE/${date}`);
          expect([key, identityId]).toEqual([key, owner]);
        }

        const after = await filesIn(out);
        const fresh = await freshFiles();
        const rewritten: string[] = [];
        for (const [name, { text, written }] of after) {
          // Of what waits for something the last emission stays.
          if (!fresh.has(name)) held += 1;
          expect(text, name).toBe(fresh.get(name) ?? before.get(name)?.text);
          // A month is written whole, also for a day without costs.
          const former = name.startsWith('day-') ? before.get(name) : undefined;
          if (text === former?.text && written !== former.written) rewritten.push(name);
        }
        expect(rewritten).toEqual([]);
        expect([...fresh.keys()].filter((name) => !after.has(name))).toEqual([]);
        const first = `day-${isoDateOf(window.start)}.csv`;
        const closed = [...before].filter(([name]) => name.startsWith('day-') && name < first);
        expect(closed.filter(([name, { written }]) => after.get(name)?.written !== written)).toEqual([]);
        const second = await tenant.run(window);
        expect([second.datesCalculated, second.rowsWritten, second.periodsEmitted]).toEqual([0, 0, 0]);
        expect(await filesIn(out)).toEqual(after);
        before = after;
      }
      const revisions = await tenant.withStore((store) => store.revisions(TODAY_LAST));
      expect(revisions.length).toBeGreaterThan(5);
      expect(held).toBeGreaterThan(0);
      const { resources } = await tenant.withStore((store) => store.loadLifetimes(TODAY_LAST));
      const lives = resources.filter(({ resourceId }) => resourceId === 'cluster-2');
      expect(lives.length).toBeGreaterThan(1);
    },
    600_000,
  );
});
