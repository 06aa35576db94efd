import { randomUUID } from 'node:crypto';
import { Decimal } from '@chargeback/money';
import { startOfDay } from '@chargeback/plugin-api';
import type { Store } from '../src/index.ts';

export const YEAR = { start: new Date('2026-01-01'), end: new Date('2027-01-01') };

/** Gathers and calculates a day of one line and one portion. */
export async function saveDay(
  store: Store,
  date: string,
  rows: Readonly<Record<string, bigint>>,
  calculationId = 'calculation',
): Promise<void> {
  const identityIds = Object.keys(rows);
  const units = Object.values(rows);
  await store.saveGatheredDay({
    date,
    lines: [
      {
        lineId: 'line',
        timestamp: startOfDay(date),
        granularity: 'daily',
        resourceId: 'resource',
        environmentId: null,
        productCategory: 'CATEGORY',
        productType: 'TYPE',
        quantity: new Decimal(1),
        unitPrice: new Decimal(1),
        totalCost: { units: units.reduce((sum, amount) => sum + amount, 0n), currency: 'USD' },
        coverage: null,
        metadata: {},
      },
    ],
    usage: [],
    gatherFingerprint: 'gathering',
    complete: true,
    gatheredAt: new Date(),
  });
  await store.saveCalculatedDay({
    date,
    state: 'calculated',
    calculationFingerprint: 'fingerprint',
    calculationId,
    calculatedAt: new Date(),
    runId: randomUUID(),
    problems: [],
    lines: [
      {
        lineId: 'line',
        state: 'allocated',
        retainedUnits: 0n,
        attempts: 0,
        portions: [
          {
            costType: 'USAGE',
            method: 'usage_ratio',
            detail: null,
            chainTier: null,
            compositionIndex: null,
            compositionRatio: null,
            tiersTried: [],
            identityIds,
            units,
            ratios: units.map(() => 1 / units.length),
          },
        ],
      },
    ],
  });
}

export async function totalsOf(store: Store): Promise<Record<string, bigint>> {
  const totals = await store.totals(YEAR, ['identity_id']);
  return Object.fromEntries(totals.map(({ key, units }) => [key[0], units]));
}
