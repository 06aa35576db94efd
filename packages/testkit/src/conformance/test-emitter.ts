import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { money } from '@chargeback/money';
import {
  type ChargebackRow,
  dayWindow,
  describeCause,
  type EmissionBatch,
  type EmissionReceipt,
  type Emitter,
  type EmitterHost,
  type EmitterPlugin,
  type Fetch,
  isoDateOf,
  MILLISECONDS_PER_DAY,
} from '@chargeback/plugin-api';
import type { TestRunner } from '../storage-suite/store-test.ts';
import { silentLogger } from './silent-logger.ts';

/** A destination of its own for one test. */
export interface EmitterWorld {
  /** Parameters as they are written in YAML. */
  readonly params: Readonly<Record<string, unknown>>;
  /** The network that it may use; without one it has none. */
  readonly fetch?: Fetch;
  /** What the destination holds now, in any form that can be compared. */
  contents(): Promise<unknown>;
  dispose(): Promise<void>;
}

const DAY = '2026-02-01';
const NEXT_DAY = '2026-02-02';
/** How soon an abort must be noticed, in milliseconds. */
const ABORT_LIMIT = 1000;

/**
 * The conformance suite of an emitter, in vitest and in `node:test`: exact receipts, one batch left of two that are
 * the same, a new batch in the place of the old one, and a destination that never holds half a batch.
 */
export function testEmitter(
  runner: TestRunner,
  plugin: EmitterPlugin,
  makeWorld: () => Promise<EmitterWorld>,
): void {
  runner.describe(`emitter ${plugin.type}`, () => {
    for (const [name, body] of Object.entries(TESTS)) {
      runner.it(name, async () => {
        const world = await makeWorld();
        try {
          await body({ plugin, world, emitter: created(plugin, world) });
        } finally {
          await world.dispose();
        }
      });
    }
  });
}

interface EmitterTest {
  readonly plugin: EmitterPlugin;
  readonly world: EmitterWorld;
  readonly emitter: Emitter;
}

const never = new AbortController().signal;

const TESTS: Readonly<Record<string, (test: EmitterTest) => Promise<void>>> = {
  'confirms every row and the exact total of each currency': async ({ emitter }) => {
    const rows = [
      ...rowsOf(DAY, 250),
      row(DAY, 'huge', 9_000_000_000_000_000_001n),
      eur(row(DAY, 'other', 7n)),
    ];
    assertReceipt(await emitter.emit(batchOf(DAY, rows), never), rows);
  },
  'takes a batch without rows': async ({ emitter }) => {
    assertReceipt(await emitter.emit(batchOf(DAY, []), never), []);
  },
  'leaves one batch of two that are the same': async ({ emitter, world }) => {
    const rows = rowsOf(DAY, 20);
    await emitter.emit(batchOf(DAY, rows), never);
    const once = await world.contents();
    assertReceipt(await emitter.emit(batchOf(DAY, rows), never), rows);
    assert.deepEqual(await world.contents(), once);
  },
  'does so also after a restart': async ({ plugin, emitter, world }) => {
    const rows = rowsOf(DAY, 20);
    await emitter.emit(batchOf(DAY, rows), never);
    const once = await world.contents();
    await created(plugin, world).emit(batchOf(DAY, rows), never);
    assert.deepEqual(await world.contents(), once);
  },
  'puts a new batch of a period in the place of the old one': async ({ emitter, world }) => {
    await emitter.emit(batchOf(DAY, rowsOf(DAY, 5)), never);
    const old = await world.contents();
    await emitter.emit(batchOf(DAY, rowsOf(DAY, 30), 'second'), never);
    assert.notDeepEqual(await world.contents(), old);
    await emitter.emit(batchOf(DAY, rowsOf(DAY, 5)), never);
    assert.deepEqual(await world.contents(), old);
  },
  'keeps the batches of other periods': async ({ emitter, world }) => {
    await emitter.emit(batchOf(DAY, rowsOf(DAY, 5)), never);
    const first = await world.contents();
    await emitter.emit(batchOf(NEXT_DAY, rowsOf(NEXT_DAY, 5)), never);
    const both = await world.contents();
    assert.notDeepEqual(both, first);
    await emitter.emit(batchOf(DAY, rowsOf(DAY, 5)), never);
    assert.deepEqual(await world.contents(), both);
  },
  'takes as many batches at once as it says': async ({ emitter, world }) => {
    const dates = Array.from({ length: emitter.batchesAtOnce ?? 1 }, (_, index) =>
      isoDateOf(new Date(Date.parse(DAY) + index * MILLISECONDS_PER_DAY)),
    );
    const emit = async (date: string): Promise<void> => {
      const rows = rowsOf(date, 250);
      assertReceipt(await emitter.emit(batchOf(date, rows), never), rows);
    };
    await Promise.all(dates.map(emit));
    const atOnce = await world.contents();
    for (const date of dates) await emit(date);
    assert.deepEqual(await world.contents(), atOnce);
  },
  'leaves the destination as it was when the rows end in an error': async ({ emitter, world }) => {
    await emitter.emit(batchOf(DAY, rowsOf(DAY, 5)), never);
    const before = await world.contents();
    const failing = { ...batchOf(DAY, [], 'second'), rows: failingRows() };
    await assert.rejects(
      async () => emitter.emit(failing, never),
      (error) => describeCause(error).includes('the database went away'),
    );
    assert.deepEqual(await world.contents(), before);
  },
  'changes nothing when another process has taken over the tenant meanwhile': async ({ emitter, world }) => {
    await emitter.emit(batchOf(DAY, rowsOf(DAY, 5)), never);
    const before = await world.contents();
    const stale = {
      ...batchOf(DAY, rowsOf(DAY, 9), 'stale'),
      confirm: () => Promise.reject(new Error('too late')),
    };
    await assert.rejects(
      async () => emitter.emit(stale, never),
      (error) => describeCause(error).includes('too late'),
      'it must await batch.confirm() before it changes anything, and pass its error on',
    );
    assert.deepEqual(await world.contents(), before);
  },
  'does nothing when it was aborted before': async ({ emitter, world }) => {
    const before = await world.contents();
    const signal = AbortSignal.abort(new Error('stop'));
    await assert.rejects(async () => emitter.emit(batchOf(DAY, rowsOf(DAY, 5)), signal));
    assert.deepEqual(await world.contents(), before);
  },
  'stops within a second when it is aborted between rows, and leaves nothing half-written': async ({
    emitter,
    world,
  }) => {
    const before = await world.contents();
    const controller = new AbortController();
    const batch = { ...batchOf(DAY, []), rows: endlessRows(() => controller.abort(new Error('stop'))) };
    await assert.rejects(
      Promise.race([
        Promise.resolve(emitter.emit(batch, controller.signal)),
        setTimeout(ABORT_LIMIT + 500).then(() => 'it did not stop'),
      ]),
    );
    assert.deepEqual(await world.contents(), before);
  },
  'refuses parameters that it does not know': async ({ plugin, world }) => {
    assert.equal(plugin.params.safeParse({ ...world.params, no_such_parameter: 1 }).success, false);
  },
};

function created(plugin: EmitterPlugin, { params, fetch }: EmitterWorld): Emitter {
  const host: EmitterHost = {
    logger: silentLogger,
    tenantId: 'tenant-1',
    ecosystem: 'testkit',
    fetch: fetch ?? (() => Promise.reject(new Error('this test has no network'))),
    clock: () => new Date('2026-03-01T12:00:00Z'),
    sleep: async (_milliseconds, signal) => signal.throwIfAborted(),
  };
  return plugin.create(plugin.params.parse(params), host);
}

function batchOf(date: string, rows: readonly ChargebackRow[], batchId = 'first'): EmissionBatch {
  return {
    batchId: `${date}-${batchId}`,
    ecosystem: 'testkit',
    tenantId: 'tenant-1',
    period: dayWindow(date),
    aggregation: 'daily',
    rows: inChunks(rows),
    confirm: async () => {},
  };
}

async function* inChunks(rows: readonly ChargebackRow[]): AsyncIterable<readonly ChargebackRow[]> {
  for (let start = 0; start < rows.length; start += 100) yield rows.slice(start, start + 100);
}

async function* failingRows(): AsyncIterable<readonly ChargebackRow[]> {
  yield rowsOf(DAY, 100);
  throw new Error('the database went away');
}

/** Rows for as long as they are read; aborts after the first chunks. */
async function* endlessRows(abort: () => void): AsyncIterable<readonly ChargebackRow[]> {
  const until = performance.now() + ABORT_LIMIT;
  for (let chunk = 0; performance.now() < until; chunk += 1) {
    if (chunk === 3) abort();
    yield rowsOf(DAY, 10);
    await setTimeout(1);
  }
}

function rowsOf(date: string, count: number): ChargebackRow[] {
  return Array.from({ length: count }, (_, index) =>
    row(date, `identity-${index}`, BigInt(index * 1_234_567)),
  );
}

function row(date: string, identityId: string, units: bigint): ChargebackRow {
  return {
    ecosystem: 'testkit',
    tenantId: 'tenant-1',
    timestamp: dayWindow(date).start,
    resourceId: 'resource "1", main',
    environmentId: null,
    productCategory: 'compute',
    productType: 'COMPUTE',
    identityId,
    costType: 'USAGE',
    amount: money(units, 'USD'),
    allocationMethod: 'usage_ratio',
    allocationDetail: 'USAGE_RATIO_ALLOCATION',
  };
}

function eur(of: ChargebackRow): ChargebackRow {
  return { ...of, amount: money(of.amount.units, 'EUR') };
}

function assertReceipt(receipt: EmissionReceipt, rows: readonly ChargebackRow[]): void {
  const totals = new Map<string, bigint>();
  for (const { amount } of rows)
    totals.set(amount.currency, (totals.get(amount.currency) ?? 0n) + amount.units);
  assert.equal(receipt.rowCount, rows.length, 'the receipt counts the rows');
  assert.deepEqual(new Map(receipt.totals), totals, 'the receipt has the exact total of each currency');
}
