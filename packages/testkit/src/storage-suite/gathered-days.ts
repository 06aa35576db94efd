import assert from 'node:assert/strict';
import { Decimal } from '@chargeback/money';
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
  usage,
  windowOf,
} from './fixtures.ts';
import {
  assertRejects,
  collect,
  type MakeStore,
  type StoreTest,
  storeTests,
  type TestRunner,
} from './store-test.ts';

export function testGatheredDays(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, { topic: 'inputs of a day', declare: [declareInputs] });
  storeTests(runner, makeStore, {
    topic: 'usage of a day',
    declare: [declareExactUsage, declareUsage, declareUnstorable],
  });
  storeTests(runner, makeStore, { topic: 'state of a day', declare: [declareStateLists, declareStates] });
  storeTests(runner, makeStore, { topic: 'digest of the inputs', declare: [declareDigest] });
}

function declareInputs(test: StoreTest): void {
  test('come back exactly, lines sorted by id', async (store, reopen) => {
    const lines = [
      line('b', {
        units: -(2n ** 63n) + 1n,
        timestamp: new Date('2026-02-01T13:00:00Z'),
        granularity: 'hourly',
        quantity: new Decimal('0.0000000000000000000000000000000001'),
        unitPrice: new Decimal('-12345678901234567890.123456789'),
        coverage: { samplesSeen: 23, samplesExpected: 24 },
        metadata: { total_cost_source: '1.234567891', deep: [{ x: null }] },
      }),
      line('a\u{1F600}', { resourceId: null, environmentId: null, currency: 'EUR' }),
      line('a\uFF5E', { units: 2n ** 63n - 1n }),
      line('A', { units: 9_007_199_254_740_993n }),
    ];
    await store.saveGatheredDay(gathered(lines));
    const day = await (await reopen()).loadDay(DAY);
    assert.deepEqual(day?.lines, [lines[3], lines[1], lines[2], lines[0]]);
    assert.equal(day?.date, DAY);
    assert.equal(day?.attempts.size, 0);
  });

  test('are undefined for a day that has none', async (store) => {
    await store.saveGatheredDay(gathered([]));
    assert.equal(await store.loadDay(NEXT_DAY), undefined);
    assert.deepEqual((await store.loadDay(DAY))?.lines, []);
  });

  test('replace the bill: lines that are gone are withdrawn', async (store) => {
    await store.saveGatheredDay(gathered([line('a'), line('b')]));
    await store.saveGatheredDay(gathered([line('b', { units: 7n }), line('c')]));
    const day = await store.loadDay(DAY);
    assert.deepEqual(
      day?.lines.map(({ lineId, totalCost }) => [lineId, totalCost.units]),
      [
        ['b', 7n],
        ['c', 100n],
      ],
    );
  });

  test('are refused whole when two lines have one id', async (store) => {
    await store.saveGatheredDay(gathered([line('a')]));
    await assertRejects(
      store.saveGatheredDay(gathered([line('b'), line('c'), line('b')])),
      'CB_LINE_INVALID',
    );
    assert.deepEqual((await store.loadDay(DAY))?.lines, [line('a')]);
  });

  test('leave the tries of a line alone, however often the day is gathered', async (store) => {
    await store.saveGatheredDay(gathered([line('a'), line('b')]));
    await store.saveCalculatedDay(calculated([heldLine('a', 2), heldLine('b', 1)]));
    await store.saveGatheredDay(gathered([line('a', { units: 5n }), line('b')]));
    assert.deepEqual(await triesOf(store), { a: 2, b: 1 });
    await store.saveCalculatedDay(calculated([allocated('a', [portion({ x: 5n })]), heldLine('b', 2)]));
    assert.deepEqual(await triesOf(store), { b: 2 });
    await store.saveGatheredDay(gathered([line('a', { units: 5n })]));
    await store.saveCalculatedDay(calculated([allocated('a', [portion({ x: 5n })], { attempts: 3 })]));
    assert.deepEqual(await triesOf(store), { a: 3 });
  });
}

function declareExactUsage(test: StoreTest): void {
  test('comes back to the last digit, in order of resource and identity as they were first named', async (store) => {
    const values = [
      0.1 + 0.2,
      5e-324,
      1.797_693_134_862_315_7e308,
      2 ** 53 + 2,
      Number.POSITIVE_INFINITY,
      1 / 3,
    ];
    const entries = values.map((value, index): [string, string, number] => ['r', `id-${index}`, value]);
    await store.saveGatheredDay(gathered([], { usage: [usage('bytes', entries)] }));
    const { usage: stored } = (await store.loadDay(DAY))!;
    const { resourceIds, identityIds, values: read } = stored.get('bytes')!;
    assert.deepEqual(
      read.map((value, index) => [resourceIds?.[index], identityIds[index], value]),
      entries,
    );
  });
}

function declareUsage(test: StoreTest): void {
  test('comes back with its coverage', async (store, reopen) => {
    const byResource = usage('bytes', [
      ['r1', 'x', 1.5],
      ['r1', 'y', 0],
      ['r2', 'x', 1e300],
      ['', 'ü', 0.1],
    ]);
    const whole = usage('requests', [], {
      totals: { resourceIds: null, identityIds: ['x', 'r1'], values: [3, 4] },
      coverage: { samplesSeen: 12, samplesExpected: 24 },
      outcome: 'partial',
    });
    const failed = usage('failed', [], {
      coverage: { samplesSeen: 0, samplesExpected: 24 },
      outcome: 'failed',
    });
    await store.saveGatheredDay(gathered([], { usage: [byResource, whole, failed] }));
    const { usage: stored } = (await (await reopen()).loadDay(DAY))!;
    assert.deepEqual([...stored.keys()].toSorted(), ['bytes', 'failed', 'requests']);
    const bytes = stored.get('bytes')!;
    const entries = bytes.values.map((value, index) => [
      `${bytes.resourceIds?.[index]}/${bytes.identityIds[index]}`,
      value,
    ]);
    assert.deepEqual(Object.fromEntries(entries), { 'r1/x': 1.5, 'r1/y': 0, 'r2/x': 1e300, '/ü': 0.1 });
    assert.deepEqual([bytes.coverage, bytes.outcome], [byResource.coverage, 'complete']);
    const requests = stored.get('requests')!;
    assert.equal(requests.resourceIds, null);
    assert.equal(requests.values[requests.identityIds.indexOf('r1')], 4);
    assert.deepEqual([requests.coverage, requests.outcome], [whole.coverage, 'partial']);
    assert.deepEqual(stored.get('failed')?.identityIds, []);
  });

  test('is replaced for the queries named and kept for the others', async (store) => {
    await store.saveGatheredDay(
      gathered([], {
        usage: [usage('a', [['r', 'x', 1]]), usage('b', [['r', 'x', 2]], { definition: 'sum(b)' })],
      }),
    );
    const less = { samplesSeen: 1, samplesExpected: 24 };
    await store.saveGatheredDay(
      gathered([], { usage: [usage('a', [['r', 'y', 3]], { coverage: less, outcome: 'partial' })] }),
    );
    const { usage: stored } = (await store.loadDay(DAY))!;
    assert.deepEqual([stored.get('a')?.identityIds, stored.get('a')?.values], [['y'], [3]]);
    assert.deepEqual([stored.get('b')?.identityIds, stored.get('b')?.values], [['x'], [2]]);
    assert.deepEqual(Object.fromEntries(await store.usageCoverage(DAY)), {
      a: { coverage: less, outcome: 'partial', definition: '' },
      b: { coverage: { samplesSeen: 24, samplesExpected: 24 }, outcome: 'complete', definition: 'sum(b)' },
    });
    assert.equal((await store.usageCoverage(NEXT_DAY)).size, 0);
  });
}

function declareUnstorable(test: StoreTest): void {
  test('may be there before the bill is, and is no bill', async (store, reopen) => {
    await store.saveUsage({ date: DAY, usage: [usage('q', [['r', 'x', 1]])] });
    const later = await reopen();
    assert.equal(await later.loadDay(DAY), undefined);
    assert.deepEqual(await later.dateStates(FEBRUARY), []);
    assert.equal(await later.firstDate(), null);
    assert.deepEqual((await later.loadUsage(DAY)).get('q')?.identityIds, ['x']);
    assert.equal((await later.usageCoverage(DAY)).get('q')?.outcome, 'complete');
    await later.saveGatheredDay(gathered([line('a')]));
    const day = await later.loadDay(DAY);
    assert.deepEqual([...(day?.usage.keys() ?? [])], ['q']);
  });

  test('that comes after the bill has the bill calculated again, and changes nothing else of it', async (store) => {
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 100n })] });
    const [before] = await store.dateStates(FEBRUARY);
    await store.saveUsage({ date: DAY, usage: [usage('q', [['r', 'x', 1]])] });
    const [after] = await store.dateStates(FEBRUARY);
    assert.notEqual(after?.inputDigest, before?.inputDigest);
    const asked = { state: 'gathered', complete: false, inputDigest: after?.inputDigest };
    assert.deepEqual(after, { ...before, ...asked });
    assert.equal((await store.reconcile(FEBRUARY, 'day'))[0]?.allocated, 100n);
    await store.saveUsage({ date: DAY, usage: [usage('q', [['r', 'x', 1]])] });
    assert.deepEqual((await store.dateStates(FEBRUARY))[0], after);
  });

  test('without a bill is removed when its day is the oldest', async (store) => {
    await store.saveUsage({ date: DAY, usage: [usage('q', [['r', 'x', 1]])] });
    await store.saveGatheredDay(gathered([line('a')], { date: NEXT_DAY }));
    assert.equal(await store.pruneOldestDay(NEXT_DAY), true);
    assert.equal((await store.loadUsage(DAY)).size, 0);
    assert.equal(await store.pruneOldestDay(NEXT_DAY), false);
    assert.equal((await store.dateStates(FEBRUARY)).length, 1);
  });

  test('that cannot be stored leaves the day as it was', async (store, reopen) => {
    await store.saveGatheredDay(gathered([line('a')], { usage: [usage('a', [['r', 'x', 1]])] }));
    const before = await store.dateStates(FEBRUARY);
    const broken = usage('a', [
      ['r', 'new', 1],
      ['r', 'x', Number.NaN],
    ]);
    await assertRejects(
      store.saveGatheredDay(gathered([line('b')], { usage: [broken] })),
      'CB_STORAGE_REJECTED',
    );
    assert.deepEqual(await store.dateStates(FEBRUARY), before);
    assert.deepEqual((await store.loadDay(DAY))?.lines, [line('a')]);
    await store.saveGatheredDay(gathered([line('a')], { usage: [usage('a', [['r', 'new', 1]])] }));
    assert.deepEqual((await (await reopen()).loadDay(DAY))?.usage.get('a')?.identityIds, ['new']);
  });
}

function declareStates(test: StoreTest): void {
  test('tells what was gathered', async (store, reopen) => {
    const saved = await store.saveGatheredDay(gathered([line('a'), line('b')], { complete: false }));
    assert.equal(saved.inputDigest.length, 64);
    assert.deepEqual(saved, {
      date: DAY,
      state: 'gathered',
      gatherFingerprint: 'gathering-1',
      complete: false,
      gatheredAt: NOW,
      inputDigest: saved.inputDigest,
      calculationFingerprint: null,
      calculationId: null,
      calculatedAt: null,
      provisional: false,
      lineCount: 2,
      rowCount: 0,
      heldLineCount: 0,
      failedLineCount: 0,
    });
    assert.equal(await store.firstDate(), DAY);
    const again = await reopen();
    assert.deepEqual(await again.dateStates(FEBRUARY), [saved]);
    assert.deepEqual(
      (await again.loadLines(DAY)).map(({ lineId }) => lineId),
      ['a', 'b'],
    );
    assert.deepEqual(await again.lineResources(DAY), ['cluster-1']);
    assert.deepEqual(await again.loadLines(NEXT_DAY), []);
  });

  test('stays calculated when the same inputs are gathered again', async (store) => {
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 100n })] });
    const later = new Date('2026-04-01');
    const state = await store.saveGatheredDay(
      gathered([line('a')], { gatheredAt: later, gatherFingerprint: 'other', complete: false }),
    );
    assert.equal(state.state, 'calculated');
    assert.deepEqual(state.gatheredAt, later);
    assert.deepEqual([state.gatherFingerprint, state.complete], ['other', false]);
    assert.equal(state.calculationId, 'calculation-1');
  });

  test('returns to gathered when inputs change, and the rows stay until the next calculation', async (store) => {
    await saveOneLine(store, { line: line('a'), portions: [portion({ x: 100n })] });
    const state = await store.saveGatheredDay(gathered([]));
    assert.equal(state.state, 'gathered');
    assert.deepEqual([state.lineCount, state.rowCount, state.calculationId], [0, 1, 'calculation-1']);
    assert.equal((await collect(store.rows(FEBRUARY, null))).length, 1);
    await store.saveCalculatedDay(calculated([], { calculationId: 'calculation-2' }));
    assert.equal((await collect(store.rows(FEBRUARY, null))).length, 0);
    const [after] = await store.dateStates(FEBRUARY);
    assert.deepEqual(
      [after?.state, after?.rowCount, after?.calculationId],
      ['calculated', 0, 'calculation-2'],
    );
  });
}

function declareDigest(test: StoreTest): void {
  const lines = [line('a', { metadata: { x: 1, y: { p: 1, q: 2 } } }), line('b')];
  const entries = [
    ['r1', 'x', 1],
    ['r1', 'y', 2],
    ['r2', 'x', 3],
  ] as const;

  test('does not depend on the order of arrival', async (store) => {
    const first = await store.saveGatheredDay(
      gathered(lines, { usage: [usage('p', entries), usage('q', [])] }),
    );
    const same = [lines[1]!, { ...lines[0]!, metadata: { y: { q: 2, p: 1 }, x: 1 } }];
    const other = { date: NEXT_DAY, usage: [usage('q', []), usage('p', entries.toReversed())] };
    const second = await store.saveGatheredDay(gathered(same, other));
    assert.equal(second.inputDigest, first.inputDigest);
    await store.saveGatheredDay(gathered(same, { date: '2026-02-03', usage: [usage('q', [])] }));
    const third = await store.saveGatheredDay(
      gathered(lines, { date: '2026-02-03', usage: [usage('p', entries)] }),
    );
    assert.equal(third.inputDigest, first.inputDigest);
  });

  test('depends on everything that is stored', async (store) => {
    const less = { samplesSeen: 23, samplesExpected: 24 };
    const moved = [
      ['r1', 'x', 1],
      ['r1', 'y', 2],
      ['r2', 'y', 3],
    ] as const;
    const variants = [
      gathered(lines, { usage: [usage('p', entries)] }),
      gathered(lines),
      gathered([lines[0]!], { usage: [usage('p', entries)] }),
      gathered([lines[0]!, line('b', { units: 101n })], { usage: [usage('p', entries)] }),
      gathered([lines[0]!, line('b', { environmentId: null })], { usage: [usage('p', entries)] }),
      gathered([lines[0]!, line('b', { metadata: { z: 1 } })], { usage: [usage('p', entries)] }),
      gathered([lines[0]!, line('b', { coverage: less })], { usage: [usage('p', entries)] }),
      gathered(lines, { usage: [usage('q', entries)] }),
      gathered(lines, { usage: [usage('p', moved)] }),
      gathered(lines, { usage: [usage('p', entries.slice(1))] }),
      gathered(lines, { usage: [usage('p', entries, { coverage: less })] }),
      gathered(lines, { usage: [usage('p', entries, { outcome: 'failed' })] }),
    ];
    const digests = new Set<string>();
    for (const [index, variant] of variants.entries()) {
      const date = `2026-02-${String(index + 1).padStart(2, '0')}`;
      digests.add((await store.saveGatheredDay({ ...variant, date })).inputDigest);
    }
    assert.equal(digests.size, variants.length);
  });
}

function declareStateLists(test: StoreTest): void {
  test('knows its first day, and that there is none yet', async (store) => {
    assert.equal(await store.firstDate(), null);
    for (const date of ['2026-02-28', '2026-01-31']) await store.saveGatheredDay(gathered([], { date }));
    assert.equal(await store.firstDate(), '2026-01-31');
  });

  test('is listed by day for the days that begin in the window', async (store) => {
    for (const date of ['2026-02-28', '2026-03-01', '2026-01-31', '2026-02-01']) {
      await store.saveGatheredDay(gathered([], { date }));
    }
    const dates = async (first: string, end: string) =>
      (await store.dateStates(windowOf(first, end))).map(({ date }) => date);
    assert.deepEqual(await dates('2026-02-01', '2026-03-01'), ['2026-02-01', '2026-02-28']);
    assert.deepEqual(await dates('2026-01-31T00:00:01Z', '2026-03-01T00:00:01Z'), [
      '2026-02-01',
      '2026-02-28',
      '2026-03-01',
    ]);
  });
}

async function triesOf(store: Store): Promise<Record<string, number>> {
  const { attempts } = (await store.loadDay(DAY))!;
  return Object.fromEntries([...attempts].map(([lineId, { count }]) => [lineId, count]));
}
