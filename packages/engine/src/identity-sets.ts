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

type ActiveSets = Omit<IdentitySets, 'tenantPeriod'>;

/** Of lists that cannot change, as several lines have them in common: by the resource's, then by the metrics' one. */
const KNOWN = new WeakMap<readonly Identity[], WeakMap<readonly Identity[], ActiveSets>>();

/** The three sets of the specification and their union, sorted, without duplicates and without UNALLOCATED. */
export function identitySets(
  { resourceActive, metricsDerived }: IdentityResolution,
  tenantPeriod: readonly Identity[],
): IdentitySets {
  const known = KNOWN.get(resourceActive)?.get(metricsDerived);
  if (known) return { ...known, tenantPeriod };
  const sets = activeSets(sortedUnique(resourceActive), sortedUnique(metricsDerived));
  if (Object.isFrozen(resourceActive) && Object.isFrozen(metricsDerived)) {
    const ofResource = KNOWN.get(resourceActive) ?? new WeakMap<readonly Identity[], ActiveSets>();
    // An allocator that changes one would change it for other lines.
    for (const set of Object.values(sets)) Object.freeze(set);
    KNOWN.set(resourceActive, ofResource.set(metricsDerived, sets));
  }
  return { ...sets, tenantPeriod };
}

function activeSets(resourceActive: readonly Identity[], metricsDerived: readonly Identity[]): ActiveSets {
  return { resourceActive, metricsDerived, mergedActive: merge(resourceActive, metricsDerived) };
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
