import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daysFrom, identity, resource, TestTenant } from './support.ts';
import { DAY, dateOf, FIRST, LOOKBACK, Vendor } from './vendor-story.ts';
import { evenRoute, usageRoute, world } from './worlds.ts';

const DAYS = 60;

describe('sixty days, advanced one at a time', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(
      world({ routes: [evenRoute('COMPUTE', ['ana', 'bo']), usageRoute('NETWORK')] }),
    );
    tenant.minutesBetweenRuns = 0;
    tenant.limits = { ...tenant.limits, emptyListingThreshold: 2 };
  });
  afterEach(() => tenant.dispose());

  const windowAt = (today: number) => {
    const first = Math.max(0, today - LOOKBACK);
    return daysFrom(dateOf(first), today - first);
  };

  /** Digest of the rows of each day, as emitters see them. */
  const rowsByDay = async (days: number): Promise<Map<string, string>> =>
    tenant.withStore(async (store) => {
      const digests = new Map<string, string>();
      for (let index = 0; index < days; index += 1) {
        const hash = createHash('sha256');
        for await (const rows of store.rows(daysFrom(dateOf(index), 1), null)) {
          for (const row of rows) hash.update(`${row.identityId} ${row.productType} ${row.amount.units}\n`);
        }
        digests.set(dateOf(index), hash.digest('hex'));
      }
      return digests;
    });

  it.each([1, 2, 3])(
    'always add up to the bill, and days that nothing touches never change (story %i)',
    async (seed) => {
      const vendor = new Vendor(seed);
      let before = new Map<string, string>();
      for (let today = 1; today <= DAYS; today += 1) {
        vendor.advance(today - 1);
        tenant.now = new Date(FIRST + today * DAY + 3 * 3_600_000);
        tenant.world.lines = [...vendor.lines.values()];
        tenant.world.usage = [...vendor.usage.values()];
        tenant.world.identities = [...vendor.people].map((name) => identity(name));
        tenant.world.resources = [resource('cluster-1')];
        const window = windowAt(today);
        const run = await tenant.run(window);
        expect(
          run.problems.filter(({ code }) => code === 'CB_UNCONSERVED' || code === 'CB_INTERNAL'),
        ).toEqual([]);

        const billed = tenant.world.lines
          .filter(({ timestamp }) => timestamp >= window.start && timestamp < window.end)
          .reduce((sum, { totalCost }) => sum + totalCost.units, 0n);
        const rows = await tenant.withStore((store) => store.reconcile(window, 'line'));
        expect(rows.reduce((sum, row) => sum + row.billed, 0n)).toBe(billed);
        for (const row of rows) {
          expect(row.difference).toBe(0n);
          expect(row.allocated + row.retained + row.held).toBe(row.billed);
        }

        const after = await rowsByDay(today);
        const closed = [...before.keys()].filter((date) => date < dateOf(Math.max(0, today - LOOKBACK)));
        for (const date of closed) expect(after.get(date)).toBe(before.get(date));
        const second = await tenant.run(window);
        expect([second.datesCalculated, second.rowsWritten]).toEqual([0, 0]);
        before = after;
      }
      const revisions = await tenant.withStore((store) => store.revisions(daysFrom(dateOf(0), DAYS)));
      expect(revisions.length).toBeGreaterThan(5);
    },
    120_000,
  );
});
