import { Decimal, formatUnits, parseMoney, splitByWeight, splitPortions } from '@chargeback/money';
import {
  type AllocationContext,
  type AllocationPlan,
  type AllocatorParams,
  type CostAllocator,
  dayWindow,
  type Identity,
  isStepAside,
  type Portion,
  type Resource,
  type StepAside,
  type Usage,
  type UsageOutcome,
} from '@chargeback/plugin-api';

export function identity(identityId: string, identityType = 'service_account'): Identity {
  return { identityId, identityType, displayName: null, createdAt: null, deletedAt: null, metadata: {} };
}

function resource(resourceId: string, ownerId: string | null = null): Resource {
  return {
    resourceId,
    resourceType: 'cluster',
    displayName: null,
    parentId: null,
    ownerId,
    createdAt: null,
    deletedAt: null,
    metadata: {},
  };
}

export function usage(
  totals: Record<string, number>,
  outcome: UsageOutcome = 'complete',
  samplesSeen = 24,
): Usage {
  return {
    totals: new Map(Object.entries(totals)),
    coverage: { samplesSeen: outcome === 'failed' ? 0 : samplesSeen, samplesExpected: 24 },
    outcome,
  };
}

export interface World {
  readonly active?: readonly string[];
  readonly derived?: readonly string[];
  readonly period?: readonly (string | Identity)[];
  readonly usage?: Record<string, Usage>;
  readonly owners?: Record<string, string>;
  readonly params?: AllocatorParams;
  readonly resourceId?: string | null;
}

const NOT_CONFIGURED: Usage = {
  totals: new Map(),
  coverage: { samplesSeen: 0, samplesExpected: 0 },
  outcome: 'not_configured',
};

/** A context as the engine makes one: sets sorted by id, the union of the first two beside them. */
export function contextOf(world: World): AllocationContext {
  const set = (names: readonly (string | Identity)[] = []): Identity[] =>
    names
      .map((name) => (typeof name === 'string' ? identity(name) : name))
      .toSorted((left, right) => (left.identityId < right.identityId ? -1 : 1));
  const { active = [], derived = [] } = world;
  const resourceId = world.resourceId === undefined ? 'lkc-1' : world.resourceId;
  const window = dayWindow('2026-02-01');
  return {
    window,
    line: {
      lineId: 'line-1',
      timestamp: window.start,
      granularity: 'daily',
      resourceId,
      environmentId: null,
      productCategory: 'KAFKA',
      productType: 'KAFKA_NUM_CKU',
      quantity: new Decimal(1),
      unitPrice: new Decimal(100),
      totalCost: parseMoney('100', 'USD').amount,
      coverage: null,
      metadata: {},
    },
    resource: resourceId === null ? null : resource(resourceId),
    inventory: { resources: new Map(), identities: new Map() },
    usage: (key) => world.usage?.[key] ?? NOT_CONFIGURED,
    params: world.params ?? {},
    usageOwners: new Map(Object.entries(world.owners ?? {})),
    identities: {
      resourceActive: set(active),
      metricsDerived: set(derived),
      mergedActive: set([...new Set([...active, ...derived])]),
      tenantPeriod: set(world.period),
    },
  };
}

export function planOf(allocator: CostAllocator, world: World): AllocationPlan {
  const outcome = allocator(contextOf(world));
  if (isStepAside(outcome)) throw new Error(`stepped aside: ${outcome.because}`);
  return outcome;
}

export function stepAsideOf(allocator: CostAllocator, world: World): StepAside['because'] {
  const outcome = allocator(contextOf(world));
  if (!isStepAside(outcome)) throw new Error('did not step aside');
  return outcome.because;
}

/** A row as it would be stored: who, how much, and why. */
export interface Row extends Omit<Portion, 'recipients' | 'ratio'> {
  readonly identityId: string;
  readonly amount: string;
  readonly ratio: string;
}

/** Turns a plan into rows with the money package, as the engine does. */
export function rowsOf(allocator: CostAllocator, amount: string, world: World): Row[] {
  const { portions } = planOf(allocator, world);
  const total = parseMoney(amount, 'USD').amount;
  const amounts = splitPortions(
    total,
    portions.map(({ ratio }) => ratio),
  );
  return portions.flatMap(({ recipients, ratio, ...rest }, index) =>
    splitByWeight(
      amounts[index]!,
      recipients.map(({ identityId, weight }) => ({ key: identityId, weight })),
    ).map(({ key, units }) => ({
      identityId: key,
      amount: formatUnits(units),
      ratio: ratio.toString(),
      ...rest,
    })),
  );
}

/** Who gets how much, added over all rows. */
export function amountsOf(allocator: CostAllocator, amount: string, world: World): Record<string, string> {
  const sums = new Map<string, bigint>();
  for (const row of rowsOf(allocator, amount, world)) {
    const { units } = parseMoney(row.amount, 'USD').amount;
    sums.set(row.identityId, (sums.get(row.identityId) ?? 0n) + units);
  }
  return Object.fromEntries(Array.from(sums, ([identityId, units]) => [identityId, formatUnits(units)]));
}

export function totalOf(rows: readonly Row[]): string {
  return formatUnits(rows.reduce((sum, { amount }) => sum + parseMoney(amount, 'USD').amount.units, 0n));
}
