import assert from 'node:assert/strict';
import { UNALLOCATED } from '@chargeback/plugin-api';
import type { ReconciliationGrouping, Store } from '@chargeback/storage';
import {
  allocated,
  calculated,
  FEBRUARY,
  gathered,
  heldLine,
  line,
  NEXT_DAY,
  portion,
  saveOneLine,
} from './fixtures.ts';
import { type MakeStore, type StoreTest, storeTests, type TestRunner } from './store-test.ts';

export function testReconciliation(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, {
    topic: 'reconciliation of a store',
    declare: [declareReconciliation, declareChangedBills, declareGroupings],
  });
}

/** Key, billed, allocated, retained, held; the difference must be zero in every state. */
async function reconciled(store: Store, grouping: ReconciliationGrouping): Promise<unknown[][]> {
  const rows = await store.reconcile(FEBRUARY, grouping);
  for (const { key, difference } of rows) assert.equal(difference, 0n, `difference of ${key}`);
  const allocatedUnits = rows.reduce((sum, row) => sum + row.allocated, 0n);
  const totals = await store.totals(FEBRUARY, []);
  assert.equal(
    allocatedUnits,
    totals.reduce((sum, { units }) => sum + units, 0n),
  );
  return rows.map(({ key, billed, allocated: rowsSum, retained, held }) => [
    key,
    billed,
    rowsSum,
    retained,
    held,
  ]);
}

function declareReconciliation(test: StoreTest): void {
  test('shows what is gathered and not calculated as held', async (store) => {
    await store.saveGatheredDay(gathered([line('a'), line('b', { units: -30n })]));
    assert.deepEqual(await reconciled(store, 'day'), [['2026-02-01', 70n, 0n, 0n, 70n]]);
    assert.deepEqual(await reconciled(store, 'line'), [
      ['a', 100n, 0n, 0n, 100n],
      ['b', -30n, 0n, 0n, -30n],
    ]);
  });

  test('counts a held line also when its cost stands at 0', async (store) => {
    await store.saveGatheredDay(gathered([line('a'), line('unknown', { units: 0n })]));
    await store.saveCalculatedDay(calculated([allocated('a', [portion({ x: 100n })]), heldLine('unknown')]));
    const [row] = await store.reconcile(FEBRUARY, 'month');
    assert.deepEqual([row?.held, row?.heldLines, row?.difference], [0n, 1, 0n]);
  });

  test('shows rows, retained cost, held lines and what went to nobody', async (store) => {
    await store.saveGatheredDay(gathered([line('a'), line('b', { units: 50n }), line('c', { units: 7n })]));
    await store.saveCalculatedDay(
      calculated([
        allocated('a', [portion({ x: 60n }), portion({ [UNALLOCATED]: 40n }, { method: 'terminal' })]),
        allocated('b', [portion({ x: 20n })], { retainedUnits: 30n }),
        heldLine('c'),
      ]),
    );
    assert.deepEqual(await reconciled(store, 'line'), [
      ['a', 100n, 100n, 0n, 0n],
      ['b', 50n, 20n, 30n, 0n],
      ['c', 7n, 0n, 0n, 7n],
    ]);
    assert.deepEqual(await store.reconcile(FEBRUARY, 'month'), [
      {
        key: '2026-02',
        date: '2026-02-01',
        currency: 'USD',
        billed: 157n,
        allocated: 120n,
        unallocated: 40n,
        retained: 30n,
        held: 7n,
        difference: 0n,
        heldLines: 1,
      },
    ]);
  });
}

function declareChangedBills(test: StoreTest): void {
  test('shows a changed bill as held by what it changed, until it is calculated', async (store) => {
    const results = ['a', 'b'].map((id) => allocated(id, [portion({ x: 90n })], { retainedUnits: 10n }));
    await store.saveGatheredDay(gathered([line('a'), line('b')]));
    await store.saveCalculatedDay(calculated(results));
    await store.saveGatheredDay(gathered([line('a', { units: 130n }), line('c', { units: 5n })]));
    assert.deepEqual(await reconciled(store, 'line'), [
      ['a', 130n, 90n, 10n, 30n],
      ['b', 0n, 90n, 10n, -100n],
      ['c', 5n, 0n, 0n, 5n],
    ]);
    assert.deepEqual(await reconciled(store, 'day'), [['2026-02-01', 135n, 180n, 20n, -65n]]);
    await store.saveCalculatedDay(
      calculated([allocated('a', [portion({ x: 130n })]), allocated('c', [portion({ x: 5n })])]),
    );
    assert.deepEqual(await reconciled(store, 'line'), [
      ['a', 130n, 130n, 0n, 0n],
      ['c', 5n, 5n, 0n, 0n],
    ]);
  });

  test('follows a line that was held, gathered again and then calculated', async (store) => {
    await store.saveGatheredDay(gathered([line('a')]));
    await store.saveCalculatedDay(calculated([heldLine('a')]));
    assert.deepEqual(await reconciled(store, 'day'), [['2026-02-01', 100n, 0n, 0n, 100n]]);
    await store.saveGatheredDay(gathered([line('a', { units: 101n })]));
    assert.deepEqual(await reconciled(store, 'day'), [['2026-02-01', 101n, 0n, 0n, 101n]]);
    await store.saveCalculatedDay(calculated([allocated('a', [portion({ x: 101n })])]));
    assert.deepEqual(await reconciled(store, 'day'), [['2026-02-01', 101n, 101n, 0n, 0n]]);
  });
}

function declareGroupings(test: StoreTest): void {
  test('keeps currencies apart, also when a line changes its own', async (store) => {
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 100n })] });
    await store.saveGatheredDay(gathered([line('a', { currency: 'EUR' })]));
    const rows = await store.reconcile(FEBRUARY, 'line');
    assert.deepEqual(
      rows.map(({ currency, billed, allocated: sum, held, difference }) => [
        currency,
        billed,
        sum,
        held,
        difference,
      ]),
      [
        ['EUR', 100n, 0n, 100n, 0n],
        ['USD', 0n, 100n, -100n, 0n],
      ],
    );
  });

  test('orders by date and key and shows the days of the window only', async (store) => {
    for (const date of [NEXT_DAY, '2026-02-01', '2026-03-01']) {
      await store.saveGatheredDay(gathered([line('b'), line('a')], { date }));
    }
    assert.deepEqual(
      (await store.reconcile(FEBRUARY, 'line')).map(({ date, key }) => `${date} ${key}`),
      ['2026-02-01 a', '2026-02-01 b', '2026-02-02 a', '2026-02-02 b'],
    );
    assert.deepEqual(
      (await store.reconcile(FEBRUARY, 'day')).map(({ key }) => key),
      ['2026-02-01', '2026-02-02'],
    );
  });
}
