import { terminal } from '@chargeback/allocation';
import { Decimal } from '@chargeback/money';
import {
  ChargebackError,
  daysOf,
  isoDateOf,
  makeProblem,
  type Metadata,
  type Portion,
} from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodeOf } from '../src/index.ts';
import { daysFrom, identity, line, resource, TestTenant, usageDay } from './support.ts';
import { evenRoute, reconciled, sharesOf, usageRoute, world } from './worlds.ts';

const THREE_DAYS = daysFrom('2026-02-01', 3);
const BAD_DAY = '2026-02-02';

describe('one bad thing', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ lines: daysOf(THREE_DAYS).map((date) => line(date, '30')) }));
  });
  afterEach(() => tenant.dispose());

  const statesOf = () =>
    tenant.withStore(async (store) =>
      Object.fromEntries((await store.dateStates(THREE_DAYS)).map(({ date, state }) => [date, state])),
    );

  it('in a bill costs its own day only, even when the source throws for every window that holds the day', async () => {
    tenant.world.beforeBilling = (window) => {
      if (daysOf(window).includes(BAD_DAY)) throw new ChargebackError('CB_MONEY_TOO_LARGE', 'absurd');
    };
    const run = await tenant.run(THREE_DAYS);
    expect(await statesOf()).toEqual({ '2026-02-01': 'calculated', '2026-02-03': 'calculated' });
    expect(run.problems).toMatchObject([{ severity: 'error', date: BAD_DAY }]);
    delete tenant.world.beforeBilling;
    expect(exitCodeOf([await tenant.run(THREE_DAYS)])).toBe(0);
    expect(Object.keys(await statesOf())).toHaveLength(3);
  });

  it('such as a bill for a resource that is said not to exist any more is told of, once for a day', async () => {
    const ended = new Date('2026-02-02T00:00:00Z');
    tenant.world.resources = [resource('cluster-1', { deletedAt: ended })];
    tenant.world.lines.push(line(BAD_DAY, '0.5', { productType: 'OTHER' }));
    const run = await tenant.run(THREE_DAYS);
    const told = run.problems.filter(({ code }) => code === 'CB_BILLING_LIFETIME');
    expect(told.map(({ date, message }) => [date, message])).toEqual([
      [
        BAD_DAY,
        expect.stringMatching(/^2 lines of cluster-1, 30\.5000 USD: retained, .*until 2026-02-02T00/),
      ],
      ['2026-02-03', expect.stringMatching(/^1 line of cluster-1, 30\.0000 USD: retained/)],
    ]);
    expect(exitCodeOf([run])).toBe(0);
    expect(await reconciled(tenant, THREE_DAYS)).toMatchObject({ retained: '60.5000' });
  });

  it('such as a day that was complete and could not be had once more is forgotten when nobody asks again', async () => {
    tenant.world.regather = 'until_complete';
    tenant.world.routes = [evenRoute('COMPUTE', ['team-a'])];
    await tenant.run(THREE_DAYS);
    tenant.world.beforeBilling = () => {
      throw new Error('connection refused');
    };
    expect(exitCodeOf([await tenant.run(daysFrom(BAD_DAY, 1), { regather: true })])).toBe(1);
    const open = () => tenant.withStore((store) => store.problems(THREE_DAYS));
    expect(await open()).toHaveLength(1);
    expect(exitCodeOf([await tenant.run(THREE_DAYS)])).toBe(0);
    expect(await open()).toEqual([]);
  });

  it('such as a plugin that tells half of a bill when it is told to stop changes no bill', async () => {
    await tenant.run(THREE_DAYS);
    tenant.limits = { ...tenant.limits, timeoutSeconds: 1 };
    tenant.world.lines = tenant.world.lines.map((whole) => line(isoDateOf(whole.timestamp), '15'));
    tenant.world.waitBeforeBilling = (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    expect((await tenant.run(THREE_DAYS)).status).toBe('timed_out');
    expect(await reconciled(tenant, THREE_DAYS)).toMatchObject({ billed: '90.0000' });
  });

  it('such as three bad days in a row costs those days and none after them', async () => {
    const month = daysFrom('2026-02-01', 20);
    const bad = new Set(['2026-02-02', '2026-02-03', '2026-02-04']);
    tenant.world.lines = daysOf(month).map((date) => line(date, '30'));
    tenant.world.beforeBilling = (window) => {
      if (daysOf(window).some((date) => bad.has(date))) throw new Error('the vendor fails for this day');
    };
    expect((await tenant.run(month)).datesGathered).toBe(17);
  });

  it('such as a bill that is gone altogether is not believed, unless somebody insists', async () => {
    await tenant.run(THREE_DAYS);
    tenant.world.lines = [];
    const run = await tenant.run(THREE_DAYS);
    expect(exitCodeOf([run])).toBe(1);
    expect(await reconciled(tenant, THREE_DAYS)).toMatchObject({ billed: '90.0000', allocated: '90.0000' });
    await tenant.run(THREE_DAYS, { regather: true });
    expect(await reconciled(tenant, THREE_DAYS)).toEqual({});
  });

  it('such as a listing that fails stays on record as long as it fails, also when no day is asked for', async () => {
    tenant.world.regather = 'until_complete';
    tenant.world.routes = [evenRoute('COMPUTE', ['team-a'])];
    tenant.world.listingProblems = [makeProblem('CB_INVENTORY_GATHER', 'refused', { severity: 'error' })];
    for (let runs = 0; runs < 2; runs += 1) {
      expect(exitCodeOf([await tenant.run(THREE_DAYS)])).toBe(1);
      const stored = await tenant.withStore((store) => store.problems(THREE_DAYS));
      expect(stored.map(({ code }) => code)).toEqual(['CB_INVENTORY_GATHER']);
    }
  });

  it('such as a source that is down is not asked about every day of a month', async () => {
    tenant.world.beforeBilling = () => {
      throw new Error('connection refused');
    };
    const run = await tenant.run(daysFrom('2026-02-01', 28));
    // A week as a whole and day by day, then two spans with one day each.
    expect(tenant.world.billingCalls).toBeLessThanOrEqual(8 + 2 + 2);
    expect(new Set(run.problems.map(({ date }) => date)).size).toBe(28);
  });

  it.each([
    ['two lines of one id in different batches', () => [line(BAD_DAY, '30'), line(BAD_DAY, '31')]],
    [
      'metadata that is no JSON',
      () => [line(BAD_DAY, '30', { metadata: { big: 1n } as unknown as Metadata })],
    ],
    ['an id that is not well-formed text', () => [line(BAD_DAY, '30', { lineId: 'half \ud800' })]],
  ])('such as %s costs its own day only', async (_what, badLines) => {
    const good = tenant.world.lines.filter(({ timestamp }) => timestamp.getUTCDate() !== 2);
    tenant.world.rawBatches = [good, ...badLines().map((bad) => [bad])].map((lines) => ({
      window: THREE_DAYS,
      lines,
      problems: [],
    }));
    const run = await tenant.run(THREE_DAYS);
    expect(await statesOf()).toEqual({ '2026-02-01': 'calculated', '2026-02-03': 'calculated' });
    expect(run.problems).toMatchObject([{ code: 'CB_LINE_INVALID', severity: 'error', date: BAD_DAY }]);
  });

  const portionFault = (fault: object): Portion =>
    ({
      ratio: new Decimal(1),
      recipients: [{ identityId: 'team-a', weight: 1n }],
      costType: 'USAGE',
      method: 'own',
      detail: null,
      chainTier: null,
      compositionIndex: null,
      tiersTried: [],
      ...fault,
    }) as Portion;

  it.each([
    ['no method', { method: undefined }],
    ['an unknown cost type', { costType: 'FREE' }],
    ['a detail that is an object', { detail: {} }],
    ['no list of tiers', { tiersTried: undefined }],
    ['a fractional tier', { chainTier: 0.5 }],
    ['half a surrogate pair as an identity', { recipients: [{ identityId: '\udc00', weight: 1n }] }],
  ])('such as a portion with %s holds its own line only', async (_what, fault) => {
    const own = { ...usageRoute('OWN'), usage: [], allocate: () => ({ portions: [portionFault(fault)] }) };
    tenant.world.routes = [...tenant.world.routes, own];
    tenant.world.lines.push(line(BAD_DAY, '5', { productType: 'OWN' }));
    const run = await tenant.run(THREE_DAYS);
    expect(run.problems.map(({ code }) => code)).toEqual(['CB_ALLOCATION_FAILED']);
    expect(await reconciled(tenant, THREE_DAYS)).toMatchObject({
      billed: '95.0000',
      allocated: '90.0000',
      held: '5.0000',
    });
  });

  it('such as usage near the largest double still gives ratios', async () => {
    tenant.world.usage = [usageDay('2026-02-01', { 'team-a': 5e289, 'team-b': 5e289 })];
    tenant.world.lines = [line('2026-02-01', '10', { productType: 'NETWORK' })];
    const run = await tenant.run(daysFrom('2026-02-01', 1));
    expect(run.problems).toEqual([]);
    expect(await sharesOf(tenant, THREE_DAYS)).toEqual({ 'team-a': '5.0000', 'team-b': '5.0000' });
  });

  it('such as ill-formed names from metrics become text that can be stored', async () => {
    tenant.world.usage = [usageDay('2026-02-01', { 'a\ud800': 1, 'a\udc00': 1 })];
    tenant.world.lines = [line('2026-02-01', '10', { productType: 'NETWORK' })];
    await tenant.run(daysFrom('2026-02-01', 1));
    expect(await sharesOf(tenant, THREE_DAYS)).toEqual({ 'a\ufffd': '10.0000' });
  });

  it('in an allocator heals by itself once it is mended, though nothing else changed', async () => {
    tenant.limits = { ...tenant.limits, allocationRetryLimit: 1 };
    const route = { ...usageRoute('OWN'), usage: [] };
    const broken = () => {
      throw new Error('a bug');
    };
    tenant.world.lines = [line('2026-02-01', '5', { productType: 'OWN' })];
    tenant.world.routes = [{ ...route, allocate: broken }];
    const first = await tenant.run(daysFrom('2026-02-01', 1));
    expect(await sharesOf(tenant, THREE_DAYS)).toEqual({ UNALLOCATED: '5.0000' });
    expect(exitCodeOf([first])).toBe(1);
    const again = await tenant.run(daysFrom('2026-02-01', 1));
    expect([again.rowsWritten, exitCodeOf([again])]).toEqual([0, 1]);
    tenant.world.routes = [{ ...route, allocate: terminal('resource') }];
    const healed = await tenant.run(daysFrom('2026-02-01', 1));
    expect(await sharesOf(tenant, THREE_DAYS)).toEqual({ 'cluster-1': '5.0000' });
    expect(exitCodeOf([healed])).toBe(0);
  });

  it('in a plugin that allocates differently from now on is mended by its new version', async () => {
    await tenant.run(THREE_DAYS);
    const route = { ...usageRoute('COMPUTE'), usage: [], allocate: terminal('resource') };
    tenant.world.routes = [route];
    expect((await tenant.run(THREE_DAYS)).datesCalculated).toBe(0);
    tenant.world.version = '1.1.0';
    expect((await tenant.run(THREE_DAYS)).datesCalculated).toBe(3);
    expect(await sharesOf(tenant, THREE_DAYS)).toEqual({ 'cluster-1': '90.0000' });
  });
});

describe('a resource that did not exist in the window of a line', () => {
  it('retains the whole line, while one that was never known counts as wholly active', async () => {
    const tenant = await TestTenant.create(world());
    try {
      const gone = { resourceId: 'gone', lineId: 'gone' };
      tenant.world.resources = [
        {
          resourceId: 'gone',
          resourceType: 'cluster',
          displayName: null,
          parentId: null,
          ownerId: null,
          createdAt: null,
          deletedAt: new Date('2026-01-20T00:00:00Z'),
          metadata: {},
        },
      ];
      tenant.world.identities = [identity('team-a')];
      tenant.world.lines = [
        line('2026-02-01', '8', gone),
        line('2026-02-01', '3', { resourceId: 'never-known', lineId: 'never' }),
      ];
      const day = daysFrom('2026-02-01', 1);
      await tenant.run(day);
      expect(await reconciled(tenant, day)).toMatchObject({
        billed: '11.0000',
        allocated: '3.0000',
        retained: '8.0000',
      });
      expect((await tenant.run(day)).datesCalculated).toBe(0);
    } finally {
      await tenant.dispose();
    }
  });
});
