import assert from 'node:assert/strict';
import { makeProblem } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import {
  allocated,
  calculated,
  DAY,
  FEBRUARY,
  gathered,
  identity,
  line,
  NOW,
  portion,
  resource,
  usage,
  windowOf,
} from './fixtures.ts';
import { assertRejects, type MakeStore, type StoreTest, storeTests, type TestRunner } from './store-test.ts';

export function testLeases(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, { topic: 'the lease of a tenant', declare: [declareLease, declareFence] });
}

const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

function declareLease(test: StoreTest): void {
  test('is held by one at a time, until it is released or expires', async (store, reopen) => {
    assert.equal(await store.lease(), null);
    assert.equal(await store.acquireLease({ holder: 'one', now: NOW, seconds: 60 }), null);
    assert.equal((await store.acquireLease({ holder: 'two', now: later(59), seconds: 60 }))?.holder, 'one');
    assert.equal(await store.acquireLease({ holder: 'one', now: later(30), seconds: 60 }), null);
    assert.deepEqual(await store.lease(), { holder: 'one', acquiredAt: NOW, expiresAt: later(90) });
    assert.equal(await store.acquireLease({ holder: 'two', now: later(90), seconds: 60 }), null);
    await store.releaseLease('one');
    assert.equal((await store.lease())?.holder, 'two');
    await store.releaseLease('two');
    assert.equal(await (await reopen()).lease(), null);
  });

  test('is taken over from a holder that is known to be dead, and from no other', async (store) => {
    await store.acquireLease({ holder: 'one', now: NOW, seconds: 60 });
    const request = { holder: 'two', now: NOW, seconds: 60 };
    assert.equal((await store.acquireLease({ ...request, over: 'somebody' }))?.holder, 'one');
    assert.equal(await store.acquireLease({ ...request, over: 'one' }), null);
    assert.equal((await store.lease())?.holder, 'two');
  });

  test('marks what a dead holder left running as interrupted', async (store) => {
    assert.equal(await store.acquireLease({ holder: 'one', now: NOW, seconds: 60 }), null);
    await store.startRun('one', NOW);
    assert.equal(await store.acquireLease({ holder: 'two', now: later(61), seconds: 60 }), null);
    const [run] = await store.runs(1);
    assert.deepEqual([run?.status, run?.endedAt], ['interrupted', later(61)]);
  });
}

/** Each method that writes, with something to write. */
const WRITES = {
  saveResources: (store: Store, id = 'here') =>
    store.saveResources({ authoritativeFor: [], resources: [resource(id)] }, NOW),
  saveIdentities: (store: Store, id = 'here') =>
    store.saveIdentities({ authoritativeFor: [], identities: [identity(id)] }, NOW),
  observeIdentities: (store: Store, id = 'seen') => store.observeIdentities([identity(id)], NOW),
  describeIdentities: (store: Store, displayName = 'Here') =>
    store.describeIdentities([identity('seen', { displayName })]),
  deleteUnlisted: (store: Store, stale = '') =>
    store.deleteUnlisted({
      kind: 'resource',
      types: stale === '' ? [] : ['cluster'],
      seenAt: later(60),
      emptyThreshold: 1,
    }),
  saveGatheredDay: (store: Store, id = 'a') => store.saveGatheredDay(gathered([line(id)])),
  saveCalculatedDay: (store: Store, id = 'x') =>
    store.saveCalculatedDay(calculated([allocated('a', [portion({ [id]: 100n })])])),
  saveUsage: (store: Store, id = 'x') => store.saveUsage({ date: DAY, usage: [usage('q', [['r', id, 1]])] }),
  saveTenantState: (store: Store, suspendedBecause = 'down') => store.saveTenantState({ suspendedBecause }),
  startRun: (store: Store, runId = 'one') => store.startRun(runId, NOW),
  finishRun: (store: Store, runId = 'one') =>
    store.finishRun({ runId, startedAt: NOW, endedAt: NOW, status: 'completed', stages: {}, ...NO_COUNTS }),
  saveProblems: (store: Store, message = 'down') =>
    store.saveProblems('gather', [], [makeProblem('CB_BILLING_GATHER', message)]),
  forgetErrors: (store: Store) => store.forgetErrors('gather', [DAY]),
  saveEmission: (store: Store, batchId = 'batch') =>
    store.saveEmission({
      emitter: 'csv',
      period: DAY,
      aggregation: null,
      batchId,
      mark: null,
      others: [],
      status: 'emitted',
      attempts: 1,
      emittedAt: NOW,
    }),
  pruneOldestDay: (store: Store, stale = '') =>
    store.pruneOldestDay(stale === '' ? '2020-01-01' : '2027-01-01'),
  pruneRest: (store: Store, stale = '') => store.pruneRest(stale === '' ? '2020-01-01' : '2027-01-01'),
};

const NO_COUNTS = {
  datesGathered: 0,
  datesCalculated: 0,
  datesUnchanged: 0,
  datesHeld: 0,
  rowsWritten: 0,
};

/** All that the writes above could change. */
async function everything(store: Store): Promise<unknown> {
  const day = await store.loadDay(DAY);
  return {
    lifetimes: await store.loadLifetimes(windowOf('2000-01-01', '2030-01-01')),
    lines: day?.lines.map(({ lineId }) => lineId),
    usage: [...(await store.loadUsage(DAY)).values()],
    states: await store.dateStates(FEBRUARY),
    totals: await store.totals(FEBRUARY, ['identity_id']),
    state: await store.tenantState(),
    runs: await store.runs(9),
    problems: await store.problems(FEBRUARY),
    emissions: await store.emissions('csv'),
  };
}

function declareFence(test: StoreTest): void {
  test('cannot be prolonged by who has lost it, also when nobody has it any more', async (store, _reopen, openAnother) => {
    await using other = await openAnother();
    await store.renewLease(NOW);
    await store.acquireLease({ holder: 'one', now: NOW, seconds: 60 });
    await store.renewLease(later(90));
    assert.deepEqual(await other.lease(), { holder: 'one', acquiredAt: NOW, expiresAt: later(150) });
    await other.acquireLease({ holder: 'two', now: later(150), seconds: 60 });
    await assertRejects(store.renewLease(later(151)), 'CB_STORAGE_LEASE');
    await other.releaseLease('two');
    await assertRejects(store.renewLease(later(152)), 'CB_STORAGE_LEASE');
    assert.equal(await other.lease(), null);
  });

  test('keeps who has lost it, or given it back, from writing anything', async (store, _reopen, openAnother) => {
    await using other = await openAnother();
    await store.acquireLease({ holder: 'one', now: NOW, seconds: 60 });
    for (const write of Object.values(WRITES)) await write(store);
    const before = await everything(other);
    await other.acquireLease({ holder: 'two', now: later(61), seconds: 60 });
    for (const ended of ['lost', 'given back']) {
      for (const [name, write] of Object.entries(WRITES)) {
        await assertRejects(write(store, 'stale'), 'CB_STORAGE_LEASE', `${name} under a lease ${ended}`);
      }
      if (ended === 'lost') await store.releaseLease('one');
    }
    await other.releaseLease('two');
    await assertRejects(WRITES.saveTenantState(store, 'stale'), 'CB_STORAGE_LEASE');
    assert.deepEqual(await everything(other), before);
  });

  test('is not needed by who never took one, such as a command', async (store) => {
    for (const write of Object.values(WRITES)) await write(store);
  });

  test('keeps who has lost it from writing a day', async (store, _reopen, openAnother) => {
    await using other = await openAnother();
    assert.equal(await store.acquireLease({ holder: 'one', now: NOW, seconds: 60 }), null);
    await store.saveGatheredDay(gathered([line('a')]));
    assert.equal(await other.acquireLease({ holder: 'two', now: later(61), seconds: 60 }), null);
    const rows = calculated([allocated('a', [portion({ x: 100n })])]);
    await assertRejects(store.saveGatheredDay(gathered([line('b')])), 'CB_STORAGE_LEASE');
    await assertRejects(store.saveCalculatedDay(rows), 'CB_STORAGE_LEASE');
    await other.saveCalculatedDay(rows);
    assert.equal((await other.dateStates(FEBRUARY))[0]?.state, 'calculated');
  });
}
