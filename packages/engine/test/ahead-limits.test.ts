import { setTimeout } from 'node:timers/promises';
import { ChargebackError, daysOf } from '@chargeback/plugin-api';
import type { CalculatedDay } from '@chargeback/storage';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daysFrom, line, TestTenant } from './support.ts';
import { tenantWideRoute, world } from './worlds.ts';

const WINDOW = daysFrom('2026-02-01', 24);

describe('what is calculated when the time for gathering is over', () => {
  let tenant: TestTenant;
  /** Ends the time for gathering, three quarters of the hour, and the hour itself. */
  let gatheringIsOver: AbortController;
  let runIsOver: AbortController;

  beforeEach(async () => {
    const lines = daysOf(WINDOW).map((date) => line(date, '30'));
    tenant = await TestTenant.create(world({ routes: [tenantWideRoute('COMPUTE')], lines }));
    tenant.limits = { ...tenant.limits, timeoutSeconds: 3600 };
    gatheringIsOver = new AbortController();
    runIsOver = new AbortController();
    let asked = 0;
    tenant.world.waitBeforeBilling = async (signal) => {
      asked += 1;
      // Never answers, but to who gives up.
      if (asked === 2) await setTimeout(600_000, undefined, { signal });
    };
  });
  afterEach(() => tenant.dispose());

  const until = (over: AbortController, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      over.signal.addEventListener('abort', () => resolve(), { once: true });
      signal.addEventListener('abort', () => reject(new Error('ended')), { once: true });
    });

  const wait = (milliseconds: number, signal: AbortSignal): Promise<void> =>
    milliseconds === 2_700_000
      ? until(gatheringIsOver, signal)
      : milliseconds === 3_600_000
        ? until(runIsOver, signal)
        : setTimeout(milliseconds, undefined, { signal });

  /** A run during which the seventh day is about to be written. */
  const runWith = (beforeSeventh: () => Promise<void>) => {
    const open = tenant.openStore.bind(tenant);
    tenant.openStore = async () => {
      const store = await open();
      const save = store.saveCalculatedDay.bind(store);
      store.saveCalculatedDay = async (day: CalculatedDay) => {
        if (day.provisional && day.date === '2026-02-07') await beforeSeventh();
        return save(day);
      };
      return store;
    };
    return tenant.run(WINDOW, { wait });
  };

  it('is waited for no longer than the run may take, which is told as such', async () => {
    const run = await runWith(async () => {
      gatheringIsOver.abort();
      await setTimeout(0);
      runIsOver.abort();
      await setTimeout(0);
    });
    expect(run.status).toBe('timed_out');
    expect(run.problems.map(({ code }) => code)).toEqual(['CB_RUN_TIMEOUT']);
    expect(run.problems[0]!.message).toContain('tenant_execution_timeout_seconds');
  });

  it('ends the run where the database fails, and says so', async () => {
    const run = await runWith(async () => {
      gatheringIsOver.abort();
      await setTimeout(0);
      throw new ChargebackError('CB_STORAGE_WRITE', 'the disk is full');
    });
    expect(run.status).toBe('failed');
    expect(run.problems).toMatchObject([{ code: 'CB_STORAGE_WRITE', message: 'the disk is full' }]);
  });
});
