import { daysOf, isoDateOf } from '@chargeback/plugin-api';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { daysFrom, line, TestTenant, usageDay } from './support.ts';
import { evenRoute, usageRoute, world } from './worlds.ts';

const DAYS = 8;
const WINDOW = daysFrom('2026-02-01', DAYS);
const DATES = daysOf(WINDOW);
const NAMES = ['a', 'b', 'c', 'd'];

/** A run that looks at the first days only; on some of them the metrics are away, on some the bill. */
const run = fc.record({
  last: fc.integer({ min: 2, max: DAYS }),
  unmeasured: fc.uniqueArray(fc.constantFrom(...DATES), { maxLength: 4 }),
  unbilled: fc.uniqueArray(fc.constantFrom(...DATES), { maxLength: 3 }),
});
/** Who is seen on each day, beside one who always is. */
const seen = fc.array(fc.subarray(NAMES), { minLength: DAYS, maxLength: DAYS });

function tenantOf(names: readonly (readonly string[])[]): Promise<TestTenant> {
  return TestTenant.create(
    world({
      regather: 'until_complete',
      routes: [evenRoute('COMPUTE', []), usageRoute('NETWORK')],
      lines: DATES.flatMap((date) => [line(date, '30'), line(date, '10', { productType: 'NETWORK' })]),
      usage: DATES.map((date, day) =>
        usageDay(date, Object.fromEntries(['always', ...names[day]!].map((name, rank) => [name, rank + 1]))),
      ),
    }),
  );
}

async function rowsOf(tenant: TestTenant): Promise<string[]> {
  return tenant.withStore(async (store) => {
    const rows: string[] = [];
    for await (const chunk of store.rows(WINDOW, null)) {
      for (const { timestamp, productType, identityId, amount } of chunk) {
        rows.push([isoDateOf(timestamp), productType, identityId, amount.units].join(' '));
      }
    }
    return rows.toSorted();
  });
}

it('outages that are over leave the rows of a tenant that never had any, whatever the order in which days came', async () => {
  await fc.assert(
    fc.asyncProperty(seen, fc.array(run, { minLength: 1, maxLength: 5 }), async (names, runs) => {
      const clean = await tenantOf(names);
      const tenant = await tenantOf(names);
      try {
        await clean.run(WINDOW);
        tenant.limits = { ...tenant.limits, allocationRetryLimit: 99, gatherFailureThreshold: 99 };
        const whole = tenant.world.usage;
        for (const { last, unmeasured, unbilled } of runs) {
          const nothing = { samplesSeen: 0, samplesExpected: 24 };
          tenant.world.usage = whole.map((day) =>
            unmeasured.includes(day.date) ? usageDay(day.date, {}, nothing) : day,
          );
          tenant.world.beforeBilling = (window) => {
            if (daysOf(window).some((date) => unbilled.includes(date))) throw new Error('the vendor is down');
          };
          await tenant.run(daysFrom(DATES[0]!, last));
        }
        tenant.world.usage = whole;
        delete tenant.world.beforeBilling;
        expect((await tenant.run(WINDOW)).status).toBe('completed');
        expect(await rowsOf(tenant)).toEqual(await rowsOf(clean));
      } finally {
        await Promise.all([clean.dispose(), tenant.dispose()]);
      }
    }),
    { numRuns: 25 },
  );
}, 120_000);
