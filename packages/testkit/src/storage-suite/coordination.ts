import assert from 'node:assert/strict';
import type { ListedTypes, Store } from '@chargeback/storage';
import { UNALLOCATED } from '@chargeback/plugin-api';
import {
  allocated,
  calculated,
  DAY,
  FEBRUARY,
  gathered,
  heldLine,
  identity,
  line,
  NEXT_DAY,
  NOW,
  portion,
  resource,
  saveOneLine,
  usage,
} from './fixtures.ts';
import { type MakeStore, type StoreTest, storeTests, type TestRunner } from './store-test.ts';

export function testCoordination(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, { topic: 'the state of a tenant', declare: [declareTenantState] });
  storeTests(runner, makeStore, {
    topic: 'revisions of a day',
    declare: [declareRevisions, declareProvisional, declareAttempts],
  });
  storeTests(runner, makeStore, {
    topic: 'what a listing no longer names',
    declare: [declareWholeListings, declareDeletions],
  });
  storeTests(runner, makeStore, {
    topic: 'retention in a store',
    declare: [declarePruning, declarePruningRest],
  });
}

const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

function declareTenantState(test: StoreTest): void {
  test('begins with nothing and keeps what is not changed', async (store, reopen) => {
    const nothing = {
      gatherFailures: 0,
      suspendedAt: null,
      suspendedBecause: null,
      nextRunAt: null,
      prunedBefore: null,
    };
    assert.deepEqual(await store.tenantState(), nothing);
    await store.saveTenantState({ gatherFailures: 3, nextRunAt: later(5) });
    await store.saveTenantState({ suspendedAt: NOW, suspendedBecause: 'the source is gone' });
    assert.deepEqual(await (await reopen()).tenantState(), {
      gatherFailures: 3,
      suspendedAt: NOW,
      suspendedBecause: 'the source is gone',
      nextRunAt: later(5),
      prunedBefore: null,
    });
  });
}

function declareRevisions(test: StoreTest): void {
  test('tell when, why, and what it came to before and after, by currency', async (store) => {
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 60n, [UNALLOCATED]: 40n })] });
    assert.deepEqual(await store.revisions(FEBRUARY), []);
    await store.saveGatheredDay(gathered([line('a', { units: 130n }), line('b', { currency: 'EUR' })]));
    const lines = [
      allocated('a', [portion({ x: 100n })], { retainedUnits: 30n }),
      allocated('b', [portion({ x: 100n })]),
    ];
    const again = {
      calculationId: 'calculation-2',
      runId: 'run-2',
      reason: 'bill or usage',
      calculatedAt: later(1),
    };
    await store.saveCalculatedDay(calculated(lines, again));
    const revisions = await store.revisions(FEBRUARY);
    const nothing = { billed: 0n, allocated: 0n, unallocated: 0n, retained: 0n };
    const common = { date: DAY, revisedAt: later(1), runId: 'run-2', reason: 'bill or usage' };
    assert.deepEqual(
      revisions.toSorted((left, right) => (left.currency < right.currency ? -1 : 1)),
      [
        { ...common, currency: 'EUR', before: nothing, after: { ...nothing, billed: 100n, allocated: 100n } },
        {
          ...common,
          currency: 'USD',
          before: { billed: 100n, allocated: 100n, unallocated: 40n, retained: 0n },
          after: { billed: 130n, allocated: 100n, unallocated: 0n, retained: 30n },
        },
      ],
    );
  });

  test('are not recorded for the same result', async (store) => {
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 100n })] });
    await store.saveCalculatedDay(
      calculated([allocated('a', [portion({ x: 100n })])], { calculationFingerprint: 'other' }),
    );
    assert.deepEqual(await store.revisions(FEBRUARY), []);
  });
}

function declareProvisional(test: StoreTest): void {
  test('are not recorded when what is replaced was provisional and nobody has confirmed it', async (store) => {
    await store.saveGatheredDay(gathered([line('a')]));
    const replace = (id: string, provisional: boolean) =>
      store.saveCalculatedDay(
        calculated([allocated('a', [portion({ x: 100n })])], { calculationId: id, provisional }),
      );
    const isProvisional = async () => (await store.dateStates(FEBRUARY))[0]?.provisional;
    await replace('first', true);
    assert.equal(await isProvisional(), true);
    await replace('second', true);
    assert.deepEqual(await store.revisions(FEBRUARY), []);
    await store.confirmCalculations('run-2');
    assert.equal(await isProvisional(), false);
    await replace('third', false);
    assert.equal((await store.revisions(FEBRUARY)).length, 1);
  });
}

function declareAttempts(test: StoreTest): void {
  test('remember when a line was last tried', async (store) => {
    await store.saveGatheredDay(gathered([line('a')]));
    const tries = async () => (await store.loadDay(DAY))?.attempts.get('a');
    for (const [count, at, triedAt] of [
      [1, NOW, NOW],
      [1, later(60), NOW],
      [2, later(900), later(900)],
    ] as const) {
      await store.saveCalculatedDay(calculated([heldLine('a', count)], { calculatedAt: at }));
      assert.deepEqual(await tries(), { count, triedAt });
    }
  });
}

const list = (store: Store, ids: readonly string[], seenAt: Date) =>
  store.saveResources({ authoritativeFor: ['cluster'], resources: ids.map((id) => resource(id)) }, seenAt);

async function living(store: Store): Promise<string[]> {
  const { resources } = await store.loadLifetimes(FEBRUARY);
  return resources.filter(({ deletedAt }) => deletedAt === null).map(({ resourceId }) => resourceId);
}

function listed(seenAt: Date, emptyThreshold = -1): ListedTypes {
  return { kind: 'resource', types: ['cluster'], seenAt, emptyThreshold };
}

function declareWholeListings(test: StoreTest): void {
  test('ends whatever was ever listed with a listing that speaks of every type', async (store) => {
    await store.observeIdentities([identity('observed')], FEBRUARY.start);
    for (const at of [0, 20]) {
      const identities = [identity('p', { identityType: 'person' })];
      await store.saveIdentities({ authoritativeFor: [], identities }, later(at));
      const end = { kind: 'identity', types: [], seenAt: later(at + 10), emptyThreshold: 0 } as const;
      assert.deepEqual(await store.deleteUnlisted({ ...end, everyType: true }), { deleted: 1, doubted: [] });
    }
    const { identities } = await store.loadLifetimes(FEBRUARY);
    const open = identities.filter(({ deletedAt }) => deletedAt === null).map(({ identityId }) => identityId);
    assert.deepEqual(open.toSorted(), ['UNALLOCATED', 'observed']);
  });
}

function declareDeletions(test: StoreTest): void {
  test('ends with the listing, and begins again when it is created again', async (store) => {
    await list(store, ['a', 'b'], NOW);
    await store.saveResources(
      { authoritativeFor: [], resources: [resource('t', { resourceType: 'topic' })] },
      NOW,
    );
    await list(store, ['a'], later(60));
    assert.deepEqual(await store.deleteUnlisted(listed(later(60))), { deleted: 1, doubted: [] });
    assert.deepEqual(await living(store), ['a', 't']);
    const again = resource('b', { createdAt: later(90) });
    await store.saveResources({ authoritativeFor: ['cluster'], resources: [again] }, later(120));
    const { resources } = await store.loadLifetimes(FEBRUARY);
    const lives = resources.filter(({ resourceId }) => resourceId === 'b');
    assert.deepEqual(
      lives.map(({ createdAt, deletedAt }) => [createdAt, deletedAt]),
      [
        [null, later(60)],
        [later(90), null],
      ],
    );
  });

  test('is not believed when the listing is empty, until it was so often enough in a row', async (store) => {
    await list(store, ['a'], NOW);
    const doubt = { deleted: 0, doubted: ['cluster'] };
    for (let time = 1; time <= 3; time += 1) {
      assert.deepEqual(await store.deleteUnlisted(listed(later(time))), doubt);
    }
    await list(store, ['a'], later(10));
    await store.deleteUnlisted(listed(later(10), 2));
    assert.deepEqual(await store.deleteUnlisted(listed(later(11), 2)), doubt);
    assert.deepEqual(await store.deleteUnlisted(listed(later(12), 2)), { deleted: 1, doubted: [] });
    assert.deepEqual(await living(store), []);
  });

  test('never ends the system’s own identities or those known from metrics alone', async (store) => {
    const identities = [identity('listed'), identity('seen')];
    await store.saveIdentities({ authoritativeFor: [], identities: identities.slice(0, 1) }, NOW);
    await store.observeIdentities(identities.slice(1), DAY_START);
    await store.deleteUnlisted({
      kind: 'identity',
      types: ['service_account', 'system'],
      seenAt: later(60),
      emptyThreshold: 1,
    });
    const known = (await store.loadLifetimes(FEBRUARY)).identities;
    const ended = known.filter(({ deletedAt }) => deletedAt !== null).map(({ identityId }) => identityId);
    assert.deepEqual(ended, ['listed']);
  });
}

const DAY_START = new Date(`${DAY}T00:00:00.000Z`);

function declarePruning(test: StoreTest): void {
  test('removes the oldest days with all that belongs to them, one at a time', async (store, reopen) => {
    for (const date of [DAY, NEXT_DAY, '2026-02-03']) {
      await store.saveGatheredDay(
        gathered([line('a')], { date, usage: [usage('q', [['r', `only-${date}`, 1]], { date })] }),
      );
      await store.saveCalculatedDay(
        calculated([allocated('a', [portion({ [`id-${date}`]: 100n })])], { date }),
      );
    }
    const limit = '2026-02-03';
    assert.deepEqual(await store.countPrunable(limit), { days: 2, lines: 2, rows: 2, usageRows: 2 });
    assert.equal(await store.pruneOldestDay(limit), true);
    assert.equal(await store.firstDate(), NEXT_DAY);
    assert.equal((await store.tenantState()).prunedBefore, NEXT_DAY);
    await store.saveTenantState({ gatherFailures: 2 });
    assert.equal(await store.pruneOldestDay(limit), true);
    assert.equal(await store.pruneOldestDay(limit), false);
    const { prunedBefore, gatherFailures } = await store.tenantState();
    assert.deepEqual([prunedBefore, gatherFailures], [limit, 2]);
    await store.pruneRest(limit);
    assert.deepEqual(await store.countPrunable(limit), { days: 0, lines: 0, rows: 0, usageRows: 0 });
    const again = await reopen();
    const totals = await again.totals(FEBRUARY, ['identity_id']);
    assert.deepEqual(
      totals.map(({ key, units }) => [key[0], units]),
      [['id-2026-02-03', 100n]],
    );
    // What was removed comes back under the same names.
    await saveOneLine(again, { line: line('a'), portions: [portion({ 'id-2026-02-01': 100n })] });
    assert.equal((await again.totals(FEBRUARY, ['identity_id'])).length, 2);
    // That it was removed once is not forgotten, also when it is removed again.
    assert.equal(await again.pruneOldestDay(NEXT_DAY), true);
    assert.equal((await again.tenantState()).prunedBefore, limit);
  });
}

function declarePruningRest(test: StoreTest): void {
  test('removes runs, emissions and inventory that ended before', async (store) => {
    const old = new Date('2026-01-01');
    await store.saveResources(
      {
        authoritativeFor: [],
        resources: [resource('gone', { deletedAt: old }), resource('here', { createdAt: old })],
      },
      NOW,
    );
    await store.startRun('old', old);
    const counts = { datesGathered: 0, datesCalculated: 0, datesUnchanged: 0, datesHeld: 0, rowsWritten: 0 };
    await store.finishRun({
      runId: 'old',
      startedAt: old,
      endedAt: old,
      status: 'completed',
      stages: {},
      ...counts,
    });
    await store.startRun('new', NOW);
    for (const period of ['2026-01-31', DAY, NEXT_DAY]) {
      await store.saveEmission({
        emitter: 'csv',
        period,
        aggregation: 'monthly',
        batchId: 'batch',
        mark: null,
        others: [],
        status: 'emitted',
        attempts: 1,
        emittedAt: old,
      });
    }
    await store.pruneRest('2026-02-03');
    // A month is remembered until its last day is gone.
    assert.deepEqual(
      (await store.emissions('csv')).map(({ period }) => period),
      [DAY, NEXT_DAY],
    );
    await store.pruneRest(DAY);
    assert.deepEqual(
      (await store.runs(9)).map(({ runId }) => runId),
      ['new'],
    );
    assert.deepEqual(await living(store), ['here']);
    assert.equal((await store.loadLifetimes(FEBRUARY)).resources.length, 1);
  });
}
