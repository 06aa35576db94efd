import { addTotals } from '@chargeback/money';
import { type EmissionBatch, type EmissionReceipt, type Emitter, isoDateOf } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { daysFrom, line, TestTenant } from './support.ts';
import { world } from './worlds.ts';

const TEN_DAYS = daysFrom('2026-02-01', 10);
const dates = Array.from({ length: 10 }, (_, index) => `2026-02-${String(index + 1).padStart(2, '0')}`);

/** Ends an emission when it is told to, and counts how many wait for that. */
class Gate implements Emitter {
  declare readonly batchesAtOnce?: number;
  readonly waiting = new Map<string, () => void>();
  readonly ended: string[] = [];
  most = 0;

  constructor(batchesAtOnce?: number) {
    if (batchesAtOnce !== undefined) this.batchesAtOnce = batchesAtOnce;
  }

  async emit(batch: EmissionBatch) {
    const receipt = await receiptOf(batch);
    const date = isoDateOf(batch.period.start);
    await new Promise<void>((resolve) => {
      this.waiting.set(date, resolve);
      this.most = Math.max(this.most, this.waiting.size);
    });
    this.waiting.delete(date);
    this.ended.push(date);
    return receipt;
  }

  /** Waits until so many are under way, then ends the first one of them. */
  async endFirst(count: number): Promise<void> {
    await vi.waitFor(() => expect(this.waiting.size).toBe(count), { timeout: 20_000 });
    this.waiting.get([...this.waiting.keys()].toSorted()[0]!)!();
  }
}

async function receiptOf(batch: EmissionBatch): Promise<EmissionReceipt> {
  const totals = new Map<string, bigint>();
  let rowCount = 0;
  for await (const rows of batch.rows) {
    rowCount += rows.length;
    addTotals(totals, rows);
  }
  return { rowCount, totals };
}

describe('emission of several periods at once', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ lines: dates.map((date) => line(date, '3')) }));
  });
  afterEach(() => tenant.dispose());

  const use = (emitter: Emitter): void => {
    tenant.emitters = [{ name: 'gate', aggregation: 'daily', lookbackDays: null, emitter }];
  };
  const records = () => tenant.withStore((store) => store.emissions('gate'));

  it.each([
    [3, 3],
    [1, 1],
    [undefined, 1],
    [0, 1],
    [-4, 1],
    [2.5, 1],
    [Number.NaN, 1],
    [1000, 8],
  ])('of an emitter that takes %s batches at once sends %i', async (asked, sent) => {
    const gate = new Gate(asked);
    use(gate);
    const running = tenant.run(TEN_DAYS);
    for (let left = dates.length; left > 0; left -= 1) await gate.endFirst(Math.min(left, sent));
    expect(await running).toMatchObject({ status: 'completed', periodsEmitted: 10, problems: [] });
    expect(gate.most).toBe(sent);
    expect(gate.ended.toSorted()).toEqual(dates);
    expect((await records()).map(({ period, status }) => [period, status])).toEqual(
      dates.map((date) => [date, 'emitted']),
    );
    expect(await tenant.run(TEN_DAYS)).toMatchObject({ periodsEmitted: 0 });
  });

  it('tells of those that fail by day, and sends them again', async () => {
    const broken = new Set(['2026-02-02', '2026-02-07', '2026-02-08']);
    use({
      batchesAtOnce: 3,
      async emit(batch) {
        const date = isoDateOf(batch.period.start);
        // Of those that are under way the last one fails first.
        for (let turns = Number(date.slice(-2)); turns < 20; turns += 1) await Promise.resolve();
        if (broken.has(date)) throw new Error(`${date} refused`);
        return receiptOf(batch);
      },
    });
    const run = await tenant.run(TEN_DAYS);
    expect(run).toMatchObject({ status: 'failed', periodsEmitted: 7 });
    expect(run.problems.map(({ code, date }) => [code, date])).toEqual(
      [...broken].map((date) => ['CB_EMIT_FAILED', date]),
    );
    broken.clear();
    expect(await tenant.run(TEN_DAYS)).toMatchObject({
      status: 'completed',
      periodsEmitted: 3,
      problems: [],
    });
  });

  it('leaves none under way when the run is stopped', async () => {
    const gate = new Gate(3);
    use(gate);
    const stop = new AbortController();
    let isOver = false;
    const running = tenant.run(TEN_DAYS, { signal: stop.signal }).then((run) => {
      isOver = true;
      return run;
    });
    await vi.waitFor(() => expect(gate.waiting.size).toBe(3), { timeout: 20_000 });
    stop.abort(new Error('stopped'));
    // They arrive in the order in which the database answers.
    const [first, second, third] = [...gate.waiting].toSorted().map(([, end]) => end);
    first!();
    await vi.waitFor(() => expect(gate.waiting.size).toBe(2));
    second!();
    await vi.waitFor(() => expect(gate.waiting.size).toBe(1));
    expect(isOver).toBe(false);
    third!();
    expect((await running).status).toBe('interrupted');
    // What was written is known, and nothing else was begun.
    expect(gate.ended).toEqual(dates.slice(0, 3));
    expect((await records()).map(({ period, status }) => [period, status])).toEqual(
      dates.slice(0, 3).map((date) => [date, 'emitted']),
    );
  });
});
