import { setTimeout } from 'node:timers/promises';
import {
  type BillingLineItem,
  ChargebackError,
  daysOf,
  isoDateOf,
  makeProblem,
  type UsageDay,
} from '@chargeback/plugin-api';
import { runTenant } from '../src/index.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daysFrom, identity, line, TestTenant, usageDay } from './support.ts';
import { VirtualTime } from './virtual-time.ts';
import { tenantWideRoute, usageRoute, world } from './worlds.ts';

const linesOf = (dates: readonly string[]): BillingLineItem[] => dates.map((date) => line(date, '30'));
const whole = (date: string): UsageDay => usageDay(date, { zoe: 1 });
const partly = (date: string): UsageDay => ({
  ...usageDay(date, { zoe: 1 }, { samplesSeen: 20, samplesExpected: 24 }),
  problems: [makeProblem('CB_METRICS_PARTIAL', `${date}: not all of it`, { date, path: 'bytes' })],
});

describe('days that are asked for more than once in a run', () => {
  const window = daysFrom('2026-02-01', 4);
  const dates = daysOf(window);
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ routes: [tenantWideRoute('COMPUTE'), usageRoute('NETWORK')] }));
    tenant.world.lines = linesOf(dates);
    tenant.world.usage = dates.map(partly);
    await tenant.run(window);
    expect(await told()).toEqual(dates.map((date) => `CB_METRICS_PARTIAL ${date}`));
    tenant.world.usage = dates.map(whole);
  });
  afterEach(() => tenant.dispose());

  const told = () =>
    tenant.withStore(async (store) => {
      const problems = await store.problems(window);
      return problems.map(({ code, date }) => `${code} ${date}`);
    });

  it('lose what was told of usage that is whole now, also where the bill came only day by day', async () => {
    tenant.world.beforeBilling = (billed) => {
      if (daysOf(billed).length > 1) throw new Error('too many days');
    };
    await tenant.run(window);
    expect(await told()).toEqual([]);
  });

  it('lose it also where the bill of many days took too long', async () => {
    const time = new VirtualTime();
    tenant.limits = { ...tenant.limits, timeoutSeconds: 60 };
    let days = 0;
    tenant.world.beforeBilling = (billed) => {
      days = daysOf(billed).length;
    };
    tenant.world.waitBeforeBilling = async (signal) => {
      if (days > 1) await time.sleep(600_000, signal);
    };
    const run = await tenant.run(window, time.options);
    expect(run).toMatchObject({ datesGathered: 4 });
    expect(await told()).toEqual([]);
  });
});

describe('usage that is asked for again with fewer days, as it is not whole', () => {
  it('is told of once', async () => {
    const window = daysFrom('2026-02-01', 4);
    const tenant = await TestTenant.create(world());
    try {
      tenant.world.lines = linesOf(daysOf(window));
      tenant.world.usage = daysOf(window).map(partly);
      tenant.limits = { ...tenant.limits, timeoutSeconds: 60 };
      const time = new VirtualTime();
      let days = 0;
      tenant.world.beforeBilling = (billed) => {
        days = daysOf(billed).length;
      };
      tenant.world.waitBeforeBilling = async (signal) => {
        if (days > 1) await time.sleep(600_000, signal);
      };
      const { problems } = await tenant.run(window, time.options);
      const partial = problems.filter(({ code }) => code === 'CB_METRICS_PARTIAL');
      expect(partial.map(({ date }) => date)).toEqual(daysOf(window));
    } finally {
      await tenant.dispose();
    }
  });
});

describe('what is told of days that a run stored before it was cut off', () => {
  const window = daysFrom('2026-02-01', 4);
  const dates = daysOf(window);
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ routes: [tenantWideRoute('COMPUTE'), usageRoute('NETWORK')] }));
    tenant.world.regather = 'until_complete';
    tenant.world.lines = linesOf(dates);
  });
  afterEach(() => tenant.dispose());

  const runUntil = async (name: string): Promise<void> => {
    const stop = new AbortController();
    tenant.world.describe = (seen) => {
      if (seen === name) stop.abort();
      return identity(seen);
    };
    expect(await tenant.run(window, { signal: stop.signal })).toMatchObject({ status: 'interrupted' });
    delete tenant.world.describe;
  };
  const told = () =>
    tenant.withStore(async (store) => (await store.problems(window)).map(({ message }) => message));

  it('is not forgotten, although the days are whole and never asked for again', async () => {
    tenant.world.usage = dates.map((date, index) => ({
      ...usageDay(date, { [`person-${index}`]: 1 }),
      problems: [makeProblem('CB_METRICS_LABEL', `${date}: no label`, { date, path: 'bytes' })],
    }));
    await runUntil('person-2');
    tenant.world.beforeBilling = ({ start }) => expect(isoDateOf(start)).toBe(dates[3]);
    await tenant.run(window);
    expect(await told()).toEqual(dates.map((date) => `${date}: no label`));
  });

  it('is not what was told of what they had before', async () => {
    tenant.world.usage = dates.map(partly);
    await tenant.run(window);
    expect(await told()).toEqual(expect.arrayContaining(dates.map((date) => `${date}: not all of it`)));
    tenant.world.usage = dates.map((date, index) => usageDay(date, { [`person-${index}`]: 1 }));
    await runUntil('person-2');
    await tenant.run(window);
    expect(await told()).toEqual([]);
  });
});

describe('names that are seen on earlier days than before', () => {
  it('are described as the settings say now, so that the days do not change once more', async () => {
    const tenant = await TestTenant.create(
      world({ routes: [tenantWideRoute('COMPUTE'), usageRoute('NETWORK')] }),
    );
    try {
      const [earlier, later] = [daysFrom('2026-02-01', 3), daysFrom('2026-02-15', 3)];
      const dates = [...daysOf(earlier), ...daysOf(later)];
      tenant.world.lines = linesOf(dates);
      tenant.world.usage = dates.map(whole);
      const ofTeam = (team: string) => (name: string) => ({ ...identity(name), metadata: { team } });
      tenant.world.describe = ofTeam('one');
      await tenant.run(later);
      tenant.world.describe = ofTeam('two');
      await tenant.run(earlier);
      expect(await tenant.run(earlier)).toMatchObject({ datesCalculated: 0, datesUnchanged: 3 });
    } finally {
      await tenant.dispose();
    }
  });
});

describe('a source that refuses the first days of a span for ever', () => {
  it('is asked for the days after them', async () => {
    const tenant = await TestTenant.create(world());
    try {
      const window = daysFrom('2026-01-01', 40);
      tenant.world.lines = linesOf(daysOf(window));
      await tenant.run(window);
      tenant.world.gatherKey = 'other settings';
      tenant.world.beforeBilling = ({ start }) => {
        if (isoDateOf(start) < '2026-01-09') throw new Error('too long ago');
      };
      expect(await tenant.run(window)).toMatchObject({ datesGathered: 32 });
    } finally {
      await tenant.dispose();
    }
  });
});

describe('a database that fails while a source is asked that heeds no signal', () => {
  it.each(['saveGatheredDay', 'saveCalculatedDay'] as const)(
    'in %s fails the run all the same, and at once',
    async (write) => {
      const window = daysFrom('2026-02-01', 28);
      const tenant = await TestTenant.create(world({ lines: linesOf(daysOf(window)) }));
      try {
        let asked = 0;
        tenant.world.waitBeforeBilling = () => {
          asked += 1;
          return asked === 1 ? Promise.resolve() : new Promise(() => {});
        };
        const openStore = async () => {
          const store = await tenant.openStore();
          const refuse = () => Promise.reject(new ChargebackError('CB_STORAGE_WRITE', 'disk full'));
          Object.assign(store, { [write]: refuse });
          return store;
        };
        // The grace is 10 s, the lease is renewed after 30.
        const wait = (milliseconds: number, signal: AbortSignal): Promise<void> =>
          setTimeout(milliseconds === 10_000 ? 0 : milliseconds, undefined, { signal });
        const run = await runTenant(
          { ...tenant.definition(), openStore },
          { ...tenant.runOptions(window), wait },
        );
        expect(run).toMatchObject({ status: 'failed', problems: [{ code: 'CB_STORAGE_WRITE' }] });
      } finally {
        await tenant.dispose();
      }
    },
  );
});
