import { daysOf, isoDateOf } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { daysFrom, line, TestTenant, usageDay } from './support.ts';
import { sharesOf, tenantWideRoute, usageRoute, world } from './worlds.ts';

const MONTH = daysFrom('2026-02-01', 28);
const dates = daysOf(MONTH);

describe('days that are calculated while others are gathered', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ routes: [tenantWideRoute('COMPUTE'), usageRoute('NETWORK')] }));
    tenant.world.lines = dates.map((date) => line(date, '30'));
    tenant.world.usage = dates.map((date) => usageDay(date, { zoe: 1 }));
  });
  afterEach(() => tenant.dispose());

  const states = () => tenant.withStore((store) => store.dateStates(MONTH));
  const calculated = async () =>
    (await states()).filter(({ state }) => state === 'calculated').map(({ date }) => date);

  it('have their rows before the source has answered for the next ones', async () => {
    const asked: string[] = [];
    tenant.world.beforeBilling = ({ start }) => void asked.push(isoDateOf(start));
    tenant.world.waitBeforeBilling = async () => {
      const before = dates.filter((date) => date < asked.at(-1)!);
      await vi.waitFor(async () => expect(await calculated()).toEqual(before), { timeout: 20_000 });
    };
    const run = await tenant.run(MONTH);
    expect(asked).toEqual(['2026-02-01', '2026-02-08', '2026-02-22']);
    expect(run).toMatchObject({
      status: 'completed',
      datesGathered: 28,
      datesCalculated: 28,
      rowsWritten: 28,
    });
    delete tenant.world.waitBeforeBilling;
    expect((await tenant.run(MONTH)).datesCalculated).toBe(0);
  });

  it('are calculated before the rest of what they were asked for with is stored', async () => {
    const stop = new AbortController();
    const route = tenantWideRoute('COMPUTE');
    tenant.world.routes = [
      {
        ...route,
        allocate(context) {
          stop.abort();
          return route.allocate(context);
        },
      },
    ];
    const run = await tenant.run(daysFrom('2026-02-01', 7), { signal: stop.signal });
    expect(run.status).toBe('interrupted');
    const stored = (await states()).length;
    expect(stored).toBeGreaterThan(0);
    expect(stored).toBeLessThan(7);
  });

  it('are calculated again in the same run when what comes later changes them, which is no revision', async () => {
    tenant.world.usage = tenant.world.usage.filter(({ date }) => date > '2026-02-02');
    await tenant.run(daysFrom('2026-02-01', 2));
    tenant.world.usage = dates.map((date) => usageDay(date, date < '2026-02-03' ? { alice: 1 } : { zoe: 1 }));
    const asked: string[] = [];
    tenant.world.beforeBilling = ({ start }) => void asked.push(isoDateOf(start));
    const run = await tenant.run(MONTH);
    expect(asked.at(-1)).toBe('2026-02-01');
    expect(run).toMatchObject({ datesGathered: 28, datesCalculated: 28 });
    expect(await sharesOf(tenant, daysFrom('2026-02-03', 26))).toEqual({
      alice: '390.0000',
      zoe: '390.0000',
    });
    const revised = await tenant.withStore((store) => store.revisions(MONTH));
    expect(revised.map(({ date }) => date)).toEqual(['2026-02-02', '2026-02-01']);
  });

  it('are no more than provisional when the run is cut off before it has looked at them again', async () => {
    tenant.world.usage = tenant.world.usage.filter(({ date }) => date > '2026-02-02');
    await tenant.run(daysFrom('2026-02-01', 2));
    tenant.world.usage = dates.map((date) => usageDay(date, date < '2026-02-03' ? { alice: 1 } : { zoe: 1 }));
    const stop = new AbortController();
    tenant.world.beforeBilling = ({ start }) => {
      if (isoDateOf(start) === '2026-02-01') stop.abort();
    };
    expect((await tenant.run(MONTH, { signal: stop.signal })).status).toBe('interrupted');
    expect((await states()).filter(({ provisional }) => provisional).length).toBeGreaterThan(0);
    delete tenant.world.beforeBilling;
    await tenant.run(MONTH);
    expect(await sharesOf(tenant, daysFrom('2026-02-03', 26))).toEqual({
      alice: '390.0000',
      zoe: '390.0000',
    });
    expect((await states()).filter(({ provisional }) => provisional)).toEqual([]);
    const revised = async () =>
      (await tenant.withStore((store) => store.revisions(MONTH))).map(({ date }) => date);
    expect(await revised()).toEqual(['2026-02-02', '2026-02-01']);
    tenant.world.lines = dates.map((date) => line(date, date === '2026-02-20' ? '31' : '30'));
    await tenant.run(MONTH);
    expect(await revised()).toEqual(['2026-02-20', '2026-02-02', '2026-02-01']);
  });

  it('tell of their problems once, and leave to their turn what is held or reaches beyond a day', async () => {
    tenant.world.lines = [
      ...dates.map((date) => line(date, '30', { productType: 'NEW' })),
      line('2026-02-02', '10', { lineId: 'held', productType: 'NETWORK' }),
      line('2026-02-03', '280', { lineId: 'long', granularity: 'monthly' }),
    ];
    tenant.world.usage = tenant.world.usage.filter(({ date }) => date !== '2026-02-02');
    const seen: string[][] = [];
    tenant.world.waitBeforeBilling = async () => void seen.push(await calculated());
    const run = await tenant.run(MONTH);
    expect(seen.flat()).not.toContain('2026-02-02');
    expect(seen.flat()).not.toContain('2026-02-03');
    expect(run).toMatchObject({ datesCalculated: 27, datesHeld: 1 });
    const told = run.problems.map(({ code, date, path }) => JSON.stringify([code, date, path]));
    expect(told.toSorted()).toEqual([...new Set(told)].toSorted());
    const unknown = run.problems.filter(({ code }) => code === 'CB_ALLOCATION_UNKNOWN_PRODUCT');
    expect(unknown.length).toBeGreaterThan(0);
  });

  it('are told of also where the days before them were calculated in vain', async () => {
    const inVain = new Set(dates.slice(0, 3));
    tenant.world.lines = dates.map((date) =>
      line(date, '30', { productType: inVain.has(date) ? 'NETWORK' : 'NEW' }),
    );
    tenant.world.usage = tenant.world.usage.filter(({ date }) => !inVain.has(date));
    const run = await tenant.run(MONTH);
    expect(run).toMatchObject({ datesCalculated: 25, datesHeld: 3, datesUnchanged: 0, rowsWritten: 25 });
    const unknown = run.problems.filter(({ code }) => code === 'CB_ALLOCATION_UNKNOWN_PRODUCT');
    expect(unknown.map(({ date }) => date)).toEqual(dates.slice(3));
  });
});
