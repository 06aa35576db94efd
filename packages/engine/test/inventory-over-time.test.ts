import { chain, directOwner, terminal } from '@chargeback/allocation';
import { daysOf } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daysFrom, identity, line, resource, TestTenant, usageDay } from './support.ts';
import { sharesOf, tenantWideRoute, usageRoute, world } from './worlds.ts';

const FEBRUARY = daysFrom('2026-02-01', 28);

describe('the inventory that a calculation sees', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ routes: [tenantWideRoute('COMPUTE'), usageRoute('NETWORK')] }));
    tenant.world.identities = [identity('a')];
  });
  afterEach(() => tenant.dispose());

  it('is that of the whole window of a monthly line, also when it is learned later', async () => {
    tenant.world.lines = [line('2026-02-01', '280', { granularity: 'monthly' })];
    await tenant.run(FEBRUARY);
    expect(await sharesOf(tenant, FEBRUARY)).toEqual({ a: '280.0000' });
    tenant.world.identities = [
      identity('a'),
      { ...identity('b'), createdAt: new Date('2026-02-10T00:00:00Z') },
    ];
    await tenant.run(FEBRUARY);
    expect(await sharesOf(tenant, FEBRUARY)).toEqual({ a: '140.0000', b: '140.0000' });
    tenant.world.resources = [resource('cluster-1', { deletedAt: new Date('2026-02-15T00:00:00Z') })];
    await tenant.run(FEBRUARY);
    expect(await sharesOf(tenant, FEBRUARY)).toEqual({ a: '70.0000', b: '70.0000' });
    expect((await tenant.run(FEBRUARY)).datesCalculated).toBe(0);
  });

  it('does not change for past days when a thing gets another owner', async () => {
    const byOwner = {
      ...usageRoute('COMPUTE'),
      usage: [],
      allocate: chain(
        directOwner((context) => context.resource?.ownerId ?? null),
        terminal('unallocated'),
      ),
    };
    tenant.world.routes = [byOwner];
    tenant.world.lines = daysOf(FEBRUARY).map((date) => line(date, '2'));
    tenant.world.identities = [identity('ann'), identity('bob')];
    tenant.world.resources = [{ ...resource('cluster-1'), ownerId: 'ann' }];
    await tenant.run(FEBRUARY);
    expect(await sharesOf(tenant, FEBRUARY)).toEqual({ ann: '56.0000' });
    tenant.world.resources = [{ ...resource('cluster-1'), ownerId: 'bob' }];
    expect((await tenant.run(FEBRUARY)).datesCalculated).toBe(0);
    expect(await sharesOf(tenant, FEBRUARY)).toEqual({ ann: '56.0000' });
  });

  it('ends whom the settings list no longer, also the last of a type, from then on', async () => {
    const march = daysFrom('2026-02-28', 10);
    tenant.world.settled = true;
    tenant.world.identities = [{ ...identity('left'), identityType: 'team' }];
    tenant.world.lines = daysOf(march).map((date) => line(date, '2'));
    tenant.now = new Date('2026-03-02T12:00:00Z');
    await tenant.run(daysFrom('2026-02-28', 2));
    // Somebody whom only the metrics name is not the settings' to end.
    tenant.world.usage = [usageDay('2026-03-01', { seen: 1 })];
    tenant.world.identities = [];
    await tenant.run(daysFrom('2026-02-28', 2));
    tenant.now = new Date('2026-03-10T12:00:00Z');
    await tenant.run(march);
    const days = await Promise.all(
      ['2026-02-28', '2026-03-06'].map((first) => sharesOf(tenant, daysFrom(first, 1))),
    );
    expect(days).toEqual([{ left: '2.0000' }, { seen: '2.0000' }]);
    const problems = await tenant.withStore((store) => store.problems(march));
    expect(problems.map(({ code }) => code)).not.toContain('CB_INVENTORY_EMPTY');
  });

  it('does not change for past days when a thing ends or begins on a later one', async () => {
    tenant.world.lines = daysOf(FEBRUARY).map((date) => line(date, '2'));
    await tenant.run(FEBRUARY);
    tenant.world.resources = [resource('cluster-1', { deletedAt: new Date('2026-02-27T12:00:00Z') })];
    tenant.world.identities = [
      { ...identity('a'), deletedAt: new Date('2026-02-27T00:00:00Z') },
      { ...identity('b'), createdAt: new Date('2026-02-26T00:00:00Z') },
    ];
    // The 26th to the 28th: who is there changes on each of them.
    expect((await tenant.run(FEBRUARY)).datesCalculated).toBe(3);
  });

  it('knows who was seen in metrics from the first day on, also when gathering stopped in between', async () => {
    const days = daysFrom('2026-02-01', 4);
    tenant.world.regather = 'until_complete';
    tenant.world.lines = daysOf(days).flatMap((date) => [
      line(date, '6'),
      line(date, '4', { productType: 'NETWORK' }),
    ]);
    tenant.world.identities = [];
    tenant.world.usage = daysOf(days).map((date, index) => usageDay(date, { [`svc-${index}`]: 1 }));
    const undisturbed = await TestTenant.create({ ...tenant.world });
    await undisturbed.run(days);
    const expected = await sharesOf(undisturbed, days);
    await undisturbed.dispose();

    const stop = new AbortController();
    // Aborts while the second day is being stored: what the first day showed must not be forgotten.
    tenant.world.describe = (name) => {
      if (name === 'svc-1') stop.abort();
      return identity(name);
    };
    expect((await tenant.run(days, { signal: stop.signal })).status).toBe('interrupted');
    delete tenant.world.describe;
    await tenant.run(days);
    expect(await sharesOf(tenant, days)).toEqual(expected);
    expect(expected).not.toHaveProperty('UNALLOCATED');
  });

  it('describes names from metrics anew when the settings do, without asking the source', async () => {
    tenant.world.regather = 'until_complete';
    tenant.world.usage = [usageDay('2026-02-01', { svc: 1 })];
    tenant.world.lines = [line('2026-02-01', '4', { productType: 'NETWORK' })];
    tenant.world.describe = (name) => ({ ...identity(name), metadata: { team: 'red' } });
    const day = daysFrom('2026-02-01', 1);
    await tenant.run(day);
    tenant.world.describe = (name) => ({ ...identity(name), metadata: { team: 'blue' } });
    expect((await tenant.run(day)).datesGathered).toBe(0);
    const known = await tenant.withStore((store) => store.identities(['svc']));
    expect(known.get('svc')?.metadata).toEqual({ team: 'blue' });
  });
});
