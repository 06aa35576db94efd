import type { EmissionBatch, EmittedBatch, Emitter } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfiguredEmitter } from '../src/index.ts';
import { daysFrom, line, TestTenant } from './support.ts';
import { world } from './worlds.ts';

/** Keeps what it was given, period by period. */
class Recorder implements Emitter {
  readonly periods: string[] = [];

  async emit(batch: EmissionBatch) {
    const totals = new Map<string, bigint>();
    let rowCount = 0;
    for await (const rows of batch.rows) {
      rowCount += rows.length;
      for (const { amount } of rows)
        totals.set(amount.currency, (totals.get(amount.currency) ?? 0n) + amount.units);
    }
    this.periods.push(batch.period.start.toISOString().slice(0, 10));
    return { rowCount, totals };
  }
}

const FIVE_DAYS = daysFrom('2026-02-01', 5);
const dates = ['2026-02-01', '2026-02-02', '2026-02-03', '2026-02-04', '2026-02-05'];

describe('emission', () => {
  let tenant: TestTenant;
  let recorder: Recorder;

  const useAggregation = (aggregation: ConfiguredEmitter['aggregation']): void => {
    tenant.emitters = [{ name: 'recorder', aggregation, lookbackDays: null, emitter: recorder }];
  };

  beforeEach(async () => {
    tenant = await TestTenant.create(world({ lines: dates.map((date) => line(date, '3')) }));
    recorder = new Recorder();
    useAggregation('daily');
  });
  afterEach(() => tenant.dispose());

  it('sends each day once, and again only when its rows change', async () => {
    await tenant.run(FIVE_DAYS);
    expect(recorder.periods).toEqual(dates);
    await tenant.run(FIVE_DAYS);
    expect(recorder.periods).toHaveLength(5);
    tenant.world.lines[1] = line('2026-02-02', '4');
    await tenant.run(FIVE_DAYS);
    expect(recorder.periods.slice(5)).toEqual(['2026-02-02']);
  });

  it.each([
    ['category', { productCategory: 'another' }],
    ['environment', { environmentId: 'env-2' }],
    ['resource', { resourceId: null }],
    ['currency', { totalCost: { units: 300_000_000n, currency: 'EUR' } }],
    ['time', { timestamp: new Date('2026-02-02T05:00:00Z') }],
  ])(
    'sends a day again whose lines have another %s, though the shares are the same',
    async (_what, change) => {
      await tenant.run(FIVE_DAYS);
      tenant.world.lines[1] = line('2026-02-02', '3', change);
      await tenant.run(FIVE_DAYS);
      expect(recorder.periods.slice(5)).toEqual(['2026-02-02']);
    },
  );

  it('lets a month wait while a day of it has no inputs, says so, and sends it once they are there', async () => {
    useAggregation('monthly');
    tenant.world.beforeBilling = (window) => {
      if (window.start < new Date('2026-02-04') && window.end > new Date('2026-02-03'))
        throw new Error('down');
    };
    const run = await tenant.run(FIVE_DAYS);
    expect(recorder.periods).toEqual([]);
    expect(run.problems).toContainEqual(
      expect.objectContaining({ code: 'CB_EMIT_INCOMPLETE', message: expect.stringContaining('2026-02-03') }),
    );
    delete tenant.world.beforeBilling;
    expect((await tenant.run(FIVE_DAYS)).problems).toEqual([]);
    expect(recorder.periods).toEqual(['2026-02-01']);
  });

  it('lets a month wait whose missing day is no longer looked at', async () => {
    useAggregation('monthly');
    tenant.world.beforeBilling = (window) => {
      if (window.start < new Date('2026-02-03') && window.end > new Date('2026-02-02'))
        throw new Error('down');
    };
    await tenant.run(daysFrom('2026-02-01', 3));
    const later = await tenant.run(daysFrom('2026-02-03', 3));
    expect(later.problems.map(({ code }) => code)).toEqual(['CB_EMIT_INCOMPLETE']);
    expect(recorder.periods).toEqual([]);
  });

  it('tells of a failed period as long as it waits for its next try', async () => {
    tenant.minutesBetweenRuns = 5;
    tenant.emitters = [
      {
        name: 'broken',
        aggregation: 'daily',
        lookbackDays: null,
        emitter: { emit: () => Promise.reject(new Error('disk full')) },
      },
    ];
    for (let runs = 0; runs < 2; runs += 1) {
      expect((await tenant.run(FIVE_DAYS, { patient: true })).status).toBe('failed');
      const stored = await tenant.withStore((store) => store.problems(FIVE_DAYS));
      expect(stored.map(({ code }) => code)).toEqual(dates.map(() => 'CB_EMIT_FAILED'));
    }
    await tenant.run(daysFrom('2026-02-02', 1));
    expect(await tenant.withStore((store) => store.problems(FIVE_DAYS))).toHaveLength(5);
  });

  it('does not expect days from before the tenant was first billed', async () => {
    useAggregation('monthly');
    await tenant.run(daysFrom('2026-02-03', 3));
    expect(recorder.periods).toEqual(['2026-02-01']);
  });

  it('sends again what the destination says it no longer holds, and only that', async () => {
    const asked: EmittedBatch[] = [];
    const keeper = Object.assign(recorder, {
      holds: async (batch: EmittedBatch) => {
        asked.push(batch);
        return batch.period.start.getUTCDate() !== 3;
      },
    });
    tenant.emitters = [{ name: 'recorder', aggregation: 'daily', lookbackDays: null, emitter: keeper }];
    await tenant.run(FIVE_DAYS);
    expect(asked).toEqual([]);
    expect((await tenant.run(FIVE_DAYS)).periodsEmitted).toBe(1);
    expect(asked.map(({ period }) => period.start.toISOString().slice(0, 10))).toEqual(dates);
    expect(new Set(asked.map(({ batchId }) => batchId)).size).toBe(5);
    expect(recorder.periods.slice(5)).toEqual(['2026-02-03']);
  });

  it('sends again what the destination cannot tell about', async () => {
    const keeper = Object.assign(recorder, { holds: () => Promise.reject(new Error('unreachable')) });
    tenant.emitters = [{ name: 'recorder', aggregation: 'daily', lookbackDays: null, emitter: keeper }];
    await tenant.run(FIVE_DAYS);
    const again = await tenant.run(FIVE_DAYS);
    expect([again.status, again.periodsEmitted]).toEqual(['completed', 5]);
  });

  it('lets each emitter finish at the end of every run, and tells when one cannot', async () => {
    const finished: unknown[] = [];
    const other = Object.assign(new Recorder(), {
      finish: async (aggregation: unknown) => void finished.push(aggregation),
    });
    const failing = Object.assign(recorder, { finish: () => Promise.reject(new Error('no room')) });
    tenant.emitters = [
      { name: 'failing', aggregation: 'daily', lookbackDays: null, emitter: failing },
      { name: 'other', aggregation: 'monthly', lookbackDays: null, emitter: other },
    ];
    const run = await tenant.run(FIVE_DAYS);
    expect([run.status, run.periodsEmitted]).toEqual(['failed', 6]);
    expect(run.problems).toMatchObject([
      { code: 'CB_EMIT_FAILED', path: 'failing', date: null, message: 'emitter failing: no room' },
    ]);
    await tenant.run(FIVE_DAYS);
    expect(finished).toEqual(['monthly', 'monthly']);
  });
});
