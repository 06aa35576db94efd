import { Decimal, parseMoney } from '@chargeback/money';
import type { BillingLineItem, Coverage, UsageDay } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodeOf } from '../src/index.ts';
import { FEBRUARY_FIRST, identity, line, TestTenant, usageDay } from './support.ts';
import { bytes, evenRoute, reconciled, sharesOf, usageRoute, world } from './worlds.ts';

const DAY = '2026-02-01';
const WHOLE: Coverage = { samplesSeen: 24, samplesExpected: 24 };
const HALF: Coverage = { samplesSeen: 12, samplesExpected: 24 };
const NOTHING: Coverage = { samplesSeen: 0, samplesExpected: 24 };

/** A line constructed as quantity × price from a query. */
function measured(
  quantity: string,
  price: string,
  { coverage = WHOLE, query = 'sum(bytes)', productType = 'COMPUTE' } = {},
): BillingLineItem {
  const cost = new Decimal(quantity).times(price).toFixed();
  return line(DAY, cost, {
    productType,
    quantity: new Decimal(quantity),
    unitPrice: new Decimal(price),
    totalCost: parseMoney(cost, 'USD').amount,
    coverage,
    definition: query,
  });
}

const failed = (): UsageDay => usageDay(DAY, {}, NOTHING);

describe('inputs that are gathered again', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(
      world({
        regather: 'until_complete',
        routes: [evenRoute('COMPUTE', ['team-a']), usageRoute('NETWORK')],
      }),
    );
  });
  afterEach(() => tenant.dispose());

  const billed = async (): Promise<string | undefined> =>
    (await reconciled(tenant, FEBRUARY_FIRST))['billed'];
  const run = (options = {}) => tenant.run(FEBRUARY_FIRST, options);

  it('take new settings as soon as the source answers, when it was down at the first try', async () => {
    tenant.world.usage = [usageDay(DAY, { 'team-a': 1 })];
    tenant.world.lines = [measured('10', '1')];
    await run();
    expect(await billed()).toBe('10.0000');

    tenant.world.gatherKey = 'settings-2';
    tenant.world.lines = [measured('0', '1', { coverage: NOTHING, query: 'sum(other)' })];
    tenant.world.usage = [failed()];
    const down = await run();
    expect(await billed()).toBe('10.0000');
    expect(exitCodeOf([down])).toBe(1);
    expect(down.problems.map(({ message }) => message).join()).toContain('earlier settings');

    tenant.world.lines = [measured('7', '1', { query: 'sum(other)' })];
    tenant.world.usage = [usageDay(DAY, { 'team-a': 1 })];
    const up = await run();
    expect(await billed()).toBe('7.0000');
    expect(exitCodeOf([up])).toBe(0);
    expect((await run()).datesGathered).toBe(0);
  });

  it('keep what was measured when the line is called otherwise now, unless there are several of its type', async () => {
    const called = (lineId: string, one: BillingLineItem): BillingLineItem => ({ ...one, lineId });
    tenant.world.lines = [called('old/COMPUTE', measured('10', '1'))];
    await run();
    tenant.world.gatherKey = 'settings-2';
    tenant.world.lines = [called('new/COMPUTE', measured('0', '2', { coverage: NOTHING }))];
    await run();
    expect(await billed()).toBe('20.0000');
    tenant.world.gatherKey = 'settings-3';
    tenant.world.lines = [
      called('newest/COMPUTE', measured('0', '2', { coverage: NOTHING, query: 'max(bytes)' })),
    ];
    await run();
    expect(await billed()).toBe('20.0000');
    tenant.world.gatherKey = 'settings-4';
    tenant.world.lines = ['a', 'b'].map((id) => called(id, measured('0', '2', { coverage: NOTHING })));
    await run();
    expect(await billed()).toBe('0.0000');
  });

  it('bill a fixed cost by its new rate also while the metrics are away', async () => {
    tenant.world.usage = [usageDay(DAY, { 'team-a': 1 })];
    tenant.world.lines = [line(DAY, '24'), measured('10', '1', { productType: 'NETWORK' })];
    await run();
    tenant.world.gatherKey = 'settings-2';
    tenant.world.usage = [failed()];
    tenant.world.lines = [line(DAY, '48'), measured('0', '1', { productType: 'NETWORK', coverage: NOTHING })];
    await run();
    expect(await billed()).toBe('58.0000');
  });

  it('apply a new rate to a quantity whose samples are gone, and change nothing else', async () => {
    tenant.world.usage = [usageDay(DAY, { 'team-a': 1 })];
    tenant.world.lines = [measured('10.5', '2', { coverage: HALF })];
    tenant.settings = { ...tenant.settings, missing_usage: 'fallback' };
    await run();
    expect(await billed()).toBe('21.0000');
    tenant.world.gatherKey = 'settings-2';
    tenant.world.lines = [measured('0', '3', { coverage: NOTHING })];
    await run();
    expect(await billed()).toBe('31.5000');
    expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual({ 'team-a': '31.5000' });
  });

  it.each(['until_complete', 'always'] as const)(
    'never replace a measurement by less of the same (a source that restates: %s)',
    async (regather) => {
      tenant.world.regather = regather;
      tenant.settings = { ...tenant.settings, missing_usage: 'fallback' };
      tenant.world.lines = [measured('10', '1', { productType: 'NETWORK', coverage: HALF })];
      tenant.world.usage = [usageDay(DAY, { 'team-a': 3, 'team-b': 1 })];
      await run();
      const before = await sharesOf(tenant, FEBRUARY_FIRST);
      expect(before).toEqual({ 'team-a': '7.5000', 'team-b': '2.5000' });

      tenant.world.gatherKey = 'settings-2';
      tenant.world.lines = [measured('0', '1', { productType: 'NETWORK', coverage: NOTHING })];
      tenant.world.usage = [failed()];
      await run();
      expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual(before);

      tenant.world.lines = [];
      await run({ regather: true });
      expect(await billed()).toBeUndefined();
    },
  );

  it('keep an answer of nothing when the next one fails, so that a day does not flicker', async () => {
    tenant.world.regather = 'always';
    tenant.settings = { ...tenant.settings, missing_usage: 'fallback' };
    tenant.world.identities = [identity('team-a')];
    tenant.world.lines = [line(DAY, '10', { productType: 'NETWORK' })];
    tenant.world.usage = [{ ...usageDay(DAY, {}, NOTHING), outcome: 'partial' }];
    await run();
    const state = () => tenant.withStore(async (store) => (await store.dateStates(FEBRUARY_FIRST))[0]);
    const before = await state();
    tenant.world.usage = [failed()];
    await run();
    expect((await state())?.calculationId).toBe(before?.calculationId);
    expect((await state())?.inputDigest).toBe(before?.inputDigest);
  });

  it('take the price of the settings they return to, when others came between', async () => {
    tenant.settings = { ...tenant.settings, missing_usage: 'fallback' };
    const both = (rate: string, query: string, coverage = WHOLE) => [
      measured('100', rate, { coverage }),
      measured('10', '1', { productType: 'NETWORK', query, coverage }),
    ];
    tenant.world.usage = [usageDay(DAY, { 'team-a': 1 })];
    tenant.world.lines = both('1', 'sum(b)');
    await run();
    tenant.world.gatherKey = 'settings-2';
    tenant.world.lines = both('2', 'sum(other)', HALF);
    await run();
    expect(await billed()).toBe('210.0000');
    tenant.world.gatherKey = 'settings-1';
    tenant.world.lines = both('1', 'sum(b)', HALF);
    await run();
    expect(await billed()).toBe('110.0000');
  });

  it('take less for another question only when somebody insists', async () => {
    tenant.world.usage = [usageDay(DAY, { 'team-a': 1 })];
    tenant.world.lines = [measured('10', '1')];
    tenant.settings = { ...tenant.settings, missing_usage: 'fallback' };
    await run();
    tenant.world.gatherKey = 'settings-2';
    tenant.world.lines = [measured('4', '1', { coverage: HALF, query: 'sum(other)' })];
    const first = await run();
    expect(await billed()).toBe('10.0000');
    expect(first.problems.map(({ severity }) => severity)).toEqual(['warning']);
    expect((await run()).datesGathered).toBe(1);
    await run({ regather: true });
    expect(await billed()).toBe('4.0000');
  });

  it('add names to a day on which somebody only asks who exists, and take none away', async () => {
    const who = { ...bytes, expects: 'any_instant' as const };
    tenant.world.routes = [usageRoute('NETWORK', who)];
    tenant.world.lines = [line(DAY, '9', { productType: 'NETWORK' })];
    tenant.world.usage = [
      usageDay(DAY, { 'team-a': 1, 'team-b': 1 }, { samplesSeen: 1, samplesExpected: 1 }),
    ];
    await run();
    tenant.world.usage = [
      usageDay(DAY, { 'team-b': 1, 'team-c': 1 }, { samplesSeen: 1, samplesExpected: 1 }),
    ];
    await run({ regather: true });
    expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual({
      'team-a': '3.0000',
      'team-b': '3.0000',
      'team-c': '3.0000',
    });
  });

  it('withdraw the line of a cost that the settings no longer name', async () => {
    tenant.world.usage = [usageDay(DAY, { 'team-a': 1 })];
    tenant.world.lines = [line(DAY, '24'), measured('10', '1', { productType: 'NETWORK' })];
    await run();
    tenant.world.gatherKey = 'settings-2';
    tenant.world.lines = [line(DAY, '24')];
    await run();
    expect(await reconciled(tenant, FEBRUARY_FIRST)).toMatchObject({
      billed: '24.0000',
      difference: '0.0000',
    });
  });
});
