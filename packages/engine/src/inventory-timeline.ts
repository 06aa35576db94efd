import type { Identity, Inventory, Resource, Window } from '@chargeback/plugin-api';
import type { Lifetimes } from '@chargeback/storage';
import { canonicalJson, digestOf } from './fingerprint.ts';
import { tenantPeriodOf } from './identity-sets.ts';

/** The inventory as it was in one window, with what is derived from it once. */
export interface WindowInventory {
  readonly inventory: Inventory;
  /** Every identity of the window except the system's own, in order of id. */
  readonly tenantPeriod: readonly Identity[];
  /** Digest of everything in the window that can change who bears a cost. */
  readonly digest: string;
}

/** Lines of one day may ask in turn for the day, its hours, its week and its month. */
const WINDOWS_KEPT = 32;
const DIGEST_MODULUS = 1n << 128n;

/** Everything known of resources and identities over time, answered per window. */
export class InventoryTimeline {
  readonly #resources: readonly Timed<Resource>[];
  readonly #identities: readonly Timed<Identity>[];
  readonly #lifetimesOf = new Map<string, Resource[]>();
  readonly #windows = new Map<string, WindowInventory>();

  constructor({ resources, identities }: Lifetimes) {
    this.#resources = resources.map((resource) => timed(resource, resourceText(resource)));
    this.#identities = identities.map((identity) => timed(identity, identityText(identity)));
    for (const resource of resources) {
      const known = this.#lifetimesOf.get(resource.resourceId);
      if (known) known.push(resource);
      else this.#lifetimesOf.set(resource.resourceId, [resource]);
    }
  }

  /** Every lifetime of a resource, ascending, whether or not it touches some window; empty when it was never known. */
  lifetimesOf(resourceId: string): readonly Resource[] {
    return this.#lifetimesOf.get(resourceId) ?? [];
  }

  of(window: Window): WindowInventory {
    const key = `${window.start.getTime()}-${window.end.getTime()}`;
    const kept = this.#windows.get(key);
    if (kept) return kept;
    const made = this.#make(window);
    for (const old of this.#windows.keys()) {
      if (this.#windows.size < WINDOWS_KEPT) break;
      this.#windows.delete(old);
    }
    this.#windows.set(key, made);
    return made;
  }

  /** Digest of the lifetimes of resources that a window's bill names without their being in its inventory. */
  outsideDigest(window: Window, resourceIds: readonly string[]): string {
    const { resources } = this.of(window).inventory;
    const outside = resourceIds.filter((resourceId) => !resources.has(resourceId)).toSorted();
    return digestOf(
      outside.map((resourceId) => {
        const known = this.lifetimesOf(resourceId).at(-1);
        return known ? resourceText(known) : `unknown ${resourceId}`;
      }),
    );
  }

  #make(window: Window): WindowInventory {
    const resources = new Map<string, Resource>();
    const identities = new Map<string, Identity>();
    const digests = [
      collect(this.#resources, window, (resource) => resources.set(resource.resourceId, resource)),
      collect(this.#identities, window, (identity) => identities.set(identity.identityId, identity)),
    ];
    const inventory: Inventory = { resources, identities };
    return { inventory, tenantPeriod: tenantPeriodOf(inventory), digest: digestOf(digests) };
  }
}

/** One lifetime with the number that stands for its content in digests. */
interface Timed<Item> {
  readonly item: Item;
  readonly hash: bigint;
}

function timed<Item>(item: Item, text: string): Timed<Item> {
  return { item, hash: hashOf(text) };
}

function hashOf(text: string): bigint {
  return BigInt(`0x${digestOf([text]).slice(0, 32)}`);
}

/**
 * Hands on what overlaps the window and returns a digest of it. A lifetime counts as far as it lies inside: a
 * thing that ends next month does not change what this month came to. Of two lifetimes of one id the later counts.
 */
function collect<Item extends Resource | Identity>(
  all: readonly Timed<Item>[],
  window: Window,
  add: (item: Item) => void,
): string {
  const [start, end] = [window.start.getTime(), window.end.getTime()];
  let sum = 0n;
  for (const { item, hash } of all) {
    const created = item.createdAt?.getTime() ?? -Infinity;
    const deleted = item.deletedAt?.getTime() ?? Infinity;
    if (created >= end || deleted <= start) continue;
    const whole = created <= start && deleted >= end;
    const inside = whole ? hash : hashOf(`${hash} ${Math.max(created, start)} ${Math.min(deleted, end)}`);
    sum = (sum + inside) % DIGEST_MODULUS;
    add(deleted !== Infinity && deleted >= end ? { ...item, deletedAt: null } : item);
  }
  return sum.toString(16);
}

/** Display names cannot change who bears a cost; lifetimes are told apart per window. */
function resourceText({ resourceId, resourceType, parentId, ownerId, metadata }: Resource): string {
  return canonicalJson([resourceId, resourceType, parentId, ownerId, metadata]);
}

function identityText({ identityId, identityType, metadata }: Identity): string {
  return canonicalJson([identityId, identityType, metadata]);
}
