import {
  type Identity,
  type IdentityResolver,
  type Inventory,
  type ResolveContext,
  UNALLOCATED,
} from '@chargeback/plugin-api';
import { IDENTITY_TYPES, METADATA } from '../inventory/names.ts';
import { USAGE_KEYS } from '../usage/usage-metrics.ts';
import { identityIn, SENTINELS } from './sentinels.ts';
import { textOf } from './text-of.ts';
import { windowIndex } from './window-index.ts';

/**
 * Whoever holds an API key of the billed cluster is active on it; whoever the metrics name was seen on it, in
 * either direction: a route that resolves so declares both. A key stands for its owner in both; a key without
 * owner for a named sentinel.
 */
export const resolveKafka: IdentityResolver = (context) => {
  const { inventory } = context;
  const metricsDerived: Identity[] = [];
  const usageOwners = new Map<string, string>();
  for (const name of principalsOf(context)) {
    const listed = inventory.identities.get(name);
    if (listed?.identityType === IDENTITY_TYPES.apiKey) {
      const owner = ownerOfKey(inventory, listed);
      usageOwners.set(name, owner.identityId);
      metricsDerived.push(owner);
    } else {
      metricsDerived.push(identityIn(inventory, name));
    }
  }
  return { resourceActive: keyHoldersOf(context), metricsDerived, usageOwners };
};

/** Whoever holds an API key of the billed thing, where no metric tells who used it. */
export const resolveKeyHolders: IdentityResolver = (context) => ({
  resourceActive: keyHoldersOf(context),
  metricsDerived: [],
});

function keyHoldersOf({ line, inventory }: ResolveContext): Identity[] {
  if (line.resourceId === null) return [];
  const keys = windowIndex(inventory).apiKeysOf.get(line.resourceId) ?? [];
  return keys.map((key) => ownerOfKey(inventory, key));
}

/** Names with stored usage on the line's resource, zero totals included: whoever connected is active. */
function principalsOf({ usage }: ResolveContext): Set<string> {
  const names = new Set<string>();
  for (const key of [USAGE_KEYS.bytesIn, USAGE_KEYS.bytesOut]) {
    for (const name of usage(key).totals.keys()) names.add(name);
  }
  // What names nobody makes nobody active.
  names.delete(UNALLOCATED);
  return names;
}

export function ownerOfKey(inventory: Inventory, key: Identity): Identity {
  const owner = textOf(key.metadata[METADATA.ownerId]);
  return owner === null ? SENTINELS.apiKeyOwnerUnknown : identityIn(inventory, owner);
}
