import { chain, terminal, usageRatio } from '@chargeback/allocation';
import { formatUnits } from '@chargeback/money';
import { makeProblem, type ProductRoute } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FEBRUARY_FIRST, line, resource, TestTenant, usageDay } from './support.ts';

const NETWORK: ProductRoute = {
  productType: 'NETWORK',
  usage: [
    {
      key: 'bytes',
      expression: () => 'bytes',
      stepSeconds: 3600,
      reduce: 'sum',
      identityLabel: 'principal',
      resourceLabel: null,
    },
  ],
  resolve: () => ({ resourceActive: [], metricsDerived: [] }),
  allocate: chain(usageRatio(['bytes']), terminal('resource')),
};

describe('a source that restates its bill', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create({
      lines: [],
      resources: [resource('cluster-1')],
      identities: [],
      usage: [],
      routes: [NETWORK],
      regather: 'always',
      gatherKey: 'settings-1',
      billingCalls: 0,
      fallback: terminal('resource'),
    });
  });
  afterEach(() => tenant.dispose());

  const sharesOf = async (): Promise<Record<string, string>> =>
    tenant.withStore(async (store) => {
      const totals = await store.totals(FEBRUARY_FIRST, ['identity_id']);
      return Object.fromEntries(totals.map(({ key, units }) => [key[0] ?? '', formatUnits(units)]));
    });

  it('keeps usage that was whole once when a restated bill is gathered after the metrics are gone', async () => {
    const cost = (amount: string) => [line('2026-02-01', amount, { productType: 'NETWORK' })];
    tenant.world.lines = cost('100');
    tenant.world.usage = [usageDay('2026-02-01', { 'team-b': 300, 'team-a': 500, 'team-c': 200 })];
    await tenant.run(FEBRUARY_FIRST);

    tenant.world.lines = cost('200');
    tenant.world.usage = [usageDay('2026-02-01', {}, { samplesSeen: 0, samplesExpected: 24 })];
    const restated = await tenant.run(FEBRUARY_FIRST);
    expect(restated.status).toBe('completed');
    expect(await sharesOf()).toEqual({ 'team-a': '100.0000', 'team-b': '60.0000', 'team-c': '40.0000' });

    await tenant.run(FEBRUARY_FIRST, { regather: true });
    expect(await sharesOf()).toEqual({ 'team-a': '100.0000', 'team-b': '60.0000', 'team-c': '40.0000' });
  });

  it('lets a listing fail by itself: its problem is told and the other listings count', async () => {
    tenant.world.lines = [line('2026-02-01', '10', { productType: 'NETWORK' })];
    tenant.world.usage = [usageDay('2026-02-01', { 'team-a': 1 })];
    tenant.world.listingProblems = [
      makeProblem('CB_INVENTORY_GATHER', 'widgets could not be listed', { severity: 'error' }),
    ];
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run).toMatchObject({ status: 'failed', datesCalculated: 1 });
    expect(run.problems.map(({ message }) => message)).toEqual(['widgets could not be listed']);
    tenant.world.listingProblems = [];
    expect(await tenant.run(FEBRUARY_FIRST)).toMatchObject({ status: 'completed', problems: [] });
  });
});
