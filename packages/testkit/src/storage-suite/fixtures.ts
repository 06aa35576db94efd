import { Decimal } from '@chargeback/money';
import {
  type BillingLineItem,
  type Identity,
  type IsoDate,
  type Resource,
  startOfDay,
  type Window,
} from '@chargeback/plugin-api';
import type {
  CalculatedDay,
  CalculatedLine,
  CalculatedPortion,
  GatheredDay,
  GatheredUsage,
  Store,
} from '@chargeback/storage';

export const DAY: IsoDate = '2026-02-01';
export const NEXT_DAY: IsoDate = '2026-02-02';
export const NOW = new Date('2026-03-05T06:07:08.901Z');

export function windowOf(first: string, end: string): Window {
  return { start: new Date(first), end: new Date(end) };
}

export const FEBRUARY = windowOf('2026-02-01', '2026-03-01');

export function resource(resourceId: string, fields: Partial<Resource> = {}): Resource {
  return {
    resourceId,
    resourceType: 'cluster',
    displayName: null,
    parentId: null,
    ownerId: null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
    ...fields,
  };
}

export function identity(identityId: string, fields: Partial<Identity> = {}): Identity {
  return {
    identityId,
    identityType: 'service_account',
    displayName: null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
    ...fields,
  };
}

export interface LineFields extends Partial<Omit<BillingLineItem, 'totalCost'>> {
  readonly units?: bigint;
  readonly currency?: string;
}

export function line(lineId: string, { units, currency, ...fields }: LineFields = {}): BillingLineItem {
  return {
    lineId,
    timestamp: startOfDay(DAY),
    granularity: 'daily',
    resourceId: 'cluster-1',
    environmentId: 'env-1',
    productCategory: 'COMPUTE',
    productType: 'COMPUTE_HOURS',
    quantity: new Decimal('24'),
    unitPrice: new Decimal('0.5'),
    totalCost: { units: units ?? 100n, currency: currency ?? 'USD' },
    coverage: null,
    metadata: {},
    ...fields,
  };
}

type UsageEntry = readonly [resourceId: string, identityId: string, value: number];

export function usage(
  queryKey: string,
  entries: readonly UsageEntry[],
  fields: Partial<GatheredUsage> = {},
): GatheredUsage {
  return {
    date: DAY,
    queryKey,
    totals: {
      resourceIds: entries.map(([resourceId]) => resourceId),
      identityIds: entries.map(([, identityId]) => identityId),
      values: entries.map(([, , value]) => value),
    },
    coverage: { samplesSeen: 24, samplesExpected: 24 },
    outcome: 'complete',
    problems: [],
    ...fields,
  };
}

export function gathered(
  lines: readonly BillingLineItem[],
  fields: Partial<Omit<GatheredDay, 'lines'>> = {},
): GatheredDay {
  return {
    date: DAY,
    lines,
    usage: [],
    gatherFingerprint: 'gathering-1',
    complete: true,
    gatheredAt: NOW,
    ...fields,
  };
}

export function portion(
  rows: Readonly<Record<string, bigint>> | readonly (readonly [string, bigint])[],
  fields: Partial<CalculatedPortion> = {},
): CalculatedPortion {
  const entries: readonly (readonly [string, bigint])[] = Array.isArray(rows) ? rows : Object.entries(rows);
  return {
    costType: 'USAGE',
    method: 'usage_ratio',
    detail: 'USAGE_RATIO_ALLOCATION',
    chainTier: 0,
    compositionIndex: null,
    compositionRatio: null,
    tiersTried: [],
    identityIds: entries.map(([identityId]) => identityId),
    units: entries.map(([, units]) => units),
    ratios: entries.map(() => 1 / entries.length),
    ...fields,
  };
}

export function allocated(
  lineId: string,
  portions: readonly CalculatedPortion[],
  fields: Partial<CalculatedLine> = {},
): CalculatedLine {
  return { lineId, state: 'allocated', retainedUnits: 0n, portions, attempts: 0, ...fields };
}

export function heldLine(lineId: string, attempts = 1): CalculatedLine {
  return { lineId, state: 'held', retainedUnits: 0n, portions: [], attempts };
}

export function calculated(
  lines: readonly CalculatedLine[],
  fields: Partial<Omit<CalculatedDay, 'lines'>> = {},
): CalculatedDay {
  return {
    date: DAY,
    state: lines.some(({ state }) => state === 'held') ? 'held' : 'calculated',
    calculationFingerprint: 'fingerprint-1',
    calculationId: 'calculation-1',
    calculatedAt: NOW,
    runId: 'run-1',
    lines,
    problems: [],
    ...fields,
  };
}

/** One line of one day with its rows, gathered and calculated. */
export async function saveOneLine(
  store: Store,
  saved: {
    readonly date?: IsoDate;
    readonly line: BillingLineItem;
    readonly portions: readonly CalculatedPortion[];
  },
): Promise<void> {
  const date = saved.date ?? DAY;
  await store.saveGatheredDay(gathered([saved.line], { date }));
  await store.saveCalculatedDay(calculated([allocated(saved.line.lineId, saved.portions)], { date }));
}
