import { daysOf, type IsoDate } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daysFrom, identity, line, TestTenant, usageDay } from './support.ts';
import { bytes, evenRoute, sharesOf, usageRoute, world } from './worlds.ts';

const DAYS = daysFrom('2026-02-01', 6);
const DATES = daysOf(DAYS);
const right = [evenRoute('COMPUTE', []), usageRoute('NETWORK')];
const wrong = [evenRoute('COMPUTE', []), usageRoute('NETWORK', { ...bytes, identityLabel: 'pod' })];

/** Everybody who is known, with the day since when. */
async function known(tenant: TestTenant): Promise<Record<string, IsoDate>> {
  return tenant.withStore(async (store) => {
    const { identities } = await store.loadLifetimes(daysFrom('2020-01-01', 4000));
    const people = identities.filter(({ identityId }) => identityId !== 'UNALLOCATED');
    return Object.fromEntries(
      people.map(({ identityId, createdAt }) => [
        identityId,
        createdAt?.toISOString().slice(0, 10) ?? 'always',
      ]),
    );
  });
}

describe('names that only a mistake in the settings brought up', () => {
  let tenant: TestTenant;
  let lastAnswers: TestTenant['world']['usage'];

  beforeEach(async () => {
    lastAnswers = DATES.map((date, index) => usageDay(date, { ann: 1, ...(index >= 3 ? { bob: 1 } : {}) }));
    tenant = await TestTenant.create(
      world({
        regather: 'until_complete',
        routes: right,
        lines: DATES.flatMap((date) => [line(date, '12'), line(date, '4', { productType: 'NETWORK' })]),
        usage: lastAnswers,
      }),
    );
  });
  afterEach(() => tenant.dispose());

  const useWrong = (names: (date: IsoDate, index: number) => readonly string[]): void => {
    tenant.world.gatherKey = 'wrong';
    tenant.world.routes = wrong;
    tenant.world.usage = DATES.map((date, index) =>
      usageDay(date, Object.fromEntries(names(date, index).map((name) => [name, 1]))),
    );
  };
  const useRight = (): void => {
    tenant.world.gatherKey = 'settings-1';
    tenant.world.routes = right;
    tenant.world.usage = lastAnswers;
  };
  const shares = (): Promise<Record<string, string>> => sharesOf(tenant, DAYS);

  it('are gone when the mistake is, and bear nothing of any day', async () => {
    await tenant.run(DAYS);
    const before = await shares();
    useWrong((_date, index) => ['pod-0', `pod-${index}`]);
    await tenant.run(DAYS);
    expect(Object.keys(await shares())).toContain('pod-0');
    useRight();
    await tenant.run(DAYS);
    expect(await shares()).toEqual(before);
    expect(await known(tenant)).toEqual({ ann: '2026-02-01', bob: '2026-02-04' });
    expect(await tenant.run(DAYS)).toMatchObject({ datesGathered: 0, datesCalculated: 0 });
  });

  it('are gone also when the mistake was there from the beginning', async () => {
    useWrong(() => ['pod-0', 'bob']);
    await tenant.run(DAYS);
    useRight();
    await tenant.run(DAYS);
    // Bob was seen too early by the mistake.
    expect(await known(tenant)).toEqual({ ann: '2026-02-01', bob: '2026-02-04' });
    expect(await shares()).toEqual({ ann: '72.0000', bob: '24.0000' });
  });
});
