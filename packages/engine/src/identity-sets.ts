import { compareKeys } from '@chargeback/money';
import {
  type Identity,
  type IdentityResolution,
  type IdentitySets,
  type Inventory,
  SYSTEM_IDENTITY_TYPE,
} from '@chargeback/plugin-api';

/** Every identity of a window except the system's own, in order of id. Made once per window. */
export function tenantPeriodOf(inventory: Inventory): readonly Identity[] {
  return sortedUnique([...inventory.identities.values()]);
}

/** The three sets of the specification and their union, sorted, without duplicates and without UNALLOCATED. */
export function identitySets(
  resolution: IdentityResolution,
  tenantPeriod: readonly Identity[],
): IdentitySets {
  const resourceActive = sortedUnique(resolution.resourceActive);
  const metricsDerived = sortedUnique(resolution.metricsDerived);
  return {
    resourceActive,
    metricsDerived,
    tenantPeriod,
    mergedActive: merge(resourceActive, metricsDerived),
  };
}

/** Both are sorted and unique; of an identity in both the right one is taken. */
function merge(left: readonly Identity[], right: readonly Identity[]): readonly Identity[] {
  if (left.length === 0) return right;
  if (right.length === 0) return left;
  const merged: Identity[] = [];
  let at = 0;
  for (const identity of right) {
    while (at < left.length && left[at]!.identityId < identity.identityId) merged.push(left[at++]!);
    if (at < left.length && left[at]!.identityId === identity.identityId) at += 1;
    merged.push(identity);
  }
  for (; at < left.length; at += 1) merged.push(left[at]!);
  return merged;
}

function sortedUnique(identities: readonly Identity[]): readonly Identity[] {
  // Most lists come in order, and looking costs less than sorting.
  if (isSortedUnique(identities)) return identities;
  const byId = new Map<string, Identity>();
  for (const identity of identities) {
    if (identity.identityType !== SYSTEM_IDENTITY_TYPE) byId.set(identity.identityId, identity);
  }
  return [...byId.values()].toSorted((left, right) => compareKeys(left.identityId, right.identityId));
}

function isSortedUnique(identities: readonly Identity[]): boolean {
  let before: string | null = null;
  for (const { identityId, identityType } of identities) {
    if (identityType === SYSTEM_IDENTITY_TYPE || (before !== null && before >= identityId)) return false;
    before = identityId;
  }
  return true;
}
