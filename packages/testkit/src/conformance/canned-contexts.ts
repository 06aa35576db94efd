import { compareKeys, Decimal, money } from '@chargeback/money';
import {
  type AllocationContext,
  type AllocatorParams,
  type BillingLineItem,
  dayWindow,
  type Identity,
  type Metadata,
  type Usage,
  type UsageOutcome,
} from '@chargeback/plugin-api';
import { noise } from '../simulator/random.ts';

/** What the canned lines should look like to the allocator or resolver under test. */
export interface ContextOptions {
  /** Default `COMPUTE`. */
  readonly productType?: string;
  /** Keys of the usage queries that it asks for; there is usage for these only. */
  readonly queryKeys?: readonly string[];
  /** Type of the identities; default `principal`. */
  readonly identityType?: string;
  /** Metadata of the identity of that index, such as its team. */
  readonly metadata?: (index: number) => Metadata;
  /** `allocator_params` of the tenant. */
  readonly allocatorParams?: AllocatorParams;
}

export interface CannedContext {
  readonly name: string;
  readonly context: AllocationContext;
}

const WINDOW = dayWindow('2026-02-01');

/** Lines with nobody, one and many identities; with usage, without it, and with a metrics source that is down. */
export function cannedContexts(options: ContextOptions): CannedContext[] {
  const make = (name: string, count: number, usage: UsageOf): CannedContext => ({
    name,
    context: makeContext({ count, usage }, options),
  });
  return [
    make('nobody known and no usage', 0, nothing('not_configured')),
    make('nobody known and a metrics source that is down', 0, nothing('failed')),
    make('one identity', 1, some),
    make('many identities and usage', 40, some),
    make('many identities that used nothing', 7, zero),
    make('many identities and a metrics source that is down', 7, nothing('failed')),
    make('usage far larger and far smaller than the rest', 7, extreme),
    { name: 'no resource', context: withoutResource(makeContext({ count: 3, usage: some }, options)) },
    { name: 'a credit', context: withAmount(makeContext({ count: 3, usage: some }, options), -12_345_678n) },
    {
      name: 'an amount of nothing',
      context: withAmount(makeContext({ count: 3, usage: some }, options), 0n),
    },
  ];
}

/** The same context with every set, map and list in another order, as far as the contract leaves the order open. */
export function shuffled(context: AllocationContext): AllocationContext {
  const { inventory, usage, usageOwners } = context;
  return {
    ...context,
    inventory: {
      resources: reversed(inventory.resources),
      identities: reversed(inventory.identities),
    },
    usage: (queryKey) => {
      const answer = usage(queryKey);
      return { ...answer, totals: reversed(answer.totals) };
    },
    usageOwners: reversed(usageOwners),
    identities: {
      resourceActive: context.identities.resourceActive.toReversed(),
      metricsDerived: context.identities.metricsDerived.toReversed(),
      tenantPeriod: context.identities.tenantPeriod.toReversed(),
      mergedActive: context.identities.mergedActive.toReversed(),
    },
  };
}

/** Amounts of every size and sign, the same ones every time. */
export function randomAmounts(count: number): bigint[] {
  return Array.from({ length: count }, (_, index) => {
    const digits = 1 + Math.floor(noise(1, index) * 15);
    const units = BigInt(Math.floor(noise(2, index) * 10 ** digits));
    return noise(3, index) < 0.2 ? -units : units;
  });
}

export function withAmount(context: AllocationContext, units: bigint): AllocationContext {
  return { ...context, line: { ...context.line, totalCost: money(units, 'USD') } };
}

type UsageOf = (identities: readonly Identity[]) => Usage;

const ALL_SEEN = { samplesSeen: 24, samplesExpected: 24 };

const nothing =
  (outcome: UsageOutcome): UsageOf =>
  () => ({ totals: new Map(), coverage: { samplesSeen: 0, samplesExpected: 24 }, outcome });

const valued =
  (value: (index: number) => number): UsageOf =>
  (identities) => ({
    totals: new Map(identities.map(({ identityId }, index) => [identityId, value(index)])),
    coverage: ALL_SEEN,
    outcome: 'complete',
  });

const some = valued((index) => 1 + Math.floor(noise(4, index) * 1_000_000));
const zero = valued(() => 0);
const extreme = valued((index) => [1e15, 1, 1e-9, 0.1, 1e9, 3, 1 / 3][index] ?? 1);

function makeContext(
  { count, usage }: { count: number; usage: UsageOf },
  options: ContextOptions,
): AllocationContext {
  const identities = Array.from({ length: count }, (_, index) => identityAt(index, options)).toSorted(
    (left, right) => compareKeys(left.identityId, right.identityId),
  );
  const resource = {
    resourceId: 'resource-1',
    resourceType: 'cluster',
    displayName: null,
    parentId: null,
    ownerId: identities[0]?.identityId ?? null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
  };
  const answer = usage(identities);
  const unasked: Usage = nothing('not_configured')([]);
  return {
    line: lineOf(options.productType ?? 'COMPUTE'),
    resource,
    window: WINDOW,
    inventory: {
      resources: new Map([[resource.resourceId, resource]]),
      identities: new Map(identities.map((identity) => [identity.identityId, identity])),
    },
    usage: (queryKey) => (options.queryKeys?.includes(queryKey) ? answer : unasked),
    params: options.allocatorParams ?? {},
    identities: {
      resourceActive: identities.slice(0, Math.ceil(count / 2)),
      metricsDerived: identities.filter(({ identityId }) => answer.totals.has(identityId)),
      tenantPeriod: identities,
      mergedActive: identities,
    },
    usageOwners: new Map(),
  };
}

function identityAt(index: number, { identityType, metadata }: ContextOptions): Identity {
  return {
    identityId: `identity-${index}`,
    identityType: identityType ?? 'principal',
    displayName: `Identity ${index}`,
    createdAt: new Date('2025-01-01T00:00:00Z'),
    deletedAt: null,
    metadata: metadata?.(index) ?? {},
  };
}

function lineOf(productType: string): BillingLineItem {
  return {
    lineId: `line/${productType}`,
    timestamp: WINDOW.start,
    granularity: 'daily',
    resourceId: 'resource-1',
    environmentId: null,
    productCategory: 'category',
    productType,
    quantity: new Decimal('3'),
    unitPrice: new Decimal('33.3333'),
    totalCost: money(9_999_990_000n, 'USD'),
    coverage: null,
    metadata: {},
  };
}

function withoutResource(context: AllocationContext): AllocationContext {
  return { ...context, resource: null, line: { ...context.line, resourceId: null } };
}

function reversed<Key, Value>(map: ReadonlyMap<Key, Value>): Map<Key, Value> {
  return new Map([...map].toReversed());
}
