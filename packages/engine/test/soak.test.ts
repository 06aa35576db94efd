import { createHash } from 'node:crypto';
import type { BillingLineItem, UsageDay } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daysFrom, identity, line, resource, TestTenant, usageDay } from './support.ts';
import { evenRoute, usageRoute, world } from './worlds.ts';

const FIRST = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const DAYS = 60;
const LOOKBACK = 14;
const BILL_LATE = 3;

/** A small generator with a seed: the same story at every run of the test. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

const dateOf = (index: number): string => new Date(FIRST + index * DAY).toISOString().slice(0, 10);

/** What the vendor's books and the metrics hold, changed day by day. */
class Vendor {
  readonly lines = new Map<string, BillingLineItem>();
  readonly usage = new Map<string, UsageDay>();
  readonly people = new Set(['ana', 'bo', 'cy']);
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** The day becomes known; older ones inside the lookback may be restated. */
  advance(index: number): void {
    const random = this.#random;
    const date = dateOf(index);
    for (const productType of ['COMPUTE', 'NETWORK']) {
      // Some lines come a few days late.
      if (random() > 0.15) this.#bill(date, productType, random());
    }
    const late = dateOf(index - Math.floor(random() * BILL_LATE));
    if (index > BILL_LATE && random() < 0.4) this.#bill(late, 'NETWORK', random());
    const withdrawn = `cluster-1/COMPUTE/${dateOf(index - 1 - Math.floor(random() * 5))}`;
    if (random() < 0.15) this.lines.delete(withdrawn);
    if (random() < 0.1) this.#bill(date, 'COMPUTE', -random());
    this.#changePeople();
    this.#measure(date);
  }

  #bill(date: string, productType: string, size: number): void {
    const bill = line(date, (size * 100).toFixed(6), { productType });
    this.lines.set(bill.lineId, bill);
  }

  #changePeople(): void {
    const name = ['ana', 'bo', 'cy', 'di', 'eve'][Math.floor(this.#random() * 5)]!;
    if (this.#random() < 0.2 && this.people.size > 1) this.people.delete(name);
    else if (this.#random() < 0.3) this.people.add(name);
  }

  #measure(date: string): void {
    const totals = Object.fromEntries(
      [...this.people].map((name) => [name, Math.floor(this.#random() * 1e6)]),
    );
    const outage = this.#random();
    const seen = outage < 0.08 ? 0 : outage < 0.2 ? 19 : 24;
    this.usage.set(
      date,
      usageDay(date, seen === 0 ? {} : totals, { samplesSeen: seen, samplesExpected: 24 }),
    );
  }
}

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
