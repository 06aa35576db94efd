import assert from 'node:assert/strict';
import { Decimal, money, splitByWeight, splitPortions } from '@chargeback/money';
import {
  ALLOCATION_DETAILS,
  type AllocationContext,
  type AllocationPlan,
  isStepAside,
  type Portion,
  type StepAside,
  UNALLOCATED,
} from '@chargeback/plugin-api';

/** Everything that the engine demands of a plan, and a little more. */
export function assertPlan(
  outcome: AllocationPlan | StepAside,
  context: AllocationContext,
  known: KnownBesides = {},
): AllocationPlan {
  assert.ok(typeof outcome === 'object' && outcome !== null, `it returned ${String(outcome)}, not a plan`);
  assert.ok(!('then' in outcome), 'it returned a promise: allocators are synchronous');
  assert.ok(!isStepAside(outcome), `it stepped aside, and nothing comes after it: end with a terminal model`);
  const { portions } = outcome;
  assert.ok(Array.isArray(portions) && portions.length > 0, 'a plan needs at least one portion');
  for (const portion of portions) assertPortion(portion, context, known);
  const sum = portions.reduce((total, { ratio }) => total.plus(ratio), new Decimal(0));
  assert.ok(sum.minus(1).abs().lessThanOrEqualTo('0.0001'), `its ratios add up to ${sum}, not to 1`);
  return outcome;
}

export interface KnownBesides {
  /** Identities that the configuration names, and the keys of usage queries whose names count as known. */
  readonly identities?: ReadonlySet<string>;
  readonly queryKeys?: readonly string[];
}

function assertPortion(portion: Portion, context: AllocationContext, known: KnownBesides): void {
  assert.ok(Decimal.isDecimal(portion.ratio), 'the ratio of a portion is a Decimal of @chargeback/money');
  assert.ok(['USAGE', 'SHARED'].includes(portion.costType), `there is no cost type ${portion.costType}`);
  assert.ok(portion.method.length > 0, 'a portion names its method');
  if (portion.detail !== null) {
    assert.ok(Object.hasOwn(ALLOCATION_DETAILS, portion.detail), `there is no detail ${portion.detail}`);
  }
  assert.ok(portion.recipients.length > 0, 'a portion has at least one recipient');
  const ids = portion.recipients.map(({ identityId }) => identityId);
  assert.equal(new Set(ids).size, ids.length, 'a portion names each identity once');
  for (const { identityId, weight } of portion.recipients) {
    assert.equal(typeof weight, 'bigint', `the weight of ${identityId} is a bigint`);
    assert.ok(weight >= 0n, `the weight of ${identityId} is not negative`);
    assert.ok(isKnown(identityId, context, known), `${identityId} is nobody that the line's inputs name`);
  }
  assert.ok(
    portion.recipients.some(({ weight }) => weight > 0n),
    'somebody in a portion has a positive weight',
  );
}

function isKnown(identityId: string, context: AllocationContext, known: KnownBesides): boolean {
  const { line, resource, inventory, identities, usageOwners } = context;
  const named = [UNALLOCATED, line.resourceId, resource?.ownerId, ...usageOwners.values()];
  if (named.includes(identityId) || inventory.identities.has(identityId)) return true;
  if (identities.mergedActive.some((identity) => identity.identityId === identityId)) return true;
  if (known.identities?.has(identityId)) return true;
  return (known.queryKeys ?? []).some((queryKey) => context.usage(queryKey).totals.has(identityId));
}

/** Weights by portion and identity, in order, so that two plans can be compared. */
export function weightsOf({ portions }: AllocationPlan): unknown {
  return portions.map(({ ratio, recipients, costType, method, detail }) => ({
    ratio: ratio.toString(),
    costType,
    method,
    detail,
    weights: Object.fromEntries(
      recipients
        .map(({ identityId, weight }) => [identityId, weight] as const)
        .toSorted(([left], [right]) => (left < right ? -1 : 1)),
    ),
  }));
}

/** The shares that the engine would make of it, which must come to the amount to its last digit. */
export function assertConserved({ portions }: AllocationPlan, units: bigint): void {
  const amounts = splitPortions(
    money(units, 'USD'),
    portions.map(({ ratio }) => ratio),
  );
  let sum = 0n;
  for (const [index, { recipients }] of portions.entries()) {
    const weighted = recipients.map(({ identityId, weight }) => ({ key: identityId, weight }));
    for (const share of splitByWeight(amounts[index]!, weighted)) sum += share.units;
  }
  assert.equal(sum, units, 'the shares of a line add up to the line');
}
