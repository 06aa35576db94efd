import { daysOf, isoDateOf } from '@chargeback/plugin-api';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { daysFrom, line, TestTenant, usageDay } from './support.ts';
import { bytes, evenRoute, usageRoute, world } from './worlds.ts';

const DAYS = 8;
const WINDOW = daysFrom('2026-02-01', DAYS);
const DATES = daysOf(WINDOW);
const NAMES = ['a', 'b', 'c', 'd'];

const RIGHT = { gatherKey: 'right', routes: [evenRoute('COMPUTE', []), usageRoute('NETWORK')] };
/** Another label, under which there are other names and some that are people's too. */
const MISTAKEN = {
  gatherKey: 'mistaken',
  routes: [evenRoute('COMPUTE', []), usageRoute('NETWORK', { ...bytes, identityLabel: 'pod' })],
};
const mistakenUsage = DATES.map((date, day) =>
  usageDay(date, { [`pod-${day % 3}`]: 1, [NAMES[day % NAMES.length]!]: 2 }),
);

/** A run that looks at the first days only; on some of them the metrics are away, on some the bill. */
const run = fc.record({
  last: fc.integer({ min: 2, max: DAYS }),
  unmeasured: fc.uniqueArray(fc.constantFrom(...DATES), { maxLength: 4 }),
  unbilled: fc.uniqueArray(fc.constantFrom(...DATES), { maxLength: 3 }),
  /** Whether the settings name a wrong label in this run. */
  mistaken: fc.boolean(),
});
/** Who is seen on each day, beside one who always is. */
const seen = fc.array(fc.subarray(NAMES), { minLength: DAYS, maxLength: DAYS });

function tenantOf(names: readonly (readonly string[])[]): Promise<TestTenant> {
  return TestTenant.create(
    world({
      regather: 'until_complete',
      ...RIGHT,
      lines: DATES.flatMap((date) => [line(date, '30'), line(date, '10', { productType: 'NETWORK' })]),
      usage: DATES.map((date, day) =>
        usageDay(date, Object.fromEntries(['always', ...names[day]!].map((name, rank) => [name, rank + 1]))),
      ),
    }),
  );
}

/** Everybody who is known, with the day since when. */
async function namesOf(tenant: TestTenant): Promise<string[]> {
  return tenant.withStore(async (store) => {
    const { identities } = await store.loadLifetimes(WINDOW);
    return identities.map(({ identityId, createdAt }) => `${identityId} ${createdAt?.toISOString()}`);
  });
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

it('outages and mistaken settings that are over leave the rows of a tenant that never had any, whatever the order in which days came', async () => {
  await fc.assert(
    fc.asyncProperty(seen, fc.array(run, { minLength: 1, maxLength: 5 }), async (names, runs) => {
      const clean = await tenantOf(names);
      const tenant = await tenantOf(names);
      try {
        await clean.run(WINDOW);
        tenant.limits = { ...tenant.limits, allocationRetryLimit: 99, gatherFailureThreshold: 99 };
        const whole = tenant.world.usage;
        for (const { last, unmeasured, unbilled, mistaken } of runs) {
          Object.assign(tenant.world, mistaken ? MISTAKEN : RIGHT);
          const nothing = { samplesSeen: 0, samplesExpected: 24 };
          tenant.world.usage = (mistaken ? mistakenUsage : whole).map((day) =>
            unmeasured.includes(day.date) ? usageDay(day.date, {}, nothing) : day,
          );
          tenant.world.beforeBilling = (window) => {
            if (daysOf(window).some((date) => unbilled.includes(date))) throw new Error('the vendor is down');
          };
          await tenant.run(daysFrom(DATES[0]!, last));
        }
        Object.assign(tenant.world, RIGHT, { usage: whole });
        delete tenant.world.beforeBilling;
        expect((await tenant.run(WINDOW)).status).toBe('completed');
        expect(await rowsOf(tenant)).toEqual(await rowsOf(clean));
        expect(await namesOf(tenant)).toEqual(await namesOf(clean));
      } finally {
        await Promise.all([clean.dispose(), tenant.dispose()]);
      }
    }),
    { numRuns: 25 },
  );
}, 300_000);
