import assert from 'node:assert/strict';
import { type Identity, type Resource, UNALLOCATED, UNALLOCATED_IDENTITY } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import { FEBRUARY, gathered, identity, line, NOW, resource, windowOf } from './fixtures.ts';
import { type MakeStore, type StoreTest, storeTests, type TestRunner } from './store-test.ts';

const date = (text: string) => new Date(text);
const JANUARY = windowOf('2026-01-01', '2026-02-01');
const MARCH = windowOf('2026-03-01', '2026-04-01');

export function testInventory(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, { topic: 'inventory of a store', declare: [declareListing] });
  storeTests(runner, makeStore, {
    topic: 'lifetimes in a store',
    declare: [declareLifetimes, declareAllLifetimes, declareMissed, declarePruned],
  });
  storeTests(runner, makeStore, { topic: 'identities seen in metrics', declare: [declareObserved] });
}

function list(store: Store, ...identities: Identity[]): Promise<void> {
  return store.saveIdentities({ authoritativeFor: ['service_account'], identities }, NOW);
}

async function find(store: Store, id: string, window = FEBRUARY): Promise<Identity | undefined> {
  return (await store.loadInventory(window)).identities.get(id);
}

function declareListing(test: StoreTest): void {
  test('keeps every field of resources and identities', async (store, reopen) => {
    const cluster = resource('c', {
      displayName: 'Ünï',
      parentId: 'env',
      ownerId: 'team',
      createdAt: date('2026-01-02T03:04:05.678Z'),
      deletedAt: date('2026-02-03T04:05:06.789Z'),
      metadata: { nested: { list: [1, 'two', null, true] } },
    });
    const person = identity('p', { displayName: 'P', createdAt: date('2025-01-01'), metadata: { a: 'b' } });
    await store.saveResources({ authoritativeFor: ['cluster'], resources: [cluster] }, NOW);
    await list(store, person);
    const inventory = await (await reopen()).loadInventory(FEBRUARY);
    assert.deepEqual([...inventory.resources], [['c', cluster]]);
    assert.deepEqual(inventory.identities.get('p'), person);
  });

  test('updates what a listing returned and keeps what it did not', async (store) => {
    await list(store, identity('a', { displayName: 'before' }), identity('b'));
    await list(store, identity('a', { displayName: 'after' }));
    assert.equal((await find(store, 'a'))?.displayName, 'after');
    assert.ok(await find(store, 'b'));
  });

  test('orders by id in code units', async (store) => {
    const ids = ['b', 'B', 'a\u{1F600}', 'a\uFF5E', 'a'];
    await store.saveResources({ authoritativeFor: [], resources: ids.map((id) => resource(id)) }, NOW);
    await list(store, ...ids.map((id) => identity(id)));
    const inventory = await store.loadInventory(FEBRUARY);
    assert.deepEqual([...inventory.resources.keys()], ['B', 'a', 'a\u{1F600}', 'a\uFF5E', 'b']);
    assert.deepEqual([...inventory.identities.keys()], ['B', UNALLOCATED, 'a', 'a\u{1F600}', 'a\uFF5E', 'b']);
  });

  test('knows UNALLOCATED from the beginning, and no listing changes it', async (store) => {
    assert.deepEqual(await find(store, UNALLOCATED), UNALLOCATED_IDENTITY);
    const other = identity(UNALLOCATED, { displayName: 'x', deletedAt: date('2020-01-01') });
    await list(store, other);
    await store.observeIdentities([other], NOW);
    assert.deepEqual(await find(store, UNALLOCATED), UNALLOCATED_IDENTITY);
  });

  test('gives display facts of the identities named', async (store) => {
    const many = Array.from({ length: 2500 }, (_, index) =>
      identity(`id-${index}`, { displayName: `${index}` }),
    );
    await list(store, ...many);
    const found = await store.identities([
      ...many.map(({ identityId }) => identityId),
      'nobody',
      UNALLOCATED,
    ]);
    assert.equal(found.size, 2501);
    assert.equal(found.get('id-2499')?.displayName, '2499');
    assert.equal((await store.identities([])).size, 0);
  });
}

function declareLifetimes(test: StoreTest): void {
  test('shows what overlaps a half-open window', async (store) => {
    await list(
      store,
      identity('always'),
      identity('ends-at-start', { deletedAt: FEBRUARY.start }),
      identity('ends-inside', { deletedAt: new Date(FEBRUARY.start.getTime() + 1) }),
      identity('begins-inside', { createdAt: new Date(FEBRUARY.end.getTime() - 1) }),
      identity('begins-at-end', { createdAt: FEBRUARY.end }),
    );
    const { identities } = await store.loadInventory(FEBRUARY);
    assert.deepEqual([...identities.keys()], [UNALLOCATED, 'always', 'begins-inside', 'ends-inside']);
  });

  test('begins a second lifetime for what was deleted and is listed again', async (store) => {
    await list(store, identity('a', { createdAt: date('2026-01-01'), displayName: 'first' }));
    await list(
      store,
      identity('a', { createdAt: date('2026-01-01'), deletedAt: date('2026-01-20'), displayName: 'first' }),
    );
    await list(store, identity('a', { createdAt: date('2026-03-10'), displayName: 'second' }));
    assert.equal((await find(store, 'a', JANUARY))?.displayName, 'first');
    assert.equal(await find(store, 'a'), undefined);
    assert.equal((await find(store, 'a', MARCH))?.displayName, 'second');
    assert.equal((await find(store, 'a', windowOf('2026-01-01', '2026-04-01')))?.displayName, 'second');
    assert.equal((await store.identities(['a'])).get('a')?.displayName, 'second');
  });

  test('does not rewrite the past of what returned, however often it is listed', async (store) => {
    const known = resource('r', { createdAt: date('2026-01-01') });
    const save = (seenAt: string, deletedAt: Date | null, createdAt: Date | null = known.createdAt) =>
      store.saveResources(
        { authoritativeFor: ['cluster'], resources: [{ ...known, createdAt, deletedAt }] },
        date(seenAt),
      );
    await save('2026-01-05', null);
    await save('2026-01-20', date('2026-01-20'));
    await save('2026-03-01', null);
    await save('2026-03-02', null);
    await save('2026-03-03', null, null);
    assert.equal((await store.loadInventory(FEBRUARY)).resources.size, 0);
    const january = (await store.loadInventory(JANUARY)).resources.get('r');
    assert.deepEqual([january?.createdAt, january?.deletedAt], [date('2026-01-01'), date('2026-01-20')]);
    const march = (await store.loadInventory(MARCH)).resources.get('r');
    assert.deepEqual([march?.createdAt, march?.deletedAt], [date('2026-03-01'), null]);
  });
}

function ownedCluster(ownerId: string, displayName: string): Resource {
  return resource('c', { ownerId, displayName, createdAt: date('2026-01-01') });
}

function memberOf(team: string): Identity {
  return identity('p', { metadata: { team } });
}

function declareAllLifetimes(test: StoreTest): void {
  test('tell what a thing was before it became another: a new owner does not change the past', async (store) => {
    const later = new Date(NOW.getTime() + 60_000);
    for (const [ownerId, team, seenAt] of [
      ['ann', 'red', NOW],
      ['bob', 'blue', later],
    ] as const) {
      await store.saveResources(
        { authoritativeFor: [], resources: [ownedCluster(ownerId, ownerId)] },
        seenAt,
      );
      await store.saveIdentities({ authoritativeFor: [], identities: [memberOf(team)] }, seenAt);
    }
    const { resources, identities } = await store.loadLifetimes(windowOf('2026-01-01', '2027-01-01'));
    assert.deepEqual(resources, [
      { ...ownedCluster('ann', 'ann'), deletedAt: later },
      { ...ownedCluster('bob', 'bob'), createdAt: later },
    ]);
    assert.deepEqual(
      identities.filter(({ identityId }) => identityId === 'p'),
      [
        { ...memberOf('red'), deletedAt: later },
        { ...memberOf('blue'), createdAt: later },
      ],
    );
    assert.equal((await store.loadInventory(FEBRUARY)).resources.get('c')?.ownerId, 'ann');
    await store.saveResources({ authoritativeFor: [], resources: [ownedCluster('bob', 'renamed')] }, later);
    assert.equal((await store.loadLifetimes(FEBRUARY)).resources.length, 2);
  });

  test('are all told at once: those of resources ever, those of identities in a window', async (store) => {
    const lives = [
      { createdAt: date('2025-12-01'), deletedAt: date('2026-01-05') },
      { createdAt: date('2026-02-05'), deletedAt: null },
    ];
    for (const life of lives) {
      await store.saveResources({ authoritativeFor: [], resources: [resource('r', life)] }, NOW);
      await list(store, identity('b', life));
    }
    await list(store, identity('a', { deletedAt: date('2026-02-10') }), identity('late', { createdAt: NOW }));
    const { resources, identities } = await store.loadLifetimes(FEBRUARY);
    assert.deepEqual(
      resources,
      lives.map((life) => resource('r', life)),
    );
    assert.deepEqual(
      identities.filter(({ identityId }) => identityId !== UNALLOCATED),
      [identity('a', { deletedAt: date('2026-02-10') }), identity('b', lives[1])],
    );
  });
}

/** Listings of the resource `c` and the identity `p`; null for listings that name only others. */
async function listBoth(
  store: Store,
  seenAt: string,
  fields: { createdAt: Date | null; deletedAt?: Date; owner?: string } | null,
): Promise<void> {
  const seen = date(seenAt);
  const { owner = 'ann', ...lifetime } = fields ?? { createdAt: null };
  const resources = fields ? [resource('c', { ...lifetime, ownerId: owner })] : [];
  const identities = fields ? [identity('p', { ...lifetime, metadata: { owner } })] : [];
  await store.saveResources({ authoritativeFor: [], resources: [...resources, resource('other')] }, seen);
  await store.saveIdentities({ authoritativeFor: [], identities: [...identities, identity('other')] }, seen);
  for (const [kind, type] of [
    ['resource', 'cluster'],
    ['identity', 'service_account'],
  ] as const) {
    await store.deleteUnlisted({ kind, types: [type], seenAt: seen, emptyThreshold: 1 });
  }
}

const day = (instant: Date | null) => instant?.toISOString().slice(0, 10) ?? '-';

const endsOf = (items: readonly (Identity | Resource)[]) =>
  items.map(({ createdAt, deletedAt }) => [createdAt, deletedAt]);

const lifeText = (item: Identity | Resource, owner: unknown) =>
  `${day(item.createdAt)} ${day(item.deletedAt)} ${String(owner)}`;

/** The lifetimes of both, which must be the same, as `from to owner`. */
async function livesOfBoth(store: Store): Promise<string[]> {
  const { resources, identities } = await store.loadLifetimes(windowOf('2000-01-01', '2100-01-01'));
  const lives = resources.filter(({ resourceId }) => resourceId === 'c');
  const others = identities.filter(({ identityId }) => identityId === 'p');
  const texts = lives.map((item) => lifeText(item, item.ownerId));
  assert.deepEqual(
    others.map((item) => lifeText(item, item.metadata['owner'])),
    texts,
  );
  return texts;
}

function declareMissed(test: StoreTest): void {
  const born = { createdAt: date('2026-01-01') };

  test('go on when a listing only missed the thing: nothing of the time between is cut out', async (store) => {
    await listBoth(store, '2026-01-05', born);
    await listBoth(store, '2026-02-03', null);
    assert.deepEqual(await livesOfBoth(store), ['2026-01-01 2026-02-03 ann']);
    await listBoth(store, '2026-02-10', born);
    assert.deepEqual(await livesOfBoth(store), ['2026-01-01 - ann']);
    await listBoth(store, '2026-02-11', null);
    await listBoth(store, '2026-02-20', { ...born, owner: 'bob' });
    assert.deepEqual(await livesOfBoth(store), ['2026-01-01 2026-02-20 ann', '2026-02-20 - bob']);
    await listBoth(store, '2026-02-21', null);
    await listBoth(store, '2026-02-25', { ...born, owner: 'bob' });
    assert.deepEqual(await livesOfBoth(store), ['2026-01-01 2026-02-20 ann', '2026-02-20 - bob']);
  });

  test('begin anew when the thing was created again', async (store) => {
    await listBoth(store, '2026-01-05', born);
    await listBoth(store, '2026-02-03', null);
    await listBoth(store, '2026-02-10', { createdAt: date('2026-02-07') });
    assert.deepEqual(await livesOfBoth(store), ['2026-01-01 2026-02-03 ann', '2026-02-07 - ann']);
  });

  test('begin anew when the thing was created again before a listing missed it', async (store) => {
    await listBoth(store, '2026-01-05', born);
    await listBoth(store, '2026-02-03', null);
    // Between the last listing that named it and the one that did not.
    await listBoth(store, '2026-02-10', { createdAt: date('2026-02-02'), owner: 'bob' });
    const lives = ['2026-01-01 2026-02-02 ann', '2026-02-02 - bob'];
    assert.deepEqual(await livesOfBoth(store), lives);
    await listBoth(store, '2026-02-11', { createdAt: date('2026-02-02'), owner: 'bob' });
    assert.deepEqual(await livesOfBoth(store), lives);
  });

  test('begin anew when the thing was created again between two listings that both name it', async (store) => {
    await listBoth(store, '2026-01-05', born);
    const again = { createdAt: date('2026-01-08'), owner: 'bob' };
    for (const seenAt of ['2026-01-10', '2026-01-11']) {
      await listBoth(store, seenAt, again);
      assert.deepEqual(await livesOfBoth(store), ['2026-01-01 2026-01-08 ann', '2026-01-08 - bob']);
    }
    // What the source only corrects is one life.
    await listBoth(store, '2026-01-12', { ...again, createdAt: date('2026-01-09') });
    assert.deepEqual(await livesOfBoth(store), ['2026-01-01 2026-01-08 ann', '2026-01-09 - bob']);
  });

  test('go on for a resource that does not say when it was created, and begin anew for an identity', async (store) => {
    const unknown = { createdAt: null };
    await listBoth(store, '2026-01-05', unknown);
    await listBoth(store, '2026-02-03', null);
    await listBoth(store, '2026-02-10', unknown);
    const { resources, identities } = await store.loadLifetimes(windowOf('2000-01-01', '2100-01-01'));
    assert.deepEqual(endsOf(resources.filter(({ resourceId }) => resourceId === 'c')), [[null, null]]);
    assert.deepEqual(endsOf(identities.filter(({ identityId }) => identityId === 'p')), [
      [null, date('2026-02-03')],
      [date('2026-02-10'), null],
    ]);
  });

  test('keep an end that the source stated', async (store) => {
    await listBoth(store, '2026-01-05', born);
    await listBoth(store, '2026-02-03', { ...born, deletedAt: date('2026-02-01') });
    await listBoth(store, '2026-02-10', born);
    assert.deepEqual(await livesOfBoth(store), ['2026-01-01 2026-02-01 ann', '2026-02-10 - ann']);
  });
}

function declarePruned(test: StoreTest): void {
  const born = { createdAt: date('2026-01-01') };

  test('begin where they began after what was before them is pruned', async (store) => {
    await listBoth(store, '2026-01-05', born);
    await listBoth(store, '2026-01-10', { ...born, owner: 'bob' });
    await listBoth(store, '2026-01-20', { ...born, owner: 'cyd' });
    await store.pruneRest('2026-03-01');
    for (const seenAt of ['2026-03-05', '2026-03-06']) {
      await listBoth(store, seenAt, { ...born, owner: 'cyd' });
      assert.deepEqual(await livesOfBoth(store), ['2026-01-10 2026-01-20 bob', '2026-01-20 - cyd']);
    }
    await store.pruneRest('2026-03-07');
    assert.equal((await livesOfBoth(store)).length, 2);
  });

  test('do not grow back over a time in which the thing did not exist', async (store) => {
    await listBoth(store, '2026-01-05', born);
    await listBoth(store, '2026-01-10', { ...born, deletedAt: date('2026-01-10') });
    await listBoth(store, '2026-02-10', { createdAt: null });
    await store.pruneRest('2026-03-01');
    await listBoth(store, '2026-03-05', { createdAt: null });
    assert.equal((await livesOfBoth(store)).at(-1), '2026-02-10 - ann');
  });

  test('are pruned altogether when the last of them ended', async (store) => {
    await listBoth(store, '2026-01-05', born);
    await listBoth(store, '2026-01-10', { ...born, owner: 'bob' });
    await listBoth(store, '2026-01-20', null);
    await store.pruneRest('2026-01-20');
    assert.equal((await livesOfBoth(store)).length, 2);
    await store.pruneRest('2026-01-21');
    assert.deepEqual(await livesOfBoth(store), []);
  });
}

async function created(store: Store): Promise<Date | null | undefined> {
  return (await find(store, 'a', windowOf('2000-01-01', '2100-01-01')))?.createdAt;
}

function declareObserved(test: StoreTest): void {
  test('exist from the day they were first seen, which may move earlier but not later', async (store) => {
    for (const [seen, expected] of [
      ['2026-02-10', '2026-02-10'],
      ['2026-02-12', '2026-02-10'],
      ['2026-02-03', '2026-02-03'],
    ] as const) {
      await store.observeIdentities([identity('a')], date(seen));
      assert.deepEqual(await created(store), date(expected));
    }
  });

  test('become known when listed: the beginning is then what the listing says', async (store) => {
    await store.observeIdentities([identity('a')], date('2026-02-10'));
    await list(store, identity('a', { createdAt: date('2026-02-07'), displayName: 'A' }));
    assert.deepEqual(await created(store), date('2026-02-07'));
    await store.observeIdentities([identity('a', { displayName: 'other' })], date('2026-02-03'));
    assert.deepEqual(await created(store), date('2026-02-07'));
    assert.equal((await find(store, 'a'))?.displayName, 'A');
    await list(store, identity('a'));
    assert.equal(await created(store), null);
  });

  test('are recorded with the inputs of the day they were seen on, or not at all', async (store) => {
    await store.saveGatheredDay(gathered([], { date: '2026-02-05', observed: [identity('a')] }));
    assert.deepEqual(await created(store), date('2026-02-05'));
    const twice = [line('same'), line('same')];
    await assert.rejects(
      store.saveGatheredDay(
        gathered(twice, { date: '2026-02-02', observed: [identity('a'), identity('b')] }),
      ),
    );
    assert.deepEqual(await created(store), date('2026-02-05'));
    assert.equal(await find(store, 'b'), undefined);
  });

  test('take a new description, unless a listing knows them', async (store) => {
    await store.observeIdentities([identity('a'), identity('listed')], date('2026-02-10'));
    await list(store, identity('listed', { displayName: 'from the listing' }));
    const described = { identityType: 'principal', displayName: 'new', metadata: { team: 'blue' } };
    await store.describeIdentities([identity('a', described), identity('listed', described)]);
    const known = await find(store, 'a');
    assert.deepEqual(known, identity('a', { ...described, createdAt: date('2026-02-10') }));
    assert.equal((await find(store, 'listed'))?.displayName, 'from the listing');
  });

  test('exist again when seen after they were deleted', async (store) => {
    await list(store, identity('a', { deletedAt: date('2026-01-20') }));
    await store.observeIdentities([identity('a')], date('2026-01-10'));
    assert.equal(await find(store, 'a'), undefined);
    await store.observeIdentities([identity('a')], date('2026-02-10'));
    assert.deepEqual((await find(store, 'a'))?.createdAt, date('2026-02-10'));
    assert.deepEqual((await find(store, 'a', JANUARY))?.deletedAt, date('2026-01-20'));
  });
}
