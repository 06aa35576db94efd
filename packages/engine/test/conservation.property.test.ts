import { chain, evenSplit, terminal, usageRatio } from '@chargeback/allocation';
import type { ProductRoute, UsageQuery } from '@chargeback/plugin-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FEBRUARY_FIRST, identity, line, resource, TestTenant, usageDay, type World } from './support.ts';

const bytes: UsageQuery = {
  key: 'bytes',
  expression: () => 'bytes',
  stepSeconds: 3600,
  reduce: 'sum',
  identityLabel: 'principal',
  resourceLabel: null,
};
const chained = chain(
  usageRatio(['bytes']),
  evenSplit('mergedActive'),
  evenSplit('tenantPeriod'),
  terminal('resource'),
);
const route = (productType: string): ProductRoute => ({
  productType,
  usage: [bytes],
  resolve: (context) => ({
    resourceActive: [],
    metricsDerived: [...context.usage('bytes').totals.keys()].map((id) => identity(id)),
  }),
  allocate: chained,
});

/** Amounts as text: refunds, fractions of a quantum, and round ones. */
const amount = fc
  .tuple(fc.bigInt({ min: -(10n ** 14n), max: 10n ** 14n }), fc.constantFrom(0, 2, 4, 8))
  .map(([units, decimals]) => {
    const digits = (units < 0n ? -units : units).toString().padStart(decimals + 1, '0');
    const whole = decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
    return `${units < 0n ? '-' : ''}${whole.slice(0, 18)}`;
  })
  .filter((text) => /^-?\d+(\.\d+)?$/.test(text) && Math.abs(Number(text)) < 1e9);

const bill = fc.record({
  amounts: fc.array(
    fc.record({
      cost: amount,
      product: fc.constantFrom('A', 'B', 'UNKNOWN'),
      resourceId: fc.constantFrom('r1', 'r2', null),
    }),
    {
      minLength: 1,
      maxLength: 40,
    },
  ),
  usage: fc.dictionary(
    fc.string({ minLength: 1, maxLength: 6 }),
    fc.double({ min: 0, max: 1e15, noNaN: true }),
    { maxKeys: 12 },
  ),
  identities: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { maxLength: 5 }),
  createdHour: fc.option(fc.integer({ min: 0, max: 30 })),
});

describe('conservation', () => {
  it('holds to the last digit for random bills, usage, identities and lifetimes, whatever their order', async () => {
    await fc.assert(
      fc.asyncProperty(
        bill,
        fc.infiniteStream(fc.nat()),
        async ({ amounts, usage, identities, createdHour }, order) => {
          const createdAt =
            createdHour === null ? null : new Date(FEBRUARY_FIRST.start.getTime() + createdHour * 3_600_000);
          const lines = amounts.map(({ cost, product, resourceId }, index) =>
            line('2026-02-01', cost, { lineId: `line-${index}`, productType: product, resourceId }),
          );
          const world: World = {
            lines,
            resources: [resource('r1', { createdAt }), resource('r2')],
            identities: identities.map((id) => identity(`i-${id}`)),
            usage: [usageDay('2026-02-01', usage)],
            routes: [route('A'), route('B')],
            regather: 'always',
            gatherKey: '',
            billingCalls: 0,
            fallback: terminal('resource'),
          };
          const shuffled = {
            ...world,
            lines: shuffle(lines, order),
            usage: [usageDay('2026-02-01', reversed(usage))],
          };
          const [first, second] = [await settle(world), await settle(shuffled)];
          const billed = lines.reduce((sum, { totalCost }) => sum + totalCost.units, 0n);
          expect(first.reconciled).toMatchObject({ billed, difference: 0n, held: 0n });
          expect(first.allocated).toBe(first.reconciled!.billed - first.reconciled!.retained);
          expect(second).toEqual(first);
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);
});

interface Settled {
  readonly reconciled: { billed: bigint; retained: bigint; held: bigint; difference: bigint } | undefined;
  /** Added up from the rows by the test itself. */
  readonly allocated: bigint;
  readonly rows: readonly string[];
}

async function settle(world: World): Promise<Settled> {
  const tenant = await TestTenant.create(world);
  try {
    await tenant.run(FEBRUARY_FIRST);
    return await tenant.withStore(async (store) => {
      let allocated = 0n;
      const rows: string[] = [];
      for await (const chunk of store.rows(FEBRUARY_FIRST, null)) {
        for (const row of chunk) {
          allocated += row.amount.units;
          rows.push(`${row.resourceId} ${row.productType} ${row.identityId} ${row.amount.units}`);
        }
      }
      const [total] = await store.reconcile(FEBRUARY_FIRST, 'month');
      return { reconciled: total, allocated, rows };
    });
  } finally {
    await tenant.dispose();
  }
}

function shuffle<Item>(items: readonly Item[], order: Iterable<number>): Item[] {
  const keys = order[Symbol.iterator]();
  return items
    .map((item) => ({ item, key: keys.next().value as number }))
    .toSorted((left, right) => left.key - right.key)
    .map(({ item }) => item);
}

function reversed(record: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(record).toReversed());
}
