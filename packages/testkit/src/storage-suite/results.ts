import assert from 'node:assert/strict';
import { Decimal } from '@chargeback/money';
import { makeProblem, UNALLOCATED } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import {
  allocated,
  calculated,
  DAY,
  FEBRUARY,
  gathered,
  heldLine,
  line,
  NEXT_DAY,
  NOW,
  portion,
  saveOneLine,
} from './fixtures.ts';
import {
  assertRejects,
  collect,
  type MakeStore,
  type StoreTest,
  storeTests,
  type TestRunner,
} from './store-test.ts';

export function testResults(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, { topic: 'results of a day', declare: [declareResults, declareReplacing] });
  storeTests(runner, makeStore, { topic: 'a calculation that is refused', declare: [declareRefused] });
}

async function amounts(store: Store): Promise<Record<string, bigint>> {
  const rows = await collect(store.rows(FEBRUARY, null));
  return Object.fromEntries(rows.map(({ identityId, amount }) => [identityId, amount.units]));
}

function declareResults(test: StoreTest): void {
  test('are kept, counted and recorded in the state of the day', async (store, reopen) => {
    const lines = [line('a'), line('b', { units: 50n }), line('c')];
    await store.saveGatheredDay(gathered(lines));
    const composite = { compositionIndex: 0, compositionRatio: new Decimal('0.4') };
    await store.saveCalculatedDay(
      calculated([
        allocated('a', [
          portion({ x: 30n, y: 10n }, composite),
          portion({ x: 60n }, { ...composite, compositionIndex: 1, method: 'even_split', chainTier: null }),
        ]),
        allocated('b', [portion({ x: 20n })], { retainedUnits: 30n }),
        heldLine('c'),
      ]),
    );
    const [state] = await (await reopen()).dateStates(FEBRUARY);
    assert.equal(state?.state, 'held');
    assert.deepEqual([state?.lineCount, state?.rowCount, state?.heldLineCount], [3, 4, 1]);
    assert.equal(state?.failedLineCount, 0);
    assert.deepEqual(
      [state?.calculationFingerprint, state?.calculationId],
      ['fingerprint-1', 'calculation-1'],
    );
    assert.deepEqual(state?.calculatedAt, NOW);
  });

  test('count the lines whose allocation failed, until their inputs change', async (store) => {
    await store.saveGatheredDay(gathered([line('a'), line('b')]));
    const failed = portion({ [UNALLOCATED]: 100n }, { detail: 'ALLOCATION_FAILED' });
    await store.saveCalculatedDay(
      calculated([allocated('a', [failed]), allocated('b', [portion({ x: 100n })])]),
    );
    assert.equal((await store.dateStates(FEBRUARY))[0]?.failedLineCount, 1);
    assert.equal((await store.saveGatheredDay(gathered([line('a')]))).failedLineCount, 0);
  });

  test('keep amounts beyond 2⁵³ exactly', async (store, reopen) => {
    const units = { x: 9_007_199_254_740_993n, y: 2n ** 62n + 1n };
    await saveOneLine(store, { line: line('a', { units: units.x + units.y }), portions: [portion(units)] });
    assert.deepEqual(await amounts(await reopen()), units);
  });

  test('add rows that agree in every dimension, within a portion and across portions and lines', async (store) => {
    await store.saveGatheredDay(gathered([line('a'), line('b')]));
    const twice = portion([
      ['x', 1n],
      ['y', 2n],
      ['x', 4n],
    ]);
    await store.saveCalculatedDay(
      calculated([allocated('a', [twice, portion({ x: 93n })]), allocated('b', [portion({ x: 100n })])]),
    );
    assert.deepEqual(await amounts(store), { x: 198n, y: 2n });
  });
}

function declareReplacing(test: StoreTest): void {
  test('replace the results before them', async (store) => {
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 60n, y: 40n })] });
    await store.saveCalculatedDay(
      calculated([allocated('a', [portion({ z: 100n }, { method: 'terminal', detail: null })])]),
    );
    assert.deepEqual(await amounts(store), { z: 100n });
    assert.equal((await store.dateStates(FEBRUARY))[0]?.rowCount, 1);
  });

  test('belong to their lines when the bill was another one in between', async (store) => {
    const lines = [line('a', { units: 30n }), line('b', { units: 70n })];
    await store.saveGatheredDay(gathered(lines));
    const { bill } = (await store.loadDay(DAY))!;
    await store.saveGatheredDay(gathered([]));
    await store.saveGatheredDay(gathered(lines.toReversed()));
    const results = [allocated('a', [portion({ x: 30n })]), allocated('b', [portion({ y: 70n })])];
    await store.saveCalculatedDay(calculated(results, { bill }));
    const byLine = await store.reconcile(FEBRUARY, 'line');
    assert.deepEqual(
      byLine.map(({ billed, allocated: given, difference }) => [billed, given, difference]),
      [
        [30n, 30n, 0n],
        [70n, 70n, 0n],
      ],
    );
  });

  test('of one day leave every other day alone', async (store) => {
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 100n })] });
    await saveOneLine(store, { date: NEXT_DAY, line: line('a'), portions: [portion({ y: 100n })] });
    await saveOneLine(store, { line: line('a', { units: 1n }), portions: [portion({ z: 1n })] });
    assert.deepEqual(await amounts(store), { z: 1n, y: 100n });
  });

  test('know nothing of a resource from the empty text', async (store) => {
    const lines = [line('a', { resourceId: null }), line('b', { resourceId: '' })];
    await store.saveGatheredDay(gathered(lines));
    const results = lines.map(({ lineId }) => allocated(lineId, [portion({ x: 100n }, { detail: null })]));
    await store.saveCalculatedDay(calculated(results));
    await store.saveCalculatedDay(calculated(results));
    const rows = await collect(store.rows(FEBRUARY, null));
    assert.deepEqual(
      rows.map(({ resourceId, amount }) => [resourceId, amount.units]),
      [
        [null, 100n],
        ['', 100n],
      ],
    );
  });
}

function declareRefused(test: StoreTest): void {
  const refusals = [
    ['whose rows do not add up', [allocated('a', [portion({ new: 99n })])]],
    ['whose retained cost does not add up', [allocated('a', [portion({ x: 99n })], { retainedUnits: 2n })]],
    ['whose held line has rows', [{ ...heldLine('a'), portions: [portion({ x: 100n })] }]],
    ['that lacks a line of the bill', []],
    [
      'of a line that is not billed',
      [allocated('a', [portion({ new: 100n })]), allocated('b', [portion({ x: 0n })])],
    ],
  ] as const;
  for (const [name, lines] of refusals) {
    test(`${name} leaves the results before it as they were`, async (store, reopen) => {
      await store.saveGatheredDay(gathered([line('a')]));
      const problems = [makeProblem('CB_USAGE_INCOMPLETE', 'little was seen', { date: DAY })];
      await store.saveCalculatedDay(
        calculated([allocated('a', [portion({ old: 100n })], { attempts: 2 })], { problems }),
      );
      const before = await store.dateStates(FEBRUARY);
      const { bill } = (await store.loadDay(DAY))!;
      for (const known of [{}, { bill }]) {
        await assertRejects(
          store.saveCalculatedDay(calculated(lines, { calculationId: 'calculation-2', ...known })),
          'CB_UNCONSERVED',
        );
      }
      assert.deepEqual(await store.dateStates(FEBRUARY), before);
      assert.deepEqual(await amounts(store), { old: 100n });
      assert.equal((await store.loadDay(DAY))?.attempts.get('a')?.count, 2);
      assert.deepEqual(await store.problems(FEBRUARY), problems);
      // What was prepared for the refused rows must not be taken for stored.
      await store.saveCalculatedDay(calculated([allocated('a', [portion({ newest: 60n, new: 40n })])]));
      assert.deepEqual(await amounts(await reopen()), { newest: 60n, new: 40n });
    });
  }

  test('is one from a bill that was restated since', async (store) => {
    await store.saveGatheredDay(gathered([line('a'), line('b')]));
    const { bill } = (await store.loadDay(DAY))!;
    await store.saveGatheredDay(gathered([line('a', { units: 70n }), line('c')]));
    const former = [allocated('a', [portion({ x: 100n })]), allocated('b', [portion({ y: 100n })])];
    await assertRejects(store.saveCalculatedDay(calculated(former, { bill })), 'CB_UNCONSERVED');
    assert.deepEqual(await amounts(store), {});
    const restated = [allocated('a', [portion({ x: 70n })]), allocated('c', [portion({ z: 100n })])];
    const { bill: restatedBill } = (await store.loadDay(DAY))!;
    await store.saveCalculatedDay(calculated(restated, { bill: restatedBill }));
    assert.deepEqual(await amounts(store), { x: 70n, z: 100n });
  });

  test('is one that adds up only to lines that were changed after they were read', async (store) => {
    await store.saveGatheredDay(gathered([line('a')]));
    const { bill, lines } = (await store.loadDay(DAY))!;
    Object.assign(lines[0]!.totalCost, { units: 1n });
    const changed = [allocated('a', [portion({ x: 1n })])];
    await assertRejects(store.saveCalculatedDay(calculated(changed, { bill })), 'CB_UNCONSERVED');
    assert.deepEqual(await amounts(store), {});
  });

  test('because its day has no inputs writes nothing', async (store) => {
    await assertRejects(store.saveCalculatedDay(calculated([])), 'CB_INTERNAL');
    assert.deepEqual(await store.dateStates(FEBRUARY), []);
  });
}
