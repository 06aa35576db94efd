import assert from 'node:assert/strict';
import {
  allocated,
  calculated,
  FEBRUARY,
  gathered,
  line,
  NEXT_DAY,
  portion,
  saveOneLine,
  windowOf,
} from './fixtures.ts';
import { collect, type MakeStore, type StoreTest, storeTests, type TestRunner } from './store-test.ts';

export function testTotals(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, {
    topic: 'totals of a store',
    declare: [declareTotals, declareSumsOfRows, declareGrouped, declareCalendar, declareCurrencies],
  });
}

function declareTotals(test: StoreTest): void {
  test('are exact beyond 2⁶³, and below zero', async (store) => {
    const units = 2n ** 63n - 1n;
    const odd = -9_007_199_254_740_993n;
    const lines = ['a', 'b', 'c'].map((id) => line(id, { units }));
    await store.saveGatheredDay(gathered([...lines, line('d', { units: odd })]));
    await store.saveCalculatedDay(
      calculated([
        ...lines.map(({ lineId }) => allocated(lineId, [portion({ x: units })])),
        allocated('d', [portion({ y: odd })]),
      ]),
    );
    assert.deepEqual(await store.totals(FEBRUARY, []), [
      { key: [], currency: 'USD', units: 3n * units + odd, rowCount: 4 },
    ]);
    assert.deepEqual(await store.totals(FEBRUARY, ['identity_id']), [
      { key: ['x'], currency: 'USD', units: 3n * units, rowCount: 3 },
      { key: ['y'], currency: 'USD', units: odd, rowCount: 1 },
    ]);
    const [row] = await collect(store.rows(FEBRUARY, 'monthly'));
    assert.equal(row?.amount.units, 3n * units);
    const [day] = await store.reconcile(FEBRUARY, 'day');
    assert.deepEqual(
      [day?.billed, day?.allocated, day?.difference],
      [3n * units + odd, 3n * units + odd, 0n],
    );
  });
}

function declareSumsOfRows(test: StoreTest): void {
  test('of rows are exact where amounts are exact as numbers and their sum is not', async (store) => {
    const most = 2n ** 53n - 1n;
    const units = [most, 2n, most, -3n];
    const lines = units.map((amount, index) => line(`line-${index}`, { units: amount }));
    await store.saveGatheredDay(gathered(lines));
    await store.saveCalculatedDay(
      calculated(lines.map(({ lineId, totalCost }) => allocated(lineId, [portion({ x: totalCost.units })]))),
    );
    for (const aggregation of ['daily', 'monthly', null] as const) {
      const rows = await collect(store.rows(FEBRUARY, aggregation));
      assert.deepEqual(
        rows.map(({ amount }) => amount.units),
        [2n * most - 1n],
        `aggregation ${aggregation}`,
      );
    }
  });
}

function declareGrouped(test: StoreTest): void {
  test('are grouped by the dimensions asked for, in that order, largest first', async (store) => {
    const lines = [
      line('a', { units: 10n, productType: 'P', environmentId: null }),
      line('b', { units: 30n, productType: 'Q' }),
    ];
    await store.saveGatheredDay(gathered(lines));
    await store.saveCalculatedDay(
      calculated([
        allocated('a', [portion({ x: 5n, y: 5n })]),
        allocated('b', [portion({ x: 20n }), portion({ z: 10n }, { costType: 'SHARED', detail: null })]),
      ]),
    );
    const of = async (...dimensions: Parameters<typeof store.totals>[1]) =>
      (await store.totals(FEBRUARY, dimensions)).map(({ key, units }) => [...key, units]);
    assert.deepEqual(await of('product_type', 'environment_id'), [
      ['Q', 'env-1', 30n],
      ['P', null, 10n],
    ]);
    assert.deepEqual(await of('identity_id', 'cost_type'), [
      ['x', 'USAGE', 25n],
      ['z', 'SHARED', 10n],
      ['y', 'USAGE', 5n],
    ]);
    assert.deepEqual(await of('allocation_detail', 'allocation_method'), [
      ['USAGE_RATIO_ALLOCATION', 'usage_ratio', 30n],
      [null, 'usage_ratio', 10n],
    ]);
    assert.deepEqual(await of('resource_id', 'product_category'), [['cluster-1', 'COMPUTE', 40n]]);
  });
}

function declareCalendar(test: StoreTest): void {
  test('follow days and months', async (store) => {
    for (const [date, units] of [
      ['2026-01-31', 1n],
      ['2026-02-01', 2n],
      [NEXT_DAY, 4n],
      ['2026-03-01', 8n],
    ] as const) {
      await saveOneLine(store, { date, line: line('a', { units }), portions: [portion({ x: units })] });
    }
    const window = windowOf('2026-01-01', '2026-03-01');
    assert.deepEqual(
      (await store.totals(window, ['month', 'identity_id'])).map(({ key, units, rowCount }) => [
        ...key,
        units,
        rowCount,
      ]),
      [
        ['2026-02', 'x', 6n, 2],
        ['2026-01', 'x', 1n, 1],
      ],
    );
    assert.deepEqual(
      (await store.totals(window, ['date'])).map(({ key, units }) => [...key, units]),
      [
        ['2026-02-02', 4n],
        ['2026-02-01', 2n],
        ['2026-01-31', 1n],
      ],
    );
  });
}

function declareCurrencies(test: StoreTest): void {
  test('are kept apart by currency', async (store) => {
    const lines = [line('a'), line('b', { currency: 'EUR', units: 50n })];
    await store.saveGatheredDay(gathered(lines));
    await store.saveCalculatedDay(
      calculated([allocated('a', [portion({ x: 100n })]), allocated('b', [portion({ x: 50n })])]),
    );
    assert.deepEqual(
      (await store.totals(FEBRUARY, ['identity_id'])).map(({ currency, units }) => [currency, units]),
      [
        ['USD', 100n],
        ['EUR', 50n],
      ],
    );
    assert.deepEqual(await store.totals(windowOf('2026-01-01', '2026-02-01'), []), []);
  });
}
