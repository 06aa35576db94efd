import {
  assertRatios,
  fractionOfMoney,
  type Money,
  splitColumns,
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
import { assertPlan } from './assert-plan.ts';
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
  const outcome: unknown = route.allocate({
    ...context,
    identities: identitySets(resolution, tenantPeriod),
    usageOwners: resolution.usageOwners ?? new Map(),
    ...(allocatedOfDay ? { allocatedOfDay } : {}),
  });
  assertPlan(outcome, route.productType);
  if (isStepAside(outcome)) {
    throw new ChargebackError(
      'CB_ALLOCATION_FAILED',
      `the allocator of ${route.productType} stepped aside (${outcome.because}) and nothing comes after it`,
      { fix: 'End the chain with a terminal model.' },
    );
  }
  assertRatios(outcome.portions.map(({ ratio }) => ratio));
  return outcome;
}

function splitPortion(portion: Portion, amount: Money, composite: boolean): CalculatedPortion {
  const { recipients } = portion;
  const { keys, weights, units } = splitColumns(amount, {
    keys: recipients.map(({ identityId }) => identityId),
    weights: recipients.map(({ weight }) => weight),
  });
  return {
    costType: portion.costType,
    method: portion.method,
    detail: portion.detail,
    chainTier: portion.chainTier,
    compositionIndex: portion.compositionIndex,
    compositionRatio: composite ? portion.ratio : null,
    tiersTried: portion.tiersTried,
    identityIds: keys,
    units,
    ratios: ratiosOf(weights),
  };
}

/** What a number can hold, less what rounding may add. */
const MOST_BITS = 1000;

function ratiosOf(weights: readonly Weight[]): number[] {
  let sum = 0n;
  for (const weight of weights) sum += weight;
  const total = Number(sum);
  if (Number.isFinite(total)) return weights.map((weight) => Number(weight) / total);
  const excess = BigInt(4 * sum.toString(16).length - MOST_BITS);
  return weights.map((weight) => Number(weight >> excess) / Number(sum >> excess));
}
