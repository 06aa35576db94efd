import type { EmissionBatch, Emitter } from '@chargeback/plugin-api';
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

  it('does not expect days from before the tenant was first billed', async () => {
    useAggregation('monthly');
    await tenant.run(daysFrom('2026-02-03', 3));
    expect(recorder.periods).toEqual(['2026-02-01']);
  });
});
