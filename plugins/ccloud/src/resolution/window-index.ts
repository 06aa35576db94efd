import { type Identity, type Inventory, type Resource } from '@chargeback/plugin-api';
import { IDENTITY_TYPES, METADATA, RESOURCE_TYPES } from '../inventory/names.ts';
import { textOf } from './text-of.ts';

/** What resolvers look for in the inventory of a window, found once for all lines of that window. */
export interface WindowIndex {
  /** API keys by what they open. */
  readonly apiKeysOf: ReadonlyMap<string, readonly Identity[]>;
  /** Flink statements by their compute pool. */
  readonly statementsOf: ReadonlyMap<string, readonly Resource[]>;
}

/** Windows with the same inventory share one object, so that this follows its lifetime. */
const INDEXES = new WeakMap<Inventory, WindowIndex>();

export function windowIndex(inventory: Inventory): WindowIndex {
  let index = INDEXES.get(inventory);
  if (!index) {
    index = build(inventory);
    INDEXES.set(inventory, index);
  }
  return index;
}

function build({ identities, resources }: Inventory): WindowIndex {
  const apiKeysOf = new Map<string, Identity[]>();
  for (const identity of identities.values()) {
    if (identity.identityType !== IDENTITY_TYPES.apiKey) continue;
    append(apiKeysOf, textOf(identity.metadata[METADATA.resourceId]), identity);
  }
  const statementsOf = new Map<string, Resource[]>();
  for (const resource of resources.values()) {
    if (resource.resourceType !== RESOURCE_TYPES.flinkStatement) continue;
    append(statementsOf, textOf(resource.metadata[METADATA.computePoolId]), resource);
  }
  return { apiKeysOf, statementsOf };
}

function append<Item>(lists: Map<string, Item[]>, key: string | null, item: Item): void {
  if (key === null) return;
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
