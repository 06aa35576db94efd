import { allocationModel, evenSplit } from '@chargeback/allocation';
import { Decimal } from '@chargeback/money';
import type { ProductRoute, UsageQuery } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FEBRUARY_FIRST, identity, line, resource, TestTenant, usageDay } from './support.ts';

const jobs: UsageQuery = {
  key: 'bytes',
  expression: () => 'bytes',
  stepSeconds: 3600,
  reduce: 'sum',
  identityLabel: 'job',
  namesIdentities: false,
  resourceLabel: null,
};

const team = (productType: string, id: string, usage: readonly UsageQuery[] = []): ProductRoute => ({
  productType,
  usage,
  resolve: () => ({ resourceActive: [identity(id)], metricsDerived: [] }),
  allocate: evenSplit('mergedActive'),
});

const follow = allocationModel({ name: 'follow', terminal: true }, (context) => ({
  portions: [
    {
      ratio: new Decimal(1),
      recipients: Array.from(context.allocatedOfDay!(), ([identityId, weight]) => ({ identityId, weight })),
      costType: 'SHARED',
      method: 'follow',
      detail: null,
      chainTier: null,
      compositionIndex: null,
      tiersTried: [],
    },
  ],
}));

const FOLLOWER: ProductRoute = {
  productType: 'SUPPORT',
  usage: [],
  resolve: () => ({ resourceActive: [], metricsDerived: [] }),
  allocate: follow,
  afterOthers: true,
};

describe('a route that follows the other lines of its day', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create({
      lines: [
        line('2026-02-01', '100', { productType: 'SUPPORT', lineId: 'a support' }),
        line('2026-02-01', '30', { productType: 'COMPUTE', lineId: 'b' }),
        line('2026-02-01', '10', { productType: 'JOBS', lineId: 'c' }),
        line('2026-02-01', '100', { productType: 'SUPPORT', lineId: 'd support' }),
      ],
      resources: [resource('cluster-1')],
      identities: [],
      usage: [usageDay('2026-02-01', { 'job-1': 5 })],
      routes: [FOLLOWER, team('COMPUTE', 'team-a'), team('JOBS', 'team-b', [jobs])],
      regather: 'always',
      gatherKey: 'settings-1',
      billingCalls: 0,
      fallback: evenSplit('tenantPeriod'),
    });
  });
  afterEach(() => tenant.dispose());

  const supportRows = () =>
    tenant.withStore(async (store) => {
      const totals = await store.totals(FEBRUARY_FIRST, ['product_type', 'identity_id']);
      return totals
        .filter(({ key }) => key[0] === 'SUPPORT')
        .map(({ key, units }) => `${key[1]} ${units / 100_000_000n}`)
        .toSorted();
    });

  it('sees what they were allocated, and not what those like it were', async () => {
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.status).toBe('completed');
    expect(await supportRows()).toEqual(['team-a 150', 'team-b 50']);
  });

  it('sees them whatever another that follows them does with what it was told', async () => {
    const spoiling: ProductRoute = {
      ...FOLLOWER,
      allocate(context) {
        const plan = follow(context);
        (context.allocatedOfDay!() as Map<string, bigint>).clear();
        return plan;
      },
    };
    tenant.world.routes = tenant.world.routes.map((route) => (route === FOLLOWER ? spoiling : route));
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.problems).toEqual([]);
    expect(await supportRows()).toEqual(['team-a 150', 'team-b 50']);
  });

  it('waits for a line that is held, and then is calculated by itself', async () => {
    tenant.world.usage = [usageDay('2026-02-01', {}, { samplesSeen: 0, samplesExpected: 24 })];
    const held = await tenant.run(FEBRUARY_FIRST);
    expect(held).toMatchObject({ status: 'failed', datesHeld: 1 });
    expect(await supportRows()).toEqual([]);
    tenant.world.usage = [usageDay('2026-02-01', { 'job-1': 5 })];
    const healed = await tenant.run(FEBRUARY_FIRST);
    expect(healed).toMatchObject({ status: 'completed', datesHeld: 0 });
    expect(await supportRows()).toEqual(['team-a 150', 'team-b 50']);
    expect((await tenant.run(FEBRUARY_FIRST)).datesUnchanged).toBe(1);
  });

  it('names of a query that names no identities are not recorded as identities', async () => {
    await tenant.run(FEBRUARY_FIRST);
    const { identities } = await tenant.withStore((store) => store.loadInventory(FEBRUARY_FIRST));
    expect([...identities.keys()]).not.toContain('job-1');
  });
});
