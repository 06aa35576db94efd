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

  it('are gone also when the run that mends it is cut off, and goes on later', async () => {
    useWrong(() => ['pod-0']);
    await tenant.run(DAYS);
    useRight();
    const stop = new AbortController();
    tenant.world.describe = (name) => {
      if (name === 'bob') stop.abort();
      return identity(name);
    };
    expect((await tenant.run(DAYS, { signal: stop.signal })).status).toBe('interrupted');
    delete tenant.world.describe;
    await tenant.run(DAYS);
    expect(await shares()).toEqual({ ann: '72.0000', bob: '24.0000' });
  });

  it('stay as long as days that are not asked for any more name them, and those days stay as they are', async () => {
    const [first, rest] = [daysFrom(DATES[0]!, 2), daysFrom(DATES[2]!, 4)];
    useWrong(() => ['pod-0']);
    await tenant.run(DAYS);
    const before = await sharesOf(tenant, first);
    useRight();
    await tenant.run(rest);
    expect(await sharesOf(tenant, first)).toEqual(before);
    expect(await known(tenant)).toMatchObject({ 'pod-0': DATES[0] });
    await tenant.run(first);
    expect(await known(tenant)).toEqual({ ann: DATES[0], bob: DATES[3] });
    await tenant.run(DAYS);
    expect(await shares()).toEqual({ ann: '72.0000', bob: '24.0000' });
  });

  it('are gone with --regather when another server answered the same question', async () => {
    tenant.world.usage = DATES.map((date) => usageDay(date, { stranger: 1 }));
    tenant.world.gatherKey = 'other server';
    await tenant.run(DAYS);
    useRight();
    await tenant.run(DAYS);
    // What was answered whole is not asked again by itself.
    expect(await known(tenant)).toEqual({ stranger: DATES[0] });
    await tenant.run(DAYS, { regather: true });
    expect(await known(tenant)).toEqual({ ann: DATES[0], bob: DATES[3] });
    expect(await shares()).toEqual({ ann: '72.0000', bob: '24.0000' });
  });

  it('are gone with --regather when a query that named them is no longer asked', async () => {
    const pods = { ...bytes, key: 'pods', identityLabel: 'pod' };
    tenant.world.routes = [...right, usageRoute('STORAGE', pods)];
    tenant.world.gatherKey = 'one more';
    const named = DATES.map((date) => ({ ...usageDay(date, { 'pod-0': 1 }), queryKey: 'pods' }));
    tenant.world.usage = [...lastAnswers, ...named];
    await tenant.run(DAYS);
    useRight();
    await tenant.run(DAYS);
    // A query may have another name now, and its people are still people.
    expect(await known(tenant)).toMatchObject({ 'pod-0': DATES[0] });
    await tenant.run(DAYS, { regather: true });
    expect(await shares()).toEqual({ ann: '72.0000', bob: '24.0000' });
    // The answers come back with the query.
    tenant.world.routes = [...right, usageRoute('STORAGE', pods)];
    tenant.world.gatherKey = 'one more';
    tenant.world.usage = [...lastAnswers, ...named];
    await tenant.run(DAYS);
    expect(await known(tenant)).toMatchObject({ 'pod-0': DATES[0] });
  });

  it('are not taken for those whose answers an outage or retention has taken', async () => {
    tenant.limits = { ...tenant.limits, allocationRetryLimit: 99, gatherFailureThreshold: 99 };
    await tenant.run(DAYS);
    // Nothing, and less than there was, of the same question.
    const less = { samplesSeen: 12, samplesExpected: 24 };
    for (const coverage of [{ samplesSeen: 0, samplesExpected: 24 }, less]) {
      tenant.world.usage = DATES.map((date) => usageDay(date, {}, coverage));
      await tenant.run(DAYS, { regather: true });
      expect(await known(tenant)).toEqual({ ann: DATES[0], bob: DATES[3] });
    }
    // Of another question, while the source is away.
    useWrong(() => []);
    tenant.world.usage = DATES.map((date) => usageDay(date, {}, { samplesSeen: 0, samplesExpected: 24 }));
    await tenant.run(DAYS);
    expect(await known(tenant)).toEqual({ ann: DATES[0], bob: DATES[3] });
    useRight();
    await tenant.withStore(async (store) => {
      await store.pruneOldestDay(DATES[1]!);
      await store.pruneRest(DATES[1]!);
    });
    const rest = daysFrom(DATES[1]!, 5);
    useWrong((_date, index) => (index === 5 ? ['pod-5'] : ['pod-0']));
    await tenant.run(rest);
    useRight();
    await tenant.run(rest);
    expect(await known(tenant)).toEqual({ ann: DATES[0], bob: DATES[3] });
    // The first day is gone with its 16.
    expect(await shares()).toEqual({ ann: '56.0000', bob: '24.0000' });
  });
});
