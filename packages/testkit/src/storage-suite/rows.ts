import assert from 'node:assert/strict';
import type { AllocationDetail, ChargebackRow } from '@chargeback/plugin-api';
import type { CalculatedPortion, Store } from '@chargeback/storage';
import {
  allocated,
  calculated,
  DAY,
  FEBRUARY,
  gathered,
  line,
  NEXT_DAY,
  portion,
  saveOneLine,
  windowOf,
} from './fixtures.ts';
import { collect, type MakeStore, type StoreTest, storeTests, type TestRunner } from './store-test.ts';

export function testRows(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, {
    topic: 'rows of a store',
    declare: [declareRows, declareOrder, declareChunks],
  });
  storeTests(runner, makeStore, {
    topic: 'aggregated rows of a store',
    declare: [declareAggregated, declareNeverAdded],
  });
}

function keyOf(row: ChargebackRow): string {
  const { timestamp, resourceId, environmentId, productCategory, productType, identityId } = row;
  const { costType, allocationMethod, allocationDetail, amount } = row;
  return [
    timestamp.toISOString().slice(0, 13),
    resourceId ?? '-',
    environmentId ?? '-',
    productCategory,
    productType,
    identityId,
    costType,
    allocationMethod ?? '-',
    allocationDetail ?? '-',
    amount.units,
    amount.currency,
  ].join(' ');
}

async function keysOf(store: Store, ...query: Parameters<Store['rows']>): Promise<string[]> {
  return (await collect(store.rows(...query))).map(keyOf);
}

/** Two instants of one day; identity x is reached by two methods at both of them. */
async function saveTwoHours(store: Store, date = DAY): Promise<void> {
  const hours = ['03', '01'].map((hour) =>
    line(`at-${hour}`, { timestamp: new Date(`${date}T${hour}:00:00Z`), granularity: 'hourly', units: 10n }),
  );
  await store.saveGatheredDay(gathered(hours, { date }));
  const ratio = portion({ x: 4n, y: 1n });
  const even = portion({ x: 5n }, { method: 'even_split', detail: 'EVEN_SPLIT_ALLOCATION' });
  await store.saveCalculatedDay(
    calculated([allocated('at-03', [ratio, even]), allocated('at-01', [ratio, even])], { date }),
  );
}

function declareRows(test: StoreTest): void {
  test('carry every column', async (store) => {
    await saveOneLine(store, { line: line('a', { currency: 'EUR' }), portions: [portion({ x: 100n })] });
    const [row] = await collect(store.rows(FEBRUARY, null));
    const { ecosystem, tenantId, ...columns } = row!;
    assert.ok(ecosystem !== '' && tenantId !== '');
    assert.deepEqual(columns, {
      timestamp: new Date('2026-02-01T00:00:00Z'),
      resourceId: 'cluster-1',
      environmentId: 'env-1',
      productCategory: 'COMPUTE',
      productType: 'COMPUTE_HOURS',
      identityId: 'x',
      costType: 'USAGE',
      amount: { units: 100n, currency: 'EUR' },
      allocationMethod: 'usage_ratio',
      allocationDetail: 'USAGE_RATIO_ALLOCATION',
    });
  });
}

function evenly(method: string, detail: AllocationDetail | null): CalculatedPortion {
  return portion({ B: 1n }, { method, detail, costType: 'SHARED' });
}

function declareOrder(test: StoreTest): void {
  test('come in code-unit order of the columns, nulls first', async (store) => {
    const variants = [
      { resourceId: 'b' },
      { resourceId: 'a', environmentId: 'e2' },
      { resourceId: 'a', environmentId: null },
      { resourceId: null },
      { resourceId: 'a', environmentId: 'e1', productCategory: 'Z' },
      { resourceId: 'a', environmentId: 'e1', productCategory: 'Y', productType: 'q' },
      { resourceId: 'a', environmentId: 'e1', productCategory: 'Y', productType: 'Q' },
    ];
    const lines = variants.map((fields, index) => line(`line-${index}`, { ...fields, units: 6n }));
    const identities = { 'a\uFF5E': 1n, 'a\u{1F600}': 1n, B: 1n };
    const portions = [
      evenly('m', 'NO_METRICS_LOCATED'),
      evenly('m', null),
      evenly('M', 'NO_METRICS_LOCATED'),
      portion(identities),
    ];
    await store.saveGatheredDay(gathered(lines));
    await store.saveCalculatedDay(calculated(lines.map(({ lineId }) => allocated(lineId, portions))));
    const rows = await collect(store.rows(FEBRUARY, null));
    const order = rows.map((row) => [
      row.resourceId ?? '',
      row.environmentId ?? '',
      row.productCategory,
      row.productType,
    ]);
    assert.equal(rows.length, variants.length * 6);
    assert.deepEqual(
      order.filter((_, index) => index % 6 === 0),
      [
        ['', 'env-1', 'COMPUTE', 'COMPUTE_HOURS'],
        ['a', '', 'COMPUTE', 'COMPUTE_HOURS'],
        ['a', 'e1', 'Y', 'Q'],
        ['a', 'e1', 'Y', 'q'],
        ['a', 'e1', 'Z', 'COMPUTE_HOURS'],
        ['a', 'e2', 'COMPUTE', 'COMPUTE_HOURS'],
        ['b', 'env-1', 'COMPUTE', 'COMPUTE_HOURS'],
      ],
    );
    assert.deepEqual(
      rows
        .slice(0, 6)
        .map((row) => [row.identityId, row.costType, row.allocationMethod, row.allocationDetail]),
      [
        ['B', 'SHARED', 'M', 'NO_METRICS_LOCATED'],
        ['B', 'SHARED', 'm', null],
        ['B', 'SHARED', 'm', 'NO_METRICS_LOCATED'],
        ['B', 'USAGE', 'usage_ratio', 'USAGE_RATIO_ALLOCATION'],
        ['a\u{1F600}', 'USAGE', 'usage_ratio', 'USAGE_RATIO_ALLOCATION'],
        ['a\uFF5E', 'USAGE', 'usage_ratio', 'USAGE_RATIO_ALLOCATION'],
      ],
    );
  });
}

function declareChunks(test: StoreTest): void {
  test('come in chunks, day by day, also while another day is written', async (store) => {
    const identities = Array.from({ length: 2500 }, (_, index): [string, bigint] => [`id-${index}`, 1n]);
    const big = line('a', { units: 2500n });
    await saveOneLine(store, { line: big, portions: [portion(identities)] });
    await saveOneLine(store, {
      date: NEXT_DAY,
      line: { ...big, timestamp: new Date(`${NEXT_DAY}T00:00:00Z`) },
      portions: [portion(identities)],
    });
    const sizes: number[] = [];
    const seen: ChargebackRow[] = [];
    for await (const chunk of store.rows(FEBRUARY, null)) {
      if (sizes.length === 0) {
        await saveOneLine(store, { date: '2026-01-01', line: line('b'), portions: [portion({ z: 100n })] });
      }
      sizes.push(chunk.length);
      seen.push(...chunk);
    }
    assert.ok(Math.max(...sizes) <= 1000);
    assert.equal(seen.length, 5000);
    assert.equal(new Set(seen.map(keyOf)).size, 5000);
    assert.deepEqual(seen.map(keyOf), seen.map(keyOf).toSorted());
  });

  test('may be left before the end', async (store) => {
    const identities = Array.from({ length: 1500 }, (_, index): [string, bigint] => [`id-${index}`, 1n]);
    await saveOneLine(store, { line: line('a', { units: 1500n }), portions: [portion(identities)] });
    for await (const chunk of store.rows(FEBRUARY, null)) {
      assert.ok(chunk.length > 0);
      break;
    }
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 100n })] });
    assert.equal((await collect(store.rows(FEBRUARY, null))).length, 1);
  });
}

function declareAggregated(test: StoreTest): void {
  const compute = 'cluster-1 env-1 COMPUTE COMPUTE_HOURS';
  const even = 'USAGE even_split EVEN_SPLIT_ALLOCATION';
  const ratio = 'USAGE usage_ratio USAGE_RATIO_ALLOCATION';

  test('keep the timestamps of the lines without aggregation and by hour', async (store) => {
    await saveTwoHours(store);
    const expected = ['01', '03'].flatMap((hour) => [
      `2026-02-01T${hour} ${compute} x ${even} 5 USD`,
      `2026-02-01T${hour} ${compute} x ${ratio} 4 USD`,
      `2026-02-01T${hour} ${compute} y ${ratio} 1 USD`,
    ]);
    assert.deepEqual(await keysOf(store, FEBRUARY, null), expected);
    assert.deepEqual(await keysOf(store, FEBRUARY, 'hourly'), expected);
  });

  test('add up a day; method and detail are null where they differ', async (store) => {
    await saveTwoHours(store);
    await saveTwoHours(store, NEXT_DAY);
    assert.deepEqual(
      await keysOf(store, FEBRUARY, 'daily'),
      [DAY, NEXT_DAY].flatMap((date) => [
        `${date}T00 ${compute} x USAGE - - 18 USD`,
        `${date}T00 ${compute} y ${ratio} 2 USD`,
      ]),
    );
  });

  test('keep the method where only details differ, also where one detail is none', async (store) => {
    await saveOneLine(store, {
      line: line('a'),
      portions: [portion({ x: 60n }, { detail: null }), portion({ x: 40n })],
    });
    assert.deepEqual(await keysOf(store, FEBRUARY, 'daily'), [
      `2026-02-01T00 ${compute} x USAGE usage_ratio - 100 USD`,
    ]);
  });

  test('add up the days of a month that are in the window, dated with its first day', async (store) => {
    for (const date of ['2026-01-30', '2026-01-31', '2026-02-01', '2026-02-28'])
      await saveTwoHours(store, date);
    assert.deepEqual(await keysOf(store, windowOf('2026-01-31', '2026-03-01'), 'monthly'), [
      `2026-01-01T00 ${compute} x USAGE - - 18 USD`,
      `2026-01-01T00 ${compute} y ${ratio} 2 USD`,
      `2026-02-01T00 ${compute} x USAGE - - 36 USD`,
      `2026-02-01T00 ${compute} y ${ratio} 4 USD`,
    ]);
  });
}

function declareNeverAdded(test: StoreTest): void {
  test('never add two currencies or two cost types', async (store) => {
    const lines = [line('a'), line('b', { currency: 'EUR' })];
    await store.saveGatheredDay(gathered(lines));
    const portions = [portion({ x: 60n }), portion({ x: 40n }, { costType: 'SHARED' })];
    await store.saveCalculatedDay(calculated(lines.map(({ lineId }) => allocated(lineId, portions))));
    for (const aggregation of [null, 'daily', 'monthly'] as const) {
      assert.deepEqual(
        (await collect(store.rows(FEBRUARY, aggregation))).map(({ costType, amount }) => [
          costType,
          amount.units,
          amount.currency,
        ]),
        [
          ['SHARED', 40n, 'EUR'],
          ['SHARED', 40n, 'USD'],
          ['USAGE', 60n, 'EUR'],
          ['USAGE', 60n, 'USD'],
        ],
      );
    }
  });
}
