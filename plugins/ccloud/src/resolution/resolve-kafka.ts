import type { Identity, IdentityResolver, Inventory, ResolveContext } from '@chargeback/plugin-api';
import { IDENTITY_TYPES, METADATA } from '../inventory/names.ts';
import { USAGE_KEYS } from '../usage/usage-metrics.ts';
import { identityIn, SENTINELS } from './sentinels.ts';
import { textOf } from './text-of.ts';
import { windowIndex } from './window-index.ts';

/**
 * Whoever holds an API key of the billed resource is active on it; whoever the metrics name was seen on it. A
 * key stands for its owner in both; a key without owner for a named sentinel.
 */
export const resolveKafka: IdentityResolver = (context) => {
  const keys = apiKeysOf(context);
  const resourceActive = keys.map((key) => ownerOfKey(context.inventory, key));
  const metricsDerived: Identity[] = [];
  const usageOwners = new Map<string, string>();
  for (const name of principalsOf(context)) {
    const listed = context.inventory.identities.get(name);
    if (listed?.identityType === IDENTITY_TYPES.apiKey) {
      const owner = ownerOfKey(context.inventory, listed);
      usageOwners.set(name, owner.identityId);
      metricsDerived.push(owner);
    } else {
      metricsDerived.push(identityIn(context.inventory, name));
    }
  }
  return { resourceActive, metricsDerived, usageOwners };
};

function apiKeysOf({ line, inventory }: ResolveContext): readonly Identity[] {
  if (line.resourceId === null) return [];
  return windowIndex(inventory).apiKeysOf.get(line.resourceId) ?? [];
}

/** Names with stored usage on the line's resource, zero totals included: whoever connected is active. */
function principalsOf({ usage }: ResolveContext): Set<string> {
  const names = new Set<string>();
  for (const key of [USAGE_KEYS.bytesIn, USAGE_KEYS.bytesOut]) {
    for (const name of usage(key).totals.keys()) names.add(name);
  }
  return names;
}

export function ownerOfKey(inventory: Inventory, key: Identity): Identity {
  const owner = textOf(key.metadata[METADATA.ownerId]);
  return owner === null ? SENTINELS.apiKeyOwnerUnknown : identityIn(inventory, owner);
}
