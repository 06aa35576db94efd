import assert from 'node:assert/strict';
import { makeProblem, type Problem } from '@chargeback/plugin-api';
import type { EmissionRecord, RunRecord } from '@chargeback/storage';
import { calculated, DAY, FEBRUARY, gathered, NEXT_DAY, NOW } from './fixtures.ts';
import { type MakeStore, type StoreTest, storeTests, type TestRunner } from './store-test.ts';

export function testJournal(runner: TestRunner, makeStore: MakeStore): void {
  storeTests(runner, makeStore, { topic: 'runs in a store', declare: [declareRuns] });
  storeTests(runner, makeStore, { topic: 'problems in a store', declare: [declareProblems] });
  storeTests(runner, makeStore, { topic: 'emissions in a store', declare: [declareEmissions] });
}

function started(hour: number): Date {
  return new Date(Date.UTC(2026, 1, 1, hour));
}

function declareRuns(test: StoreTest): void {
  test('are listed newest first, the unfinished ones as running', async (store, reopen) => {
    for (const hour of [2, 1, 3]) await store.startRun(`run-${hour}`, started(hour));
    const finished: RunRecord = {
      runId: 'run-1',
      startedAt: started(1),
      endedAt: NOW,
      status: 'failed',
      datesGathered: 1,
      datesCalculated: 2,
      datesUnchanged: 3,
      datesHeld: 4,
      rowsWritten: 5,
      stages: { gather: 12, calculate: 34 },
    };
    await store.finishRun(finished);
    const runs = await (await reopen()).runs(10);
    assert.deepEqual(
      runs.map(({ runId, status }) => [runId, status]),
      [
        ['run-3', 'running'],
        ['run-2', 'running'],
        ['run-1', 'failed'],
      ],
    );
    assert.deepEqual(runs[2], finished);
    assert.equal(runs[0]?.endedAt, null);
  });

  test('are limited to the number asked for', async (store) => {
    for (const id of ['a', 'b', 'c']) await store.startRun(id, NOW);
    assert.equal((await store.runs(2)).length, 2);
  });
}

function problem(message: string, date: string | null = null): Problem {
  return makeProblem('CB_BILLING_GATHER', message, {
    severity: 'error',
    path: 'somewhere',
    fix: 'do this',
    ...(date === null ? {} : { date }),
  });
}

function declareProblems(test: StoreTest): void {
  test('come back whole, those without a day first, then by day', async (store, reopen) => {
    const problems = [problem('second', NEXT_DAY), problem('first', DAY)];
    await store.saveProblems('gather', [DAY, NEXT_DAY], problems);
    await store.saveProblems('gather', [], [problem('undated')]);
    const again = await reopen();
    assert.deepEqual(await again.problems(FEBRUARY), [
      problem('undated'),
      problem('first', DAY),
      problem('second', NEXT_DAY),
    ]);
    const march = { start: FEBRUARY.end, end: NOW };
    assert.deepEqual(await again.problems(march), [problem('undated')]);
  });

  test('are replaced on the days named and kept on the others', async (store) => {
    const messages = async () => (await store.problems(FEBRUARY)).map(({ message }) => message);
    await store.saveProblems('gather', [DAY, NEXT_DAY], [problem('one', DAY), problem('two', NEXT_DAY)]);
    await store.saveProblems('gather', [], [problem('undated')]);
    await store.saveProblems('gather', [DAY], [problem('one again', DAY)]);
    assert.deepEqual(await messages(), ['undated', 'one again', 'two']);
    await store.saveProblems('gather', [NEXT_DAY], []);
    assert.deepEqual(await messages(), ['undated', 'one again']);
    await store.saveProblems('gather', [], []);
    assert.deepEqual(await messages(), ['one again']);
  });

  test('saved without a day are replaced together, also those that speak of one', async (store) => {
    await store.saveProblems('emit', [], [problem('one', DAY), problem('undated')]);
    await store.saveProblems('emit', [], [problem('two', NEXT_DAY)]);
    assert.deepEqual(await store.problems(FEBRUARY), [problem('two', NEXT_DAY)]);
  });

  test('without a day do not pile up when they are saved along with days', async (store) => {
    for (const message of ['before', 'now']) await store.saveProblems('gather', [DAY], [problem(message)]);
    assert.deepEqual(await store.problems(FEBRUARY), [problem('now')]);
  });

  test('that are errors can be forgotten for the days named, and the warnings stay', async (store) => {
    const warning = { ...problem('warning', DAY), severity: 'warning' } as const;
    await store.saveProblems(
      'gather',
      [DAY, NEXT_DAY],
      [problem('one', DAY), warning, problem('two', NEXT_DAY)],
    );
    await store.saveProblems('gather', [], [problem('undated')]);
    await store.saveProblems('emit', [DAY], [problem('emit', DAY)]);
    await store.forgetErrors('gather', [DAY]);
    const left = (await store.problems(FEBRUARY)).map(({ message }) => message);
    assert.deepEqual(left.toSorted(), ['emit', 'two', 'undated', 'warning']);
  });

  test('of one stage do not touch those of another', async (store) => {
    await store.saveProblems('gather', [DAY], [problem('gather', DAY)]);
    await store.saveProblems('emit', [DAY], [problem('emit', DAY)]);
    await store.saveGatheredDay(gathered([]));
    await store.saveCalculatedDay(calculated([], { problems: [problem('calculate', DAY)] }));
    await store.saveProblems('gather', [DAY], []);
    const messages = async () => (await store.problems(FEBRUARY)).map(({ message }) => message);
    assert.deepEqual(await messages(), ['emit', 'calculate']);
    await store.saveCalculatedDay(calculated([]));
    assert.deepEqual(await messages(), ['emit']);
  });
}

function declareEmissions(test: StoreTest): void {
  test('are one record per emitter and period, the last one counting', async (store, reopen) => {
    const record: EmissionRecord = {
      emitter: 'csv',
      period: NEXT_DAY,
      aggregation: null,
      batchId: null,
      mark: null,
      others: [],
      status: 'failed',
      attempts: 1,
      emittedAt: NOW,
    };
    const emitted: EmissionRecord = {
      ...record,
      status: 'emitted',
      batchId: 'batch',
      mark: '{"digest":"é"}',
      others: [
        { batchId: 'begun', aggregation: 'monthly', mark: '{"digest":"è"}' },
        { batchId: 'former', aggregation: null, mark: null },
      ],
      attempts: 2,
      aggregation: 'daily',
    };
    await store.saveEmission(record);
    await store.saveEmission({ ...record, period: DAY });
    await store.saveEmission({ ...record, emitter: 'other' });
    await store.saveEmission(emitted);
    const again = await reopen();
    assert.deepEqual(await again.emissions('csv'), [{ ...record, period: DAY }, emitted]);
    assert.deepEqual(await again.emissions('nobody'), []);
  });
}
