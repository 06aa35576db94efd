import { setTimeout } from 'node:timers/promises';
import { daysOf, makeProblem, type Window } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runTenant, runTenants } from '../src/index.ts';
import { daysFrom, identity, line, TestTenant, usageDay } from './support.ts';
import { VirtualTime } from './virtual-time.ts';
import { bytes, evenRoute, reconciled, sharesOf, usageRoute, world } from './worlds.ts';

const HUNDRED_DAYS = daysFrom('2026-01-01', 100);
const dates = daysOf(HUNDRED_DAYS);

describe('a gather that takes longer than the time limit', () => {
  let tenant: TestTenant;
  /** First days of the windows that were asked for in a run. */
  let asked: string[];

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ lines: dates.map((date) => line(date, '30')) }));
    tenant.now = new Date('2026-05-01T00:00:00Z');
    tenant.limits = { ...tenant.limits, timeoutSeconds: 3600 };
  });
  afterEach(() => tenant.dispose());

  /** A run whose gathering is over after it was asked for so many windows. */
  const runFor = async (windows: number) => {
    asked = [];
    const over = new AbortController();
    let left = windows;
    tenant.world.beforeBilling = ({ start }) => {
      asked.push(start.toISOString().slice(0, 10));
      left -= 1;
    };
    tenant.world.waitBeforeBilling = async (signal) => {
      if (left >= 0) return;
      over.abort();
      await setTimeout(60_000, undefined, { signal });
    };
    const wait = (milliseconds: number, signal: AbortSignal): Promise<void> =>
      milliseconds === 2_700_000
        ? new Promise((resolve, reject) => {
            over.signal.addEventListener('abort', () => resolve(), { once: true });
            signal.addEventListener('abort', () => reject(new Error('ended')), { once: true });
          })
        : setTimeout(milliseconds, undefined, { signal });
    return tenant.run(HUNDRED_DAYS, { wait });
  };

  it('leaves time to calculate what it stored, says so, and goes on in the next run', async () => {
    const first = await runFor(1);
    expect(first).toMatchObject({ status: 'timed_out', datesGathered: 7, datesCalculated: 7 });
    expect(first.problems).toMatchObject([{ code: 'CB_RUN_TIMEOUT', severity: 'error' }]);
    await runFor(3);
    expect(asked.slice(0, 3)).toEqual(['2026-01-08', '2026-01-09', '2026-01-11']);
    const last = await runFor(12);
    expect(last.status).toBe('completed');
    expect(await reconciled(tenant, daysFrom('2026-03-01', 31))).toMatchObject({ allocated: '930.0000' });
  });

  it('of a bill that is asked for again and again comes to every day in turn', async () => {
    await runFor(9);
    const turns: string[] = [];
    for (let runs = 0; runs < 5; runs += 1) {
      await runFor(1);
      turns.push(asked[0]!);
    }
    expect(turns).toEqual(['2026-01-01', '2026-02-01', '2026-02-02', '2026-02-03', '2026-02-04']);
  });
});

describe('a source that is slow or hangs', () => {
  const window = daysFrom('2026-01-01', 62);
  let tenant: TestTenant;
  let asked: Window;
  let time: VirtualTime;

  /** Waits longer than any run may: for what never answers. */
  const never = (signal: AbortSignal) => time.sleep(600_000, signal);
  const run = (days: Window) => tenant.run(days, time.options);

  beforeEach(async () => {
    time = new VirtualTime();
    tenant = await TestTenant.create(world({ lines: daysOf(window).map((date) => line(date, '3')) }));
    tenant.limits = { ...tenant.limits, timeoutSeconds: 4 };
    tenant.world.beforeBilling = (billed) => {
      asked = billed;
    };
  });
  afterEach(() => tenant.dispose());

  it('is asked for fewer days at a time, so that every run brings some and none is the last', async () => {
    tenant.world.regather = 'until_complete';
    tenant.world.routes = [evenRoute('COMPUTE', ['team-a'])];
    tenant.world.waitBeforeBilling = (signal) => time.sleep(60 * daysOf(asked).length, signal);
    const stored = () => tenant.withStore(async (store) => (await store.dateStates(window)).length);
    for (let runs = 0, before = 0; before < 62; runs += 1) {
      const result = await run(window);
      const now = await stored();
      expect(now).toBeGreaterThan(before);
      expect([now - before, result.datesCalculated]).toEqual([result.datesGathered, result.datesGathered]);
      expect(runs).toBeLessThan(10);
      before = now;
    }
    expect((await run(window)).status).toBe('completed');
  });

  it('costs the day that it hangs for, and none that comes after', async () => {
    tenant.limits = { ...tenant.limits, timeoutSeconds: 2 };
    tenant.world.waitBeforeBilling = async (signal) => {
      if (daysOf(asked).includes('2026-01-10')) await never(signal);
    };
    const result = await run(daysFrom('2026-01-01', 12));
    expect(result.datesGathered).toBe(11);
    expect(result.problems).toMatchObject([{ code: 'CB_RUN_TIMEOUT', date: '2026-01-10' }]);
    const { gatherFailures } = await tenant.withStore((store) => store.tenantState());
    expect(gatherFailures).toBe(0);
  });

  it('for many days costs those days, and in the end none that comes after them', async () => {
    tenant.limits = { ...tenant.limits, timeoutSeconds: 1 };
    tenant.world.regather = 'until_complete';
    tenant.world.routes = [evenRoute('COMPUTE', ['team-a'])];
    tenant.world.waitBeforeBilling = async (signal) => {
      if (daysOf(asked).some((date) => date <= '2026-01-04')) await never(signal);
    };
    const days = daysFrom('2026-01-01', 9);
    const calculated = () =>
      tenant.withStore(async (store) => (await store.dateStates(days)).map(({ date }) => date));
    for (let runs = 0; runs < 6 && (await calculated()).length < 5; runs += 1) await run(days);
    expect(await calculated()).toEqual(daysOf(daysFrom('2026-01-05', 5)));
  });

  it('whose bill comes too late says what it said of the usage that it has stored, and goes on saying so', async () => {
    const warning = makeProblem('CB_METRICS_LABEL', 'bytes: 3 series name nobody', { path: 'bytes' });
    const days = daysFrom('2026-01-01', 4);
    tenant.world.usage = daysOf(days).map((date) => ({
      ...usageDay(date, { a: 1 }),
      problems: [{ ...warning, date }],
    }));
    tenant.limits = { ...tenant.limits, timeoutSeconds: 2 };
    tenant.world.waitBeforeBilling = async (signal) => {
      if (daysOf(asked).length > 1) await never(signal);
    };
    const told = () =>
      tenant.withStore(async (store) =>
        (await store.problems(days))
          .filter(({ code }) => code === 'CB_METRICS_LABEL')
          .map(({ date }) => date),
      );
    await run(days);
    expect(await told()).toEqual(daysOf(days));
    delete tenant.world.waitBeforeBilling;
    expect((await run(days)).datesGathered).toBe(4);
    expect(await told()).toEqual(daysOf(days));
  });

  it('with its listings costs the listings, and no day', async () => {
    tenant.limits = { ...tenant.limits, timeoutSeconds: 2 };
    tenant.world.waitBeforeListing = never;
    const result = await run(daysFrom('2026-01-01', 3));
    expect(result).toMatchObject({ datesGathered: 3, datesCalculated: 3 });
    expect(result.problems).toMatchObject([{ code: 'CB_INVENTORY_GATHER', severity: 'error', date: null }]);
  });

  it('keeps what was learnt of days that could not be had: usage, and what went wrong', async () => {
    tenant.limits = { ...tenant.limits, timeoutSeconds: 2 };
    tenant.world.usage = [usageDay('2026-01-08', { a: 1 })];
    tenant.world.waitBeforeBilling = async (signal) => {
      const days = daysOf(asked);
      if (days.includes('2026-01-02')) throw new Error('refused');
      if (days.some((date) => date > '2026-01-06')) await never(signal);
    };
    const days = daysFrom('2026-01-01', 9);
    const result = await run(days);
    expect(result).toMatchObject({ status: 'timed_out', datesGathered: 5, datesCalculated: 5 });
    const messages = await tenant.withStore(async (store) =>
      (await store.problems(days)).map(({ message }) => message).join('\n'),
    );
    expect(messages).toMatch(/gathering stopped after 5 of 9 days/);
    expect(messages).toMatch(/2026-01-07: the source did not answer in time/);
    expect(messages).toMatch(/2026-01-02: refused/);
    const { size } = await tenant.withStore((store) => store.usageCoverage('2026-01-08'));
    expect(size).toBe(1);
  });
});

describe('days and the runs that they are gathered in', () => {
  it('do not change who was there when days of an outage heal after newer ones came', async () => {
    const [five, six] = [daysFrom('2026-02-01', 5), daysFrom('2026-02-01', 6)];
    const seen = (date: string) => usageDay(date, date > '2026-02-02' ? { alice: 1, zoe: 1 } : { alice: 1 });
    const shares: Record<string, string>[] = [];
    for (const outage of [false, true]) {
      const tenant = await TestTenant.create(
        world({
          regather: 'until_complete',
          routes: [usageRoute('NETWORK'), evenRoute('COMPUTE', [])],
          identities: [identity('alice')],
          lines: daysOf(six).map((date) => line(date, '30')),
        }),
      );
      const whole = daysOf(six).map(seen);
      const dark = new Set(outage ? ['2026-02-03', '2026-02-04', '2026-02-05'] : []);
      tenant.world.usage = whole.map((day) =>
        dark.has(day.date) ? usageDay(day.date, {}, { samplesSeen: 0, samplesExpected: 24 }) : day,
      );
      await tenant.run(five);
      tenant.world.usage = whole;
      await tenant.run(six);
      shares.push(await sharesOf(tenant, six));
      await tenant.dispose();
    }
    expect(shares[0]).toEqual({ alice: '120.0000', zoe: '60.0000' });
    expect(shares[1]).toEqual(shares[0]);
  });

  it('do not change who was there when a name is seen again after its listed end', async () => {
    const window = daysFrom('2026-02-01', 5);
    const shares: Record<string, string>[] = [];
    for (const runs of [[window], daysOf(window).map((date) => daysFrom(date, 1))]) {
      const tenant = await TestTenant.create(
        world({
          regather: 'until_complete',
          routes: [{ ...usageRoute('NETWORK') }, evenRoute('COMPUTE', [])],
          identities: [
            identity('alice'),
            { ...identity('gone'), deletedAt: new Date('2026-02-03T00:00:00Z') },
          ],
          lines: daysOf(window).map((date) => line(date, '30')),
          usage: daysOf(window).map((date) => usageDay(date, { gone: 1 })),
        }),
      );
      for (const days of runs) await tenant.run(days);
      shares.push(await sharesOf(tenant, daysFrom('2026-02-05', 1)));
      await tenant.dispose();
    }
    expect(shares[0]).toEqual({ alice: '15.0000', gone: '15.0000' });
    expect(shares[1]).toEqual(shares[0]);
  });
});

describe('usage of a day whose bill cannot be had', () => {
  const window = daysFrom('2026-02-01', 3);
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(
      world({
        routes: [usageRoute('COMPUTE')],
        lines: daysOf(window).map((date) => line(date, '30')),
        usage: daysOf(window).map((date) => usageDay(date, { a: 2, b: 1 })),
      }),
    );
  });
  afterEach(() => tenant.dispose());

  it.each(['fails', 'is not whole'] as const)(
    'is kept when the bill %s, for the source that has forgotten it when the bill comes',
    async (how) => {
      if (how === 'fails') {
        tenant.world.beforeBilling = () => {
          throw new Error('the vendor is down');
        };
      } else tenant.world.rawBatches = [];
      expect((await tenant.run(window)).datesGathered).toBe(0);
      expect(await tenant.withStore((store) => store.firstDate())).toBeNull();
      delete tenant.world.beforeBilling;
      delete tenant.world.rawBatches;
      tenant.world.usage = [];
      tenant.world.usageAsked = [];
      const run = await tenant.run(window);
      expect(run).toMatchObject({ status: 'completed', datesCalculated: 3 });
      expect(tenant.world.usageAsked).toEqual([]);
      expect(await sharesOf(tenant, window)).toEqual({ a: '60.0000', b: '30.0000' });
    },
  );

  it('does not go into a bill that was stored under other settings, which stand again afterwards', async () => {
    tenant.world.regather = 'until_complete';
    await tenant.run(window);
    const before = await sharesOf(tenant, window);
    const routes = tenant.world.routes;
    tenant.world.gatherKey = 'settings-2';
    tenant.world.routes = [usageRoute('COMPUTE', { ...bytes, expression: () => 'other' })];
    tenant.world.usage = daysOf(window).map((date) => usageDay(date, { c: 1 }));
    tenant.world.beforeBilling = () => {
      throw new Error('the vendor is down');
    };
    expect((await tenant.run(window)).status).toBe('failed');
    tenant.world.gatherKey = 'settings-1';
    tenant.world.routes = routes;
    expect((await tenant.run(window)).status).toBe('completed');
    expect(await sharesOf(tenant, window)).toEqual(before);
  });

  it('goes into the bill that is stored, which stays', async () => {
    tenant.world.usage = [];
    await tenant.run(window);
    expect(await reconciled(tenant, window)).toMatchObject({ held: '90.0000' });
    tenant.world.usage = daysOf(window).map((date) => usageDay(date, { a: 2, b: 1 }));
    tenant.world.beforeBilling = () => {
      throw new Error('the vendor is down');
    };
    expect((await tenant.run(window)).status).toBe('failed');
    expect(await reconciled(tenant, window)).toMatchObject({ billed: '90.0000', held: '0.0000' });
    expect(await sharesOf(tenant, window)).toEqual({ a: '60.0000', b: '30.0000' });
  });

  it('is removed with the days that retention removes', async () => {
    tenant.world.rawBatches = [];
    tenant.now = new Date('2026-02-04T00:00:00Z');
    await tenant.run(window);
    await tenant.withStore(async (store) => {
      expect((await store.loadUsage('2026-02-01')).size).toBe(1);
      while (await store.pruneOldestDay('2026-02-03'));
      const left = await Promise.all(daysOf(window).map(async (date) => (await store.loadUsage(date)).size));
      expect(left).toEqual([0, 0, 1]);
    });
  });
});

describe('what was settled', () => {
  it('with the usage there was stays settled when somebody calculates it again', async () => {
    const window = daysFrom('2026-02-01', 1);
    const tenant = await TestTenant.create(
      world({
        routes: [usageRoute('COMPUTE')],
        lines: [line('2026-02-01', '30')],
        usage: [usageDay('2026-02-01', { a: 2 }, { samplesSeen: 20, samplesExpected: 24 })],
      }),
    );
    for (let runs = 0; runs < tenant.limits.allocationRetryLimit; runs += 1) await tenant.run(window);
    expect(await reconciled(tenant, window)).toMatchObject({ held: '0.0000', allocated: '30.0000' });
    await tenant.run(window, { recalculate: true });
    expect(await reconciled(tenant, window)).toMatchObject({ held: '0.0000', allocated: '30.0000' });
    await tenant.dispose();
  });

  it('after it was held is on record as a revision', async () => {
    const window = daysFrom('2026-02-01', 1);
    const tenant = await TestTenant.create(
      world({ routes: [usageRoute('COMPUTE')], lines: [line('2026-02-01', '30')] }),
    );
    await tenant.run(window);
    tenant.world.usage = [usageDay('2026-02-01', { a: 2 })];
    await tenant.run(window);
    expect(await tenant.withStore((store) => store.revisions(window))).toMatchObject([
      { before: { billed: 3_000_000_000n, allocated: 0n }, after: { allocated: 3_000_000_000n } },
    ]);
    await tenant.dispose();
  });
});

describe('a process that is told to stop', () => {
  it('does not begin tenants that have not begun, and does not wait for them', async () => {
    const stop = new AbortController();
    const first = await TestTenant.create(world({ lines: [line('2026-02-01', '3')] }));
    const second = await TestTenant.create(world({ lines: [line('2026-02-01', '3')] }));
    first.world.waitBeforeBilling = () => {
      stop.abort();
      return Promise.resolve();
    };
    second.world.waitBeforeBilling = () => new Promise<void>(() => {});
    const window = daysFrom('2026-02-01', 1);
    const runs = await runTenants([first.definition(), second.definition()], {
      ...first.runOptions(window),
      signal: stop.signal,
      maxParallelTenants: 1,
      windowOf: () => window,
      host: () => first.runOptions(window).host,
    });
    expect(runs.map(({ status }) => status)).toEqual(['interrupted', 'interrupted']);
    expect(second.world.billingCalls).toBe(0);
    await Promise.all([first.dispose(), second.dispose()]);
  });

  it('leaves code behind that does not heed it, also when that begins after it was told', async () => {
    const stop = new AbortController();
    const tenant = await TestTenant.create(world({ lines: [line('2026-02-01', '3')] }));
    const options = tenant.runOptions(daysFrom('2026-02-01', 1));
    const openStore = () => {
      stop.abort();
      return tenant.openStore();
    };
    const definition = tenant.definition();
    const stubborn = { ...definition.plugin, create: () => new Promise<never>(() => {}) };
    const run = await runTenant(
      { ...definition, plugin: stubborn, openStore },
      {
        ...options,
        signal: stop.signal,
        wait: (milliseconds, signal) => options.wait(Math.min(milliseconds, 100), signal),
      },
    );
    expect(run.status).toBe('interrupted');
    await tenant.dispose();
  });
});
