import type { Decimal, Weight } from '@chargeback/money';
import type { AllocationDetail } from './allocation-detail.ts';
import type { BillingLineItem } from './billing.ts';
import type { Identity, Inventory, Resource } from './inventory.ts';
import type { Usage, UsageQuery } from './usage.ts';
import type { Window } from './window.ts';

/** `USAGE`: by measured consumption. `SHARED`: because no per-identity measure was available. */
export type CostType = 'USAGE' | 'SHARED';

/** Who could have caused a line. Each set is sorted by id in code-unit order; UNALLOCATED is in none. */
export interface IdentitySets {
  /** Tied to the billed resource in the window. */
  readonly resourceActive: readonly Identity[];
  /** Seen in the metrics of the window. */
  readonly metricsDerived: readonly Identity[];
  /** Every identity of the tenant whose lifetime overlaps the window. */
  readonly tenantPeriod: readonly Identity[];
  /** The first two, united. */
  readonly mergedActive: readonly Identity[];
}

export type IdentitySetName = keyof IdentitySets;

/** Values of `allocator_params`, as validated. */
export type AllocatorParams = Readonly<Record<string, string | number | boolean>>;

/** What a resolver sees: stored inputs only. */
export interface ResolveContext {
  readonly line: BillingLineItem;
  readonly resource: Resource | null;
  readonly window: Window;
  /** The inventory as it was in the window. */
  readonly inventory: Inventory;
  /** Stored usage of the line's resource in the window; `not_configured` when the route has no such query. */
  readonly usage: (queryKey: string) => Usage;
  readonly params: AllocatorParams;
}

/** Which identities could have caused a line. Order does not matter; the engine sorts. */
export interface IdentityResolution {
  readonly resourceActive: readonly Identity[];
  readonly metricsDerived: readonly Identity[];
  /** Who answers for a name found in the metrics, where that is not an identity itself (an API key's owner). */
  readonly usageOwners?: ReadonlyMap<string, string>;
}

/** Pure: the same context always gives the same answer. No I/O, no clock. */
export type IdentityResolver = (context: ResolveContext) => IdentityResolution;

/** What an allocator sees. */
export interface AllocationContext extends ResolveContext {
  readonly identities: IdentitySets;
  /** See {@link IdentityResolution.usageOwners}; empty when the resolver named none. */
  readonly usageOwners: ReadonlyMap<string, string>;
  /**
   * What the other lines of the line's day were allocated: ledger units per identity, in order of id. Only
   * identities with more than zero, never UNALLOCATED. Present where the route says `afterOthers`.
   */
  readonly allocatedOfDay?: () => ReadonlyMap<string, Weight>;
}

export interface Recipient {
  readonly identityId: string;
  readonly weight: Weight;
}

/** A tier of a chain that was tried and stepped aside. */
export interface TierAttempt {
  readonly tier: number;
  readonly because: AllocationDetail;
}

/** A part of a line that one rule splits. */
export interface Portion {
  /** Share of the amount to split, between 0 and 1. The ratios of a plan add up to 1. */
  readonly ratio: Decimal;
  /** At least one, each identity once, at least one weight positive. */
  readonly recipients: readonly Recipient[];
  readonly costType: CostType;
  /** `even_split`, `usage_ratio`, `direct_owner`, `terminal`, or the author's own word. */
  readonly method: string;
  readonly detail: AllocationDetail | null;
  /** 0-based tier of the chain that decided; null outside a chain. */
  readonly chainTier: number | null;
  /** 0-based index in a composite; null outside one. */
  readonly compositionIndex: number | null;
  readonly tiersTried: readonly TierAttempt[];
}

/** Proposed weights. The engine turns them into money, so no allocator can lose or invent a cent. */
export interface AllocationPlan {
  readonly portions: readonly Portion[];
}

/** "Does not apply here": a chain goes on to its next tier. */
export interface StepAside {
  readonly stepAside: true;
  readonly because: AllocationDetail;
}

/** Pure and synchronous. It may be run again at any time to explain or preview. */
export type CostAllocator = (context: AllocationContext) => AllocationPlan | StepAside;

export function isStepAside(outcome: AllocationPlan | StepAside): outcome is StepAside {
  return 'stepAside' in outcome;
}

/** One row of the routing table: everything the engine needs for one product type. */
export interface ProductRoute {
  readonly productType: string;
  readonly usage: readonly UsageQuery[];
  readonly resolve: IdentityResolver;
  readonly allocate: CostAllocator;
  /**
   * True when the allocator follows what other lines were allocated. Its lines are calculated after all other
   * lines of their day, and wait as long as one of those is held. Such lines do not see each other.
   */
  readonly afterOthers?: boolean;
}
