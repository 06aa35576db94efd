import {
  assertRatios,
  Decimal,
  fractionOfMoney,
  type Money,
  splitByWeight,
  splitPortions,
  subtractMoney,
  type Weight,
} from '@chargeback/money';
import {
  type AllocationContext,
  type AllocationPlan,
  ChargebackError,
  isStepAside,
  type Portion,
  type ProductRoute,
  type ResolveContext,
} from '@chargeback/plugin-api';
import type { CalculatedPortion } from '@chargeback/storage';
import type { Fraction } from './active-fraction.ts';
import { identitySets } from './identity-sets.ts';

/** A line with its money shared out. */
export interface AllocatedLine {
  readonly retained: Money;
  readonly portions: readonly CalculatedPortion[];
}

export interface LineToAllocate {
  readonly context: ResolveContext;
  readonly route: ProductRoute;
  readonly tenantPeriod: AllocationContext['identities']['tenantPeriod'];
  /** Only where the route follows other lines. */
  readonly allocatedOfDay?: NonNullable<AllocationContext['allocatedOfDay']>;
  /** The part of the line that is allocated; the rest is retained. */
  readonly active: Fraction;
}

/**
 * Resolves, allocates and splits one line. `total = Σ rows + retained`, always: the allocator only names
 * weights.
 * @throws {ChargebackError} `CB_ALLOCATION_FAILED` when the resolver or the allocator misbehaves.
 */
export function allocateLine(input: LineToAllocate): AllocatedLine {
  const { line } = input.context;
  const plan = planOf(input);
  const split = fractionOfMoney(line.totalCost, input.active.numerator, input.active.denominator);
  const amounts = splitPortions(
    split,
    plan.portions.map(({ ratio }) => ratio),
  );
  const composite = plan.portions.length > 1;
  return {
    retained: subtractMoney(line.totalCost, split),
    portions: plan.portions.map((portion, index) =>
      splitPortion(portion, amounts[index]!, composite || portion.compositionIndex !== null),
    ),
  };
}

function planOf({ context, route, tenantPeriod, allocatedOfDay }: LineToAllocate): AllocationPlan {
  const resolution = route.resolve(context);
  const outcome = route.allocate({
    ...context,
    identities: identitySets(resolution, tenantPeriod),
    usageOwners: resolution.usageOwners ?? new Map(),
    ...(allocatedOfDay ? { allocatedOfDay } : {}),
  });
  assertPlanShape(outcome);
  if (isStepAside(outcome)) {
    throw new ChargebackError(
      'CB_ALLOCATION_FAILED',
      `the allocator of ${route.productType} stepped aside (${outcome.because}) and nothing comes after it`,
      { fix: 'End the chain with a terminal model.' },
    );
  }
  for (const portion of outcome.portions) assertPortion(portion, route.productType);
  assertRatios(outcome.portions.map(({ ratio }) => ratio));
  return outcome;
}

/** Third-party code may return anything: a promise, nothing, a plan without portions. */
function assertPlanShape(outcome: unknown): void {
  if (typeof outcome === 'object' && outcome !== null) {
    if ('stepAside' in outcome) return;
    if ('portions' in outcome && Array.isArray(outcome.portions) && outcome.portions.length > 0) return;
  }
  const got = outcome instanceof Promise ? 'a promise' : typeof outcome;
  throw new ChargebackError(
    'CB_ALLOCATION_FAILED',
    `an allocator must return a plan with portions, got ${got}`,
    {
      fix: 'Return { portions: […] } or { stepAside: true, because } from a synchronous function.',
    },
  );
}

function assertPortion(portion: Portion, productType: string): void {
  const complain = (what: string): never => {
    throw new ChargebackError('CB_ALLOCATION_FAILED', `the allocator of ${productType} returned ${what}`);
  };
  if (!Decimal.isDecimal(portion.ratio)) complain('a portion whose ratio is not a Decimal');
  if (portion.costType !== 'USAGE' && portion.costType !== 'SHARED')
    complain(`the cost type ${String(portion.costType)}; it is USAGE or SHARED`);
  if (typeof portion.method !== 'string' || portion.method === '') complain('a portion without a method');
  if (portion.detail !== null && typeof portion.detail !== 'string')
    complain('a detail that is neither text nor null');
  for (const index of [portion.chainTier, portion.compositionIndex]) {
    if (index !== null && !Number.isSafeInteger(index)) complain('a tier or index that is not an integer');
  }
  if (!Array.isArray(portion.tiersTried)) complain('a portion without tiersTried; an empty list will do');
  if (!Array.isArray(portion.recipients) || portion.recipients.length === 0)
    complain('a portion without recipients');
  for (const { identityId, weight } of portion.recipients) {
    if (typeof identityId !== 'string' || identityId === '') complain('a recipient without an identity id');
    if (!identityId.isWellFormed()) complain('an identity id that is not well-formed text');
    if (typeof weight !== 'bigint')
      complain(`a weight of type ${typeof weight} for ${identityId}; weights are bigint`);
  }
}

function splitPortion(portion: Portion, amount: Money, composite: boolean): CalculatedPortion {
  const shares = splitByWeight(
    amount,
    portion.recipients.map(({ identityId, weight }) => ({ key: identityId, weight })),
  );
  const weights = new Map(portion.recipients.map(({ identityId, weight }) => [identityId, weight]));
  let sum = 0n;
  for (const weight of weights.values()) sum += weight;
  return {
    costType: portion.costType,
    method: portion.method,
    detail: portion.detail,
    chainTier: portion.chainTier,
    compositionIndex: portion.compositionIndex,
    compositionRatio: composite ? portion.ratio : null,
    tiersTried: portion.tiersTried,
    identityIds: shares.map(({ key }) => key),
    units: shares.map(({ units }) => units),
    ratios: shares.map(({ key }) => ratioOf(weights.get(key)!, sum)),
  };
}

const RATIO_SCALE = 10n ** 18n;

/** Divided as integers: weights may be larger than any double. */
function ratioOf(weight: Weight, sum: Weight): number {
  return Number((weight * RATIO_SCALE) / sum) / Number(RATIO_SCALE);
}
