import { evenSplit, terminal } from '@chargeback/allocation';
import { Decimal } from '@chargeback/money';
import type { Identity, ProductRoute } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodeOf } from '../src/index.ts';
import { daysFrom, FEBRUARY_FIRST, identity, line, resource, TestTenant, usageDay } from './support.ts';
import { evenRoute, reconciled as reconciledIn, sharesOf as sharesIn, world } from './worlds.ts';

describe('the pipeline', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(world());
  });
  afterEach(() => tenant.dispose());

  const sharesOf = (window = FEBRUARY_FIRST) => sharesIn(tenant, window);
  const detailsOf = async (): Promise<(string | null)[]> =>
    tenant.withStore(async (store) =>
      (await store.totals(FEBRUARY_FIRST, ['allocation_detail'])).map(({ key }) => key[0] ?? null),
    );
  const reconciled = (window = FEBRUARY_FIRST) => reconciledIn(tenant, window);

  it('splits a line so that its rows add up to it', async () => {
    tenant.world.lines = [line('2026-02-01', '10')];
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.problems).toEqual([]);
    expect(await sharesOf()).toEqual({ 'team-a': '3.3334', 'team-b': '3.3333', 'team-c': '3.3333' });
    expect(await reconciled()).toMatchObject({
      billed: '10.0000',
      allocated: '10.0000',
      difference: '0.0000',
    });
  });

  it('retains, and shows, the part of a line in which its resource did not exist', async () => {
    tenant.world.resources = [resource('cluster-1', { createdAt: new Date('2026-02-01T18:00:00Z') })];
    tenant.world.lines = [line('2026-02-01', '24')];
    await tenant.run(FEBRUARY_FIRST);
    expect(await reconciled()).toMatchObject({
      billed: '24.0000',
      allocated: '6.0000',
      retained: '18.0000',
      difference: '0.0000',
    });
  });

  it('allocates the whole line of a partly active resource when the vendor has already prorated it', async () => {
    tenant.settings = { ...tenant.settings, partial_period: 'allocate_full' };
    tenant.world.resources = [resource('cluster-1', { createdAt: new Date('2026-02-01T18:00:00Z') })];
    tenant.world.lines = [line('2026-02-01', '24')];
    await tenant.run(FEBRUARY_FIRST);
    expect(await reconciled()).toMatchObject({
      allocated: '24.0000',
      retained: '0.0000',
      difference: '0.0000',
    });
  });

  it('charges a product type that nobody handles to its resource, and says so', async () => {
    tenant.world.lines = [line('2026-02-01', '7.5', { productType: 'NEW_THING' })];
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(await sharesOf()).toEqual({ 'cluster-1': '7.5000' });
    expect(await detailsOf()).toEqual(['USING_UNKNOWN_ALLOCATOR']);
    expect(run.problems.map(({ code }) => code)).toEqual(['CB_ALLOCATION_UNKNOWN_PRODUCT']);
    expect(exitCodeOf([run])).toBe(0);
  });

  it('gives refunds and amounts below a quantum to somebody, to the last digit', async () => {
    tenant.world.lines = [line('2026-02-01', '-10'), line('2026-02-01', '0.00003', { lineId: 'tiny' })];
    await tenant.run(FEBRUARY_FIRST);
    expect(await sharesOf()).toEqual({ 'team-a': '-3.33337', 'team-b': '-3.3333', 'team-c': '-3.3333' });
    expect(await reconciled()).toMatchObject({ billed: '-9.99997', difference: '0.0000' });
  });

  it('allocates by stored usage, and evenly with the reason where there is none', async () => {
    tenant.world.lines = [line('2026-02-01', '100', { productType: 'NETWORK' })];
    tenant.world.usage = [usageDay('2026-02-01', { 'team-b': 300, 'team-a': 500, 'team-c': 200 })];
    await tenant.run(FEBRUARY_FIRST);
    expect(await sharesOf()).toEqual({ 'team-a': '50.0000', 'team-b': '30.0000', 'team-c': '20.0000' });
    expect(await detailsOf()).toEqual(['USAGE_RATIO_ALLOCATION']);

    tenant.world.usage = [usageDay('2026-02-01', { 'team-b': 0, 'team-a': 0 })];
    await tenant.run(FEBRUARY_FIRST, { regather: true });
    expect(await sharesOf()).toEqual({ 'team-a': '50.0000', 'team-b': '50.0000' });
    expect(await detailsOf()).toEqual(['NO_USAGE_FOR_ACTIVE_IDENTITIES']);
  });

  it('calculates nothing the second time, and writes nothing', async () => {
    tenant.world.lines = [line('2026-02-01', '10'), line('2026-02-02', '11')];
    const window = daysFrom('2026-02-01', 2);
    expect(await tenant.run(window)).toMatchObject({ datesCalculated: 2, datesUnchanged: 0, rowsWritten: 6 });
    expect(await tenant.run(window)).toMatchObject({ datesCalculated: 0, datesUnchanged: 2, rowsWritten: 0 });
  });

  it('calculates only the day whose bill changed, and drops withdrawn lines', async () => {
    tenant.world.lines = [
      line('2026-02-01', '10'),
      line('2026-02-02', '11'),
      line('2026-02-02', '5', { lineId: 'extra' }),
    ];
    const window = daysFrom('2026-02-01', 2);
    await tenant.run(window);
    tenant.world.lines = [line('2026-02-01', '10'), line('2026-02-02', '12')];
    expect(await tenant.run(window)).toMatchObject({ datesCalculated: 1, datesUnchanged: 1 });
    expect(await reconciled(window)).toMatchObject({
      billed: '22.0000',
      allocated: '22.0000',
      difference: '0.0000',
    });
  });

  it('does not ask again for complete days of a source that never restates them', async () => {
    tenant.world.regather = 'until_complete';
    tenant.world.lines = [line('2026-02-01', '10')];
    tenant.world.usage = [usageDay('2026-02-01', {})];
    await tenant.run(FEBRUARY_FIRST);
    await tenant.run(FEBRUARY_FIRST);
    expect(tenant.world.billingCalls).toBe(1);
    await tenant.run(FEBRUARY_FIRST, { regather: true });
    expect(tenant.world.billingCalls).toBe(2);
    tenant.world.gatherKey = 'settings-2';
    await tenant.run(FEBRUARY_FIRST);
    expect(tenant.world.billingCalls).toBe(3);
  });

  it('keeps complete inputs when the source later has less: history does not change by itself', async () => {
    tenant.world.regather = 'until_complete';
    const full = { samplesSeen: 24, samplesExpected: 24 };
    tenant.world.lines = [line('2026-02-01', '10', { productType: 'NETWORK', coverage: full })];
    tenant.world.usage = [usageDay('2026-02-01', { 'team-a': 1, 'team-b': 3 })];
    await tenant.run(FEBRUARY_FIRST);
    const none = { samplesSeen: 0, samplesExpected: 24 };
    tenant.world.lines = [line('2026-02-01', '0', { productType: 'NETWORK', coverage: none })];
    tenant.world.usage = [usageDay('2026-02-01', {}, none)];
    const run = await tenant.run(FEBRUARY_FIRST, { regather: true });
    expect(run).toMatchObject({ datesCalculated: 0, datesUnchanged: 1 });
    expect(run.problems.map(({ code }) => code)).toContain('CB_USAGE_INCOMPLETE');
    expect(await sharesOf()).toEqual({ 'team-b': '7.5000', 'team-a': '2.5000' });
  });

  it('holds a line with a gap while its siblings are billed, and falls back at the retry limit', async () => {
    tenant.world.lines = [line('2026-02-01', '10'), line('2026-02-01', '100', { productType: 'NETWORK' })];
    tenant.world.usage = [usageDay('2026-02-01', {}, { samplesSeen: 0, samplesExpected: 24 })];
    for (const _try of [1, 2]) {
      const run = await tenant.run(FEBRUARY_FIRST);
      expect(run).toMatchObject({ datesHeld: 1, status: 'failed' });
      expect(exitCodeOf([run])).toBe(1);
      expect(await reconciled()).toMatchObject({
        allocated: '10.0000',
        held: '100.0000',
        difference: '0.0000',
      });
    }
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run).toMatchObject({ datesHeld: 0, datesCalculated: 1 });
    expect(run.problems).toMatchObject([{ code: 'CB_USAGE_INCOMPLETE', severity: 'warning' }]);
    expect(await sharesOf()).toMatchObject({ UNALLOCATED: '100.0000' });
    expect(exitCodeOf([run])).toBe(0);
  });

  it('heals a held line as soon as its metrics are whole', async () => {
    tenant.world.lines = [line('2026-02-01', '100', { productType: 'NETWORK' })];
    tenant.world.usage = [usageDay('2026-02-01', { 'team-a': 1 }, { samplesSeen: 19, samplesExpected: 24 })];
    expect(await tenant.run(FEBRUARY_FIRST)).toMatchObject({ datesHeld: 1 });
    tenant.world.usage = [usageDay('2026-02-01', { 'team-a': 1, 'team-b': 1 })];
    expect(await tenant.run(FEBRUARY_FIRST)).toMatchObject({
      datesHeld: 0,
      datesCalculated: 1,
      problems: [],
    });
    expect(await sharesOf()).toEqual({ 'team-a': '50.0000', 'team-b': '50.0000' });
  });

  it('does not take a metrics outage for no usage when it falls back at once', async () => {
    tenant.settings = { ...tenant.settings, missing_usage: 'fallback' };
    tenant.world.identities = [identity('team-z')];
    tenant.world.lines = [line('2026-02-01', '8', { productType: 'NETWORK' })];
    tenant.world.usage = [usageDay('2026-02-01', {}, { samplesSeen: 0, samplesExpected: 24 })];
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.problems).toMatchObject([{ code: 'CB_USAGE_INCOMPLETE', severity: 'warning' }]);
    expect(await sharesOf()).toEqual({ 'team-z': '8.0000' });
  });

  it('retries a failing allocator, counting over gathers, and books the cost on UNALLOCATED at the limit', async () => {
    tenant.world.routes = [
      evenRoute('COMPUTE', ['team-a']),
      {
        ...evenRoute('BROKEN', []),
        allocate: () => {
          throw new Error('division by cucumber');
        },
      },
    ];
    tenant.world.lines = [line('2026-02-01', '10'), line('2026-02-01', '3', { productType: 'BROKEN' })];
    for (const attempt of [1, 2]) {
      const run = await tenant.run(FEBRUARY_FIRST);
      expect(run.problems[0]?.message).toContain(`failed ${attempt} of 3 times`);
      expect(await sharesOf()).toEqual({ 'team-a': '10.0000' });
    }
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.problems[0]?.message).toMatch(
      /failed 3 of 3 times, its cost went to UNALLOCATED: division by cucumber/,
    );
    expect(await sharesOf()).toEqual({ 'team-a': '10.0000', UNALLOCATED: '3.0000' });
    expect(await detailsOf()).not.toContain('division by cucumber');
    expect(await reconciled()).toMatchObject({
      billed: '13.0000',
      allocated: '13.0000',
      difference: '0.0000',
    });
  });

  it.each([
    ['a promise', () => Promise.resolve({ portions: [] })],
    ['nothing', () => undefined],
    ['negative weights', () => planOf([{ identityId: 'x', weight: -1n }])],
    ['weights that are numbers', () => planOf([{ identityId: 'x', weight: 1 }])],
    [
      'one identity twice',
      () =>
        planOf([
          { identityId: 'x', weight: 1n },
          { identityId: 'x', weight: 1n },
        ]),
    ],
    ['nobody', () => planOf([])],
    ['no positive weight', () => planOf([{ identityId: 'x', weight: 0n }])],
  ])('treats an allocator that returns %s as failed, and loses nothing', async (_what, allocate) => {
    tenant.limits = { ...tenant.limits, allocationRetryLimit: 1 };
    tenant.world.routes = [
      { ...evenRoute('COMPUTE', []), allocate: allocate as unknown as ProductRoute['allocate'] },
    ];
    tenant.world.lines = [line('2026-02-01', '3')];
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.problems[0]?.code).toBe('CB_ALLOCATION_FAILED');
    expect(await sharesOf()).toEqual({ UNALLOCATED: '3.0000' });
  });

  it('holds a day whose lines are malformed and says which', async () => {
    tenant.world.lines = [line('2026-02-01', '3'), line('2026-02-01', '4'), line('2026-02-02', '5')];
    const run = await tenant.run(daysFrom('2026-02-01', 2));
    expect(run.problems).toMatchObject([{ code: 'CB_LINE_INVALID', date: '2026-02-01' }]);
    expect(await reconciled(daysFrom('2026-02-01', 2))).toMatchObject({
      billed: '5.0000',
      allocated: '5.0000',
    });
    expect(exitCodeOf([run])).toBe(1);
  });

  it.each([
    ['no date', { timestamp: new Date(Number.NaN) }],
    ['a date outside its batch', { timestamp: new Date('1970-01-01T00:00:00Z') }],
    ['no id', { lineId: '' }],
    ['no product type', { productType: '' }],
    ['a quantity that is not finite', { quantity: new Decimal(Number.NaN) }],
  ])('holds the day of a line with %s, and not the next one', async (_what, broken) => {
    tenant.world.rawBatches = [
      {
        window: FEBRUARY_FIRST,
        lines: [line('2026-02-01', '3'), line('2026-02-01', '4', { lineId: 'x', ...broken })],
        problems: [],
      },
      { window: daysFrom('2026-02-02', 1), lines: [line('2026-02-02', '5')], problems: [] },
    ];
    const run = await tenant.run(daysFrom('2026-02-01', 2));
    expect(run.problems).toMatchObject([{ code: 'CB_LINE_INVALID' }]);
    expect(run.datesCalculated).toBe(1);
    expect(await reconciled(daysFrom('2026-02-01', 2))).toMatchObject({
      billed: '5.0000',
      allocated: '5.0000',
    });
  });

  it('gives each line the identities that were resolved, whatever another did with the same list', async () => {
    const resolution = {
      resourceActive: Object.freeze([identity('team-b'), identity('team-a')]),
      metricsDerived: Object.freeze([identity('team-c')]),
    };
    const honest: ProductRoute = {
      productType: 'NETWORK',
      usage: [],
      resolve: () => resolution,
      allocate: evenSplit('resourceActive'),
    };
    const spoiling: ProductRoute = {
      ...honest,
      productType: 'COMPUTE',
      allocate(context) {
        (context.identities.resourceActive as Identity[]).pop();
        return honest.allocate(context);
      },
    };
    tenant.world.routes = [spoiling, honest];
    tenant.world.lines = [
      line('2026-02-01', '30', { lineId: 'a' }),
      line('2026-02-01', '30', { lineId: 'b', productType: 'NETWORK' }),
    ];
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.problems).toMatchObject([{ code: 'CB_ALLOCATION_FAILED', path: 'a' }]);
    expect(await sharesOf()).toEqual({ 'team-a': '15.0000', 'team-b': '15.0000' });
  });

  it('splits by usage whose sum is larger than any number', async () => {
    const most = Number.MAX_VALUE;
    tenant.world.lines = [line('2026-02-01', '10', { productType: 'NETWORK' })];
    tenant.world.usage = [usageDay('2026-02-01', { 'team-a': most, 'team-b': most, 'team-c': most / 2 })];
    expect((await tenant.run(FEBRUARY_FIRST)).problems).toEqual([]);
    expect(await sharesOf()).toEqual({ 'team-a': '4.0000', 'team-b': '4.0000', 'team-c': '2.0000' });
  });

  it('stops at an abort, keeps what was committed, and resumes to the same result', async () => {
    const window = daysFrom('2026-02-01', 5);
    tenant.world.lines = [1, 2, 3, 4, 5].map((day) => line(`2026-02-0${day}`, `${day}`));
    const stop = new AbortController();
    let calls = 0;
    const route = evenRoute('COMPUTE', ['team-a', 'team-b']);
    tenant.world.routes = [
      {
        ...route,
        allocate: (context) => {
          calls += 1;
          if (calls === 3) stop.abort();
          return route.allocate(context);
        },
      },
    ];
    const interrupted = await tenant.run(window, { signal: stop.signal });
    expect(interrupted).toMatchObject({ status: 'interrupted', datesCalculated: 0 });
    const kept = await reconciled(window);
    expect(kept.difference).toBe('0.0000');
    // The first three days at least: the third was being calculated.
    expect(Number(kept.billed)).toBeGreaterThanOrEqual(6);
    const resumed = await tenant.run(window);
    expect(resumed.status).toBe('completed');
    expect(resumed.datesCalculated).toBeLessThan(5);
    expect(await reconciled(window)).toMatchObject({
      billed: '15.0000',
      allocated: '15.0000',
      held: '0.0000',
    });
  });

  it('adds up usage over the whole window of a line that is longer than a day', async () => {
    tenant.settings = { ...tenant.settings, granularity_durations: { two_days: 48 } };
    tenant.world.lines = [line('2026-02-01', '30', { productType: 'NETWORK', granularity: 'two_days' })];
    tenant.world.usage = [
      usageDay('2026-02-01', { 'team-a': 100 }),
      usageDay('2026-02-02', { 'team-b': 200 }),
    ];
    const window = daysFrom('2026-02-01', 2);
    await tenant.run(window);
    expect(await sharesOf()).toEqual({ 'team-b': '20.0000', 'team-a': '10.0000' });
    tenant.world.usage = [
      usageDay('2026-02-01', { 'team-a': 100 }),
      usageDay('2026-02-02', { 'team-b': 100 }),
    ];
    await tenant.run(window, { regather: true });
    expect(await sharesOf()).toEqual({ 'team-a': '15.0000', 'team-b': '15.0000' });
  });
});

function planOf(recipients: readonly object[]): object {
  const [portion] = (terminal('unallocated')({} as never) as { portions: object[] }).portions;
  return { portions: [{ ...portion, recipients }] };
}
