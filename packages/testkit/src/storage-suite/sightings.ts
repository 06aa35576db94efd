import assert from 'node:assert/strict';
import { type IsoDate, startOfDay } from '@chargeback/plugin-api';
import type { SightingReview, Store } from '@chargeback/storage';
import { gathered, identity, line, NOW, usage, windowOf } from './fixtures.ts';
import { assertRejects, type MakeStore, type StoreTest, storeTests, type TestRunner } from './store-test.ts';

const ALWAYS = windowOf('2000-01-01', '2100-01-01');
const NOTHING: SightingReview = { removed: 0, moved: 0 };

export function testSightings(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, {
    topic: 'sightings that are corrected in a store',
    declare: [declareReview, declareKept, declareCoordination],
  });
}

const dayOf = (day: number): IsoDate => `2026-02-${String(day).padStart(2, '0')}`;

interface Seen {
  readonly names: readonly string[];
  readonly corrects?: boolean;
  readonly query?: string;
}

/** Stores what a query named on a day of February. */
async function see(store: Store, day: number, { names, corrects = false, query = 'q' }: Seen): Promise<void> {
  const date = dayOf(day);
  const answer = usage(
    query,
    names.map((name) => [`r-${name}`, name, 1]),
    { date, corrects },
  );
  const observed = query === 'things' ? [] : names.map((name) => identity(name));
  await store.saveGatheredDay(gathered([line('a')], { date, usage: [answer], observed }));
}

/** Whoever is known from metrics, with the day since when. */
async function known(store: Store): Promise<Record<string, string | null>> {
  const { identities } = await store.loadLifetimes(ALWAYS);
  const people = identities.filter(({ identityType }) => identityType !== 'system');
  return Object.fromEntries(
    people.map(({ identityId, createdAt }) => [identityId, createdAt?.toISOString().slice(0, 10) ?? null]),
  );
}

function declareReview(test: StoreTest): void {
  test('leave whom other usage names, from the day on which it does, and nobody else', async (store) => {
    await see(store, 1, { names: ['ghost', 'late', 'here'] });
    await see(store, 3, { names: ['late', 'here'] });
    await see(store, 1, { names: ['here', 'new'], corrects: true });
    assert.deepEqual(await store.reviewSightings([]), { removed: 1, moved: 1 });
    assert.deepEqual(await known(store), { here: dayOf(1), late: dayOf(3), new: dayOf(1) });
    assert.deepEqual(await store.reviewSightings([]), NOTHING);
  });

  test('end nobody before they are reviewed, nor without being corrections', async (store) => {
    await see(store, 1, { names: ['a', 'b'] });
    await see(store, 1, { names: ['a'] });
    assert.deepEqual(await store.reviewSightings([]), NOTHING);
    await see(store, 2, { names: ['c'] });
    await see(store, 2, { names: [], corrects: true });
    assert.deepEqual(await known(store), { a: dayOf(1), b: dayOf(1), c: dayOf(2) });
    assert.deepEqual(await store.reviewSightings([]), { removed: 1, moved: 0 });
    assert.deepEqual(await known(store), { a: dayOf(1), b: dayOf(1) });
  });

  test('count what any query names, but for those that name things', async (store) => {
    await see(store, 1, { names: ['person', 'topic'] });
    await see(store, 2, { names: ['person'], query: 'other' });
    await see(store, 2, { names: ['topic'], query: 'things' });
    await see(store, 1, { names: [], corrects: true });
    assert.deepEqual(await store.reviewSightings(['things', 'never stored']), { removed: 1, moved: 1 });
    assert.deepEqual(await known(store), { person: dayOf(2) });
  });

  test('count of usage without a bill too', async (store) => {
    const observed = [identity('a')];
    const of = (names: readonly string[], fields: object) => [
      usage(
        'q',
        names.map((name) => ['r', name, 1]),
        { date: dayOf(4), ...fields },
      ),
    ];
    await store.saveUsage({ date: dayOf(4), usage: of(['a'], {}), observed });
    await store.saveUsage({ date: dayOf(4), usage: of([], { corrects: true }) });
    assert.deepEqual(await store.reviewSightings([]), { removed: 1, moved: 0 });
    assert.deepEqual(await known(store), {});
  });
}

function declareKept(test: StoreTest): void {
  test('never touch whom a listing names or mentions', async (store) => {
    const listed = { authoritativeFor: [], identities: [identity('listed')] };
    await see(store, 5, { names: ['listed', 'owner', 'ghost'] });
    await store.saveIdentities(listed, NOW);
    await store.observeIdentities([identity('owner')], startOfDay(dayOf(7)));
    await store.observeIdentities([identity('owner')], startOfDay(dayOf(9)));
    await see(store, 5, { names: [], corrects: true });
    assert.deepEqual(await store.reviewSightings([]), { removed: 1, moved: 1 });
    assert.deepEqual(await known(store), { listed: null, owner: dayOf(7) });
  });

  test('never touch who was known before the days that retention has left', async (store) => {
    await see(store, 1, { names: ['old', 'both'] });
    await see(store, 2, { names: ['old', 'both', 'young'] });
    await see(store, 3, { names: ['both'] });
    assert.equal(await store.pruneOldestDay(dayOf(2)), true);
    await store.pruneRest(dayOf(2));
    await see(store, 2, { names: [], corrects: true });
    assert.deepEqual(await store.reviewSightings([]), { removed: 1, moved: 0 });
    assert.deepEqual(await known(store), { both: dayOf(1), old: dayOf(1) });
  });

  test('count from where a lifetime that a listing ended had its end', async (store) => {
    const ended = identity('a', { createdAt: startOfDay(dayOf(1)), deletedAt: startOfDay(dayOf(4)) });
    await store.saveIdentities({ authoritativeFor: [], identities: [ended] }, startOfDay(dayOf(4)));
    for (const day of [2, 5, 8]) await see(store, day, { names: ['a'] });
    await see(store, 5, { names: [], corrects: true });
    assert.deepEqual(await store.reviewSightings([]), { removed: 0, moved: 1 });
    const begins = async () =>
      (await store.loadLifetimes(ALWAYS)).identities
        .filter(({ identityId }) => identityId === 'a')
        .map(({ createdAt }) => createdAt?.toISOString().slice(0, 10));
    assert.deepEqual(await begins(), [dayOf(1), dayOf(8)]);
    await see(store, 8, { names: [], corrects: true });
    assert.deepEqual(await store.reviewSightings([]), { removed: 1, moved: 0 });
    assert.deepEqual(await begins(), [dayOf(1)]);
  });
}

function declareCoordination(test: StoreTest): void {
  test('are remembered until they are reviewed, also by another process', async (store, reopen) => {
    await see(store, 1, { names: ['ghost'] });
    await see(store, 1, { names: [], corrects: true });
    const again = await reopen();
    assert.deepEqual(await again.reviewSightings([]), { removed: 1, moved: 0 });
    assert.deepEqual(await known(again), {});
  });

  test('are not reviewed by who has lost the lease', async (store, _reopen, openAnother) => {
    await using other = await openAnother();
    await store.acquireLease({ holder: 'one', now: NOW, seconds: 60 });
    await see(store, 1, { names: ['ghost'] });
    await see(store, 1, { names: [], corrects: true });
    const later = new Date(NOW.getTime() + 61_000);
    await other.acquireLease({ holder: 'two', now: later, seconds: 60 });
    await assertRejects(store.reviewSightings([]), 'CB_STORAGE_LEASE');
    assert.deepEqual(await known(other), { ghost: dayOf(1) });
  });
}
