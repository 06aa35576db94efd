import { startOfDay, type Window } from '@chargeback/plugin-api';
import type { DateStateName, Store } from '@chargeback/storage';
import { daysAndOpenDays } from './open-days.ts';

/** What a tenant's database says about its days. */
export interface TenantHealth {
  readonly dates: Readonly<Record<DateStateName, number>>;
  /** Sampling instants of all stored usage queries. */
  readonly samplesSeen: number;
  readonly samplesExpected: number;
  /**
   * By currency, in ledger units: how far rows, retained and held parts are from the bill, without regard to
   * sign, so that months cannot hide each other. Anything but 0 is a fault.
   */
  readonly residue: ReadonlyMap<string, bigint>;
}

/** Asks the store about the days of a window. */
export async function readTenantHealth(store: Store, window: Window): Promise<TenantHealth> {
  const dates = { gathered: 0, held: 0, calculated: 0 };
  let samplesSeen = 0;
  let samplesExpected = 0;
  for (const { date, state } of await daysAndOpenDays(store, window)) {
    dates[state] += 1;
    if (startOfDay(date) < window.start) continue;
    for (const { coverage } of (await store.usageCoverage(date)).values()) {
      samplesSeen += coverage.samplesSeen;
      samplesExpected += coverage.samplesExpected;
    }
  }
  const residue = new Map<string, bigint>();
  for (const { currency, difference } of await store.reconcile(window, 'day')) {
    const size = difference < 0n ? -difference : difference;
    residue.set(currency, (residue.get(currency) ?? 0n) + size);
  }
  return { dates, samplesSeen, samplesExpected, residue };
}
