import { setTimeout } from 'node:timers/promises';
import { type ChargebackRow, daysOf } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodeOf, runTenant, runTenants, type TenantRun } from '../src/index.ts';
import { daysFrom, identity, line, resource, TestTenant, usageDay } from './support.ts';
import { evenRoute, reconciled, sharesOf, usageRoute, world } from './worlds.ts';

const DAYS = daysFrom('2026-02-01', 5);
const dates = daysOf(DAYS);

describe('a tenant that runs for years', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ lines: dates.map((date) => line(date, '30')) }));
  });
  afterEach(() => tenant.dispose());

  const state = () => tenant.withStore((store) => store.tenantState());

  it('is run by one process at a time, and the other says so', async () => {
    await tenant.withStore((store) =>
      store.acquireLease({ holder: 'elsewhere', now: new Date('2027-01-01'), seconds: 60 }),
    );
    const run = await tenant.run(DAYS);
    expect(run).toMatchObject({ status: 'failed', datesGathered: 0 });
    expect(run.problems.map(({ code }) => code)).toEqual(['CB_STORAGE_LEASE']);
    expect(tenant.world.billingCalls).toBe(0);
  });

  it('runs again when the lease of a dead process has expired, and gives its own back', async () => {
    await tenant.withStore((store) => store.acquireLease({ holder: 'dead', now: tenant.now, seconds: 60 }));
    expect((await tenant.run(DAYS)).status).toBe('completed');
    expect(await tenant.withStore((store) => store.lease())).toBeNull();
  });

  it('calculates each date once when two processes work at the same time', async () => {
    const twin = tenant.twin();
    const elsewhere: TenantRun[] = [];
    tenant.world.waitBeforeBilling = async () => {
      elsewhere.push(await twin.run(DAYS));
    };
    const own = await tenant.run(DAYS);
    expect(elsewhere).toMatchObject([{ status: 'failed', datesCalculated: 0 }]);
    expect(own).toMatchObject({ status: 'completed', datesCalculated: 5 });
  });

  it('stops a run that takes too long, says so, and leaves its siblings alone', async () => {
    const slow = await TestTenant.create(world({ lines: tenant.world.lines }));
    slow.limits = { ...slow.limits, timeoutSeconds: 1 };
    slow.world.waitBeforeBilling = (signal) => setTimeout(60_000, undefined, { signal });
    const [late, other] = await Promise.all([slow.run(DAYS), tenant.run(DAYS)]);
    expect(late.status).toBe('timed_out');
    const codes = new Set<string>(late.problems.map(({ code }) => code));
    expect(codes).toEqual(new Set(['CB_BILLING_GATHER', 'CB_RUN_TIMEOUT']));
    expect(other.status).toBe('completed');
    const [record] = await slow.withStore((store) => store.runs(1));
    expect([record?.status, record?.endedAt]).toEqual(['timed_out', slow.now]);
    expect(await slow.withStore((store) => store.lease())).toBeNull();
    await slow.dispose();
  });

  it.each([
    ['a day forward', 1],
    ['a day back', -1],
  ])('comes to the same when the clock jumps %s in the middle of a run', async (_what, direction) => {
    const undisturbed = await TestTenant.create({ ...tenant.world });
    await undisturbed.run(DAYS);
    const expected = await undisturbed.withStore((store) => store.dateStates(DAYS));
    await undisturbed.dispose();
    tenant.world.beforeBilling = () => {
      tenant.now = new Date(tenant.now.getTime() + direction * 86_400_000);
    };
    expect((await tenant.run(DAYS)).status).toBe('completed');
    expect((await tenant.run(DAYS)).datesCalculated).toBe(0);
    const states = await tenant.withStore((store) => store.dateStates(DAYS));
    expect(states.map(({ calculationId }) => calculationId)).toEqual(
      expected.map(({ calculationId }) => calculationId),
    );
    expect(await tenant.withStore((store) => store.lease())).toBeNull();
  });

  it('is suspended after too many gathers that brought nothing, and comes back when resumed', async () => {
    tenant.limits = { ...tenant.limits, gatherFailureThreshold: 2 };
    tenant.world.beforeBilling = () => {
      throw new Error('the source is gone');
    };
    expect((await tenant.run(DAYS)).status).toBe('failed');
    const second = await tenant.run(DAYS);
    expect(second.problems.map(({ code }) => code)).toContain('CB_RUN_SUSPENDED');
    expect((await state()).suspendedBecause).toContain('the source is gone');
    delete tenant.world.beforeBilling;
    const third = await tenant.run(DAYS);
    expect([third.status, exitCodeOf([third])]).toEqual(['suspended', 1]);
    await tenant.withStore((store) => store.saveTenantState({ suspendedAt: null, gatherFailures: 0 }));
    expect((await tenant.run(DAYS)).status).toBe('completed');
    expect(await state()).toMatchObject({ gatherFailures: 0, suspendedAt: null });
  });

  it('comes back by itself after a while where that is switched on', async () => {
    tenant.limits = { ...tenant.limits, gatherFailureThreshold: 1, resumeAfterSeconds: 3 * 86_400 };
    tenant.world.beforeBilling = () => {
      throw new Error('the source is gone');
    };
    await tenant.run(DAYS);
    delete tenant.world.beforeBilling;
    expect((await tenant.run(DAYS)).status).toBe('suspended');
    expect((await tenant.run(DAYS)).status).toBe('suspended');
    expect((await tenant.run(DAYS)).status).toBe('completed');
  });

  it('does not count a gather that brought something as a failure, nor a source with nothing to tell', async () => {
    tenant.world.beforeBilling = (window) => {
      if (daysOf(window).includes('2026-02-03')) throw new Error('one bad day');
    };
    await tenant.run(DAYS);
    expect((await state()).gatherFailures).toBe(0);
    tenant.world.lines = [];
    delete tenant.world.beforeBilling;
    await tenant.run(DAYS);
    expect((await state()).gatherFailures).toBe(0);
  });

  it('counts only tries after a back-off, however often somebody runs it', async () => {
    tenant.minutesBetweenRuns = 1;
    tenant.world.lines = [line('2026-02-01', '10', { productType: 'NETWORK' })];
    tenant.world.usage = [usageDay('2026-02-01', { a: 1 }, { samplesSeen: 3, samplesExpected: 24 })];
    for (let runs = 0; runs < 12; runs += 1) {
      const run = await tenant.run(DAYS);
      expect([run.datesHeld, exitCodeOf([run])]).toEqual([1, 1]);
    }
    tenant.minutesBetweenRuns = 24 * 60 + 1;
    expect((await tenant.run(DAYS)).datesHeld).toBe(1);
    expect((await tenant.run(DAYS)).datesHeld).toBe(0);
    expect(await sharesOf(tenant, DAYS)).toEqual({ a: '10.0000' });
  });

  it('asks a source that restates for its bill again, but not for usage that is whole', async () => {
    tenant.world.lines = dates.map((date) => line(date, '10', { productType: 'NETWORK' }));
    tenant.world.usage = dates.map((date) => usageDay(date, { a: 1 }));
    await tenant.run(DAYS);
    expect(tenant.world.usageAsked).toEqual(dates);
    tenant.world.usageAsked = [];
    tenant.world.lines[2] = line('2026-02-03', '20', { productType: 'NETWORK' });
    const again = await tenant.run(DAYS);
    expect(tenant.world.usageAsked).toEqual([]);
    expect([again.datesGathered, again.datesCalculated, again.datesUnchanged]).toEqual([5, 1, 4]);
  });

  it('leaves a restating source alone until min_refresh_gap_seconds are over', async () => {
    tenant.settings = { ...tenant.settings, min_refresh_gap_seconds: 1800 };
    tenant.world.routes = [evenRoute('COMPUTE', ['team-a'])];
    tenant.minutesBetweenRuns = 20;
    await tenant.run(DAYS);
    tenant.world.lines[0] = line('2026-02-01', '99');
    expect((await tenant.run(DAYS)).datesGathered).toBe(0);
    expect((await tenant.run(DAYS)).datesGathered).toBe(5);
    expect(await reconciled(tenant, DAYS)).toMatchObject({ billed: '219.0000', allocated: '219.0000' });
  });

  it('records what a restated date came to before and after, and why', async () => {
    await tenant.run(DAYS);
    tenant.world.lines[1] = line('2026-02-02', '12');
    const { runId } = await tenant.run(DAYS);
    const revisions = await tenant.withStore((store) => store.revisions(DAYS));
    expect(revisions).toMatchObject([
      {
        date: '2026-02-02',
        runId,
        reason: 'changed: bill or usage',
        before: { billed: 3_000_000_000n },
        after: { billed: 1_200_000_000n },
      },
    ]);
    tenant.settings = { ...tenant.settings, allocator_params: { any: 1 } };
    tenant.world.resources = [resource('cluster-1', { deletedAt: new Date('2026-02-05T12:00:00Z') })];
    await tenant.run(DAYS);
    const [latest] = await tenant.withStore((store) => store.revisions(DAYS));
    expect(latest).toMatchObject({ date: '2026-02-05', reason: 'changed: inventory, settings' });
  });

  it('calculates days anew on request and changes nothing that is right', async () => {
    await tenant.run(DAYS);
    const before = await tenant.withStore((store) => store.dateStates(DAYS));
    const run = await tenant.run(daysFrom('2026-02-02', 2), { recalculate: true });
    expect(run).toMatchObject({ status: 'completed', periodsEmitted: 0 });
    const after = await tenant.withStore((store) => store.dateStates(DAYS));
    expect(after.map(({ calculationId }) => calculationId)).toEqual(
      before.map(({ calculationId }) => calculationId),
    );
    expect(await tenant.withStore((store) => store.revisions(DAYS))).toEqual([]);
  });

  it('ends what a listing no longer names, from then on and not before, and begins it again', async () => {
    tenant.now = new Date('2026-02-03T12:00:00Z');
    tenant.minutesBetweenRuns = 0;
    const shared = { ...usageRoute('COMPUTE'), usage: [] };
    tenant.world.routes = [shared];
    tenant.world.identities = [identity('a'), identity('b')];
    await tenant.run(daysFrom('2026-02-01', 2));
    tenant.world.identities = [identity('a')];
    tenant.now = new Date('2026-02-04T00:00:00Z');
    await tenant.run(daysFrom('2026-02-01', 3));
    tenant.world.identities = [identity('a'), identity('b')];
    tenant.now = new Date('2026-02-05T00:00:00Z');
    await tenant.run(DAYS);
    const shareOn = async (date: string) => Object.keys(await sharesOf(tenant, daysFrom(date, 1))).toSorted();
    expect(await shareOn('2026-02-02')).toEqual(['a', 'b']);
    expect(await shareOn('2026-02-03')).toEqual(['a', 'b']);
    expect(await shareOn('2026-02-04')).toEqual(['a']);
    expect(await shareOn('2026-02-05')).toEqual(['a', 'b']);
  });

  it('does not believe an empty listing at once, and says that it does not', async () => {
    tenant.world.identities = [identity('a')];
    await tenant.run(DAYS);
    tenant.world.identities = [];
    const run = await tenant.run(DAYS);
    expect(run.problems.map(({ code }) => code)).toEqual(['CB_INVENTORY_EMPTY']);
    expect(exitCodeOf([run])).toBe(0);
    const known = await tenant.withStore((store) => store.identities(['a']));
    expect(known.get('a')?.deletedAt).toBeNull();
  });

  it.each([1, -1])(
    'ends in the same rows when the clock jumps by %i days in the middle of a run',
    async (jump) => {
      const days = daysFrom('2026-01-01', 40);
      const lines = daysOf(days).map((date) => line(date, '30'));
      const steady = await TestTenant.create(world({ lines }));
      await steady.run(days);
      tenant.world.lines = lines;
      tenant.world.beforeBilling = () => {
        tenant.now = new Date(tenant.now.getTime() + jump * 86_400_000);
      };
      expect((await tenant.run(days)).status).toBe('completed');
      const rowsOf = (one: TestTenant) =>
        one.withStore(async (store) => {
          const rows: ChargebackRow[] = [];
          for await (const chunk of store.rows(days, null)) rows.push(...chunk);
          return rows;
        });
      expect(await rowsOf(tenant)).toEqual(await rowsOf(steady));
      expect(await tenant.run(days)).toMatchObject({ status: 'completed', datesCalculated: 0 });
      await steady.dispose();
    },
  );

  it('does not empty a database at once because a clock is wrong', async () => {
    tenant.minutesBetweenRuns = 0;
    const window = daysFrom('2026-02-01', 20);
    tenant.world.lines = daysOf(window).map((date) => line(date, '1'));
    tenant.now = new Date('2026-02-21T09:00:00Z');
    await tenant.run(window);
    tenant.now = new Date('2036-02-21T09:00:00Z');
    const wrong = await tenant.run(daysFrom('2036-02-01', 20));
    expect(wrong.daysPruned).toBe(7);
    tenant.now = new Date('2026-02-21T10:00:00Z');
    await tenant.run(window);
    expect(await reconciled(tenant, window)).toMatchObject({ billed: '20.0000', difference: '0.0000' });
  });

  it('removes what is older than retention_days, and neither fetches nor emits it again', async () => {
    tenant.minutesBetweenRuns = 0;
    tenant.now = new Date('2026-02-06T09:00:00Z');
    await tenant.run(DAYS);
    tenant.limits = { ...tenant.limits, retentionDays: 3 };
    const run = await tenant.run(DAYS);
    expect(run).toMatchObject({ daysPruned: 2, datesGathered: 3 });
    expect(run.problems.map(({ code }) => code)).toEqual(['CB_RUN_RETENTION']);
    const again = await tenant.run(DAYS);
    expect(again).toMatchObject({ daysPruned: 0, datesCalculated: 0 });
    expect(await tenant.withStore((store) => store.firstDate())).toBe('2026-02-03');
    expect(await reconciled(tenant, DAYS)).toMatchObject({ billed: '90.0000', difference: '0.0000' });
  });
});

describe('several tenants', () => {
  it('do not notice one whose database is broken, and its run says what is wrong', async () => {
    const good = await TestTenant.create(world({ lines: [line('2026-02-01', '3')] }));
    const broken = await TestTenant.create(world());
    await broken.breakDatabase();
    const runs = await runTenants([broken.definition(), good.definition()], {
      ...good.runOptions(DAYS),
      maxParallelTenants: 2,
      windowOf: () => DAYS,
      host: () => good.runOptions(DAYS).host,
    });
    expect(runs.map(({ status }) => status)).toEqual(['failed', 'completed']);
    expect(runs[0]?.problems.map(({ code }) => code)).toEqual(['CB_STORAGE_OPEN']);
    await Promise.all([good.dispose(), broken.dispose()]);
  });

  it('whose plugin ignores that it was told to stop do not hold up the process for ever', async () => {
    const stubborn = await TestTenant.create(world({ lines: [line('2026-02-01', '3')] }));
    stubborn.limits = { ...stubborn.limits, timeoutSeconds: 1 };
    stubborn.world.waitBeforeBilling = () => new Promise<void>(() => {});
    const options = stubborn.runOptions(DAYS);
    const quick = (milliseconds: number, signal: AbortSignal) =>
      options.wait(Math.min(milliseconds, 300), signal);
    const run = await runTenant(stubborn.definition(), { ...options, wait: quick });
    expect(run.status).toBe('timed_out');
    await stubborn.dispose();
  });
});
