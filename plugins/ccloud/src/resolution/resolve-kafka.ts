import { compareKeys } from '@chargeback/money';
import {
  type Identity,
  type IdentityResolution,
  type IdentityResolver,
  type Inventory,
  type ResolveContext,
  UNALLOCATED,
  type Usage,
} from '@chargeback/plugin-api';
import { IDENTITY_TYPES, METADATA } from '../inventory/names.ts';
import { USAGE_KEYS } from '../usage/usage-metrics.ts';
import { identityIn, SENTINELS } from './sentinels.ts';
import { textOf } from './text-of.ts';
import { windowIndex } from './window-index.ts';

/**
 * Whoever holds an API key of the billed cluster is active on it; whoever the metrics name was seen on it, in
 * either direction: a route that resolves so declares both. A key stands for its owner in both; a key without
 * owner for a named sentinel. The several lines of a cluster and day share one answer.
 */
export const resolveKafka: IdentityResolver = (context) => {
  const { line, inventory } = context;
  const totals = USED_BY.map((key) => context.usage(key).totals);
  const ofWindow = RESOLVED.get(inventory) ?? new Map<string | null, Resolved>();
  RESOLVED.set(inventory, ofWindow);
  const known = ofWindow.get(line.resourceId);
  if (known?.totals.every((one, index) => one === totals[index])) return known.resolution;
  const resolution = { ...seenIn(totals, inventory), resourceActive: keyHoldersOf(context) };
  ofWindow.set(line.resourceId, { totals, resolution });
  return resolution;
};

const USED_BY = [USAGE_KEYS.bytesIn, USAGE_KEYS.bytesOut] as const;

type Totals = Usage['totals'];

/** What was resolved for a cluster, and from which usage. */
interface Resolved {
  readonly totals: readonly Totals[];
  readonly resolution: IdentityResolution;
}

/** By cluster. All lines of a window have its inventory in common, so that this follows its lifetime. */
const RESOLVED = new WeakMap<Inventory, Map<string | null, Resolved>>();

/** Whoever holds an API key of the billed thing, where no metric tells who used it. */
export const resolveKeyHolders: IdentityResolver = (context) => ({
  resourceActive: keyHoldersOf(context),
  metricsDerived: [],
});

/** By the keys of one thing in one window. */
const HOLDERS = new WeakMap<readonly Identity[], readonly Identity[]>();

function keyHoldersOf({ line, inventory }: ResolveContext): readonly Identity[] {
  const keys = line.resourceId === null ? undefined : windowIndex(inventory).apiKeysOf.get(line.resourceId);
  if (!keys) return [];
  let holders = HOLDERS.get(keys);
  if (!holders) {
    holders = inOrder(keys.map((key) => ownerOfKey(inventory, key)));
    HOLDERS.set(keys, holders);
  }
  return holders;
}

function seenIn(totals: readonly Totals[], inventory: Inventory): Omit<IdentityResolution, 'resourceActive'> {
  const metricsDerived: Identity[] = [];
  const usageOwners = new Map<string, string>();
  for (const name of principalsOf(totals)) {
    const listed = inventory.identities.get(name);
    if (listed?.identityType === IDENTITY_TYPES.apiKey) {
      const owner = ownerOfKey(inventory, listed);
      usageOwners.set(name, owner.identityId);
      metricsDerived.push(owner);
    } else {
      metricsDerived.push(identityIn(inventory, name));
    }
  }
  return { metricsDerived: inOrder(metricsDerived), usageOwners };
}

/** Each once, in order of id, as the engine wants them: once for all lines that have them in common. */
function inOrder(identities: readonly Identity[]): readonly Identity[] {
  const byId = new Map(identities.map((identity) => [identity.identityId, identity]));
  const sorted = [...byId.values()].toSorted((left, right) => compareKeys(left.identityId, right.identityId));
  return Object.freeze(sorted);
}

/** Names with stored usage on the line's resource, zero totals included: whoever connected is active. */
function principalsOf(totals: readonly Totals[]): Set<string> {
  const names = new Set<string>();
  for (const one of totals) for (const name of one.keys()) names.add(name);
  // What names nobody makes nobody active.
  names.delete(UNALLOCATED);
  return names;
}

export function ownerOfKey(inventory: Inventory, key: Identity): Identity {
  const owner = textOf(key.metadata[METADATA.ownerId]);
  return owner === null ? SENTINELS.apiKeyOwnerUnknown : identityIn(inventory, owner);
}
