import { assertRatios } from '@chargeback/money';
import {
  type AllocationContext,
  type AllocationPlan,
  ChargebackError,
  type Identity,
  type IdentityResolution,
  isStepAside,
  type StepAside,
  UNALLOCATED,
  type UsageQuery,
} from '@chargeback/plugin-api';
import { assertPlan } from '../assert-plan.ts';

/** Whoever is known although no inventory lists them. */
export interface KnownBesides {
  /** The usage queries of the route: the names in their answers. */
  readonly queries: readonly UsageQuery[];
  /** Names that the configuration itself gives, in the parameters of the override. */
  readonly named?: ReadonlySet<string>;
  /** A plugin may charge whom it likes: it is the one that knows its world. */
  readonly anybody?: boolean;
}

/**
 * What an override returned, checked to the last recipient: a plan with usable weights whose recipients exist.
 * @throws {ChargebackError} `CB_ALLOCATION_FAILED` saying what is wrong with it.
 */
export function checkedPlan(
  outcome: unknown,
  context: AllocationContext,
  known: KnownBesides,
): AllocationPlan {
  const plan = outcome as AllocationPlan | StepAside;
  assertPlan(plan, context.line.productType);
  if (isStepAside(plan)) throw complaint(`it stepped aside (${plan.because}) and nothing comes after it`);
  for (const { recipients } of plan.portions) {
    const seen = new Set<string>();
    for (const { identityId, weight } of recipients) {
      if (seen.has(identityId)) throw complaint(`it named ${identityId} twice in one portion`);
      seen.add(identityId);
      if (weight < 0n) throw complaint(`it gave ${identityId} the negative weight ${weight}`);
      if (!isKnown(identityId, context, known)) {
        throw complaint(`it named ${JSON.stringify(identityId)}, whom nobody knows`);
      }
    }
    if (!recipients.some(({ weight }) => weight > 0n)) throw complaint('it gave nobody a positive weight');
  }
  assertRatios(plan.portions.map(({ ratio }) => ratio));
  return plan;
}

function complaint(what: string): ChargebackError {
  return new ChargebackError('CB_ALLOCATION_FAILED', what, {
    fix: 'Mend the override; testAllocator of @chargeback/testkit checks what it returns.',
  });
}

/** Anybody that the line's own inputs name. A new name would be a cost that no report can explain. */
function isKnown(
  identityId: string,
  { line, resource, inventory, identities, usageOwners, usage, allocatedOfDay }: AllocationContext,
  { queries, named, anybody }: KnownBesides,
): boolean {
  if (
    anybody ||
    inventory.identities.has(identityId) ||
    identityId === UNALLOCATED ||
    named?.has(identityId)
  ) {
    return true;
  }
  if (identityId === line.resourceId || identityId === resource?.ownerId) return true;
  if (identities.mergedActive.some((identity) => identity.identityId === identityId)) return true;
  if (queries.some(({ key }) => usage(key).totals.has(identityId))) return true;
  if (allocatedOfDay?.().has(identityId)) return true;
  for (const owner of usageOwners.values()) if (owner === identityId) return true;
  return false;
}

/** @throws {ChargebackError} `CB_ALLOCATION_FAILED` unless it is a resolution. */
export function checkedResolution(outcome: unknown): IdentityResolution {
  if (typeof outcome !== 'object' || outcome === null || isThenable(outcome)) {
    const got = isThenable(outcome) ? 'a promise' : outcome === null ? 'null' : typeof outcome;
    throw unresolved(`a resolver must return identities, got ${got}`);
  }
  const { resourceActive, metricsDerived, usageOwners } = outcome as Partial<IdentityResolution>;
  for (const [name, set] of Object.entries({ resourceActive, metricsDerived })) {
    if (!Array.isArray(set) || !set.every(isIdentity))
      throw unresolved(`its ${name} is no list of identities`);
  }
  if (usageOwners !== undefined && !(usageOwners instanceof Map && [...usageOwners].flat().every(isName))) {
    throw unresolved('its usageOwners are no map from names to identity ids');
  }
  return outcome as IdentityResolution;
}

function unresolved(what: string): ChargebackError {
  return new ChargebackError('CB_ALLOCATION_FAILED', what, {
    fix: 'Return { resourceActive: […], metricsDerived: […] } from a synchronous function.',
  });
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== 'object' || value === null) return false;
  const { identityId, identityType } = value as Partial<Identity>;
  return isName(identityId) && isName(identityType);
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.isWellFormed();
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
