import type { Identity, Inventory, Resource, Window } from '@chargeback/plugin-api';
import type { Lifetimes } from '@chargeback/storage';
import { canonicalJson, digestOf } from './fingerprint.ts';
import { tenantPeriodOf } from './identity-sets.ts';

/** The inventory as it was in one window, with what is derived from it: once, and only where it is asked for. */
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
    const isThere = (resource: Resource): boolean => overlaps(timesOf(resource), spanOf(window));
    const outside = resourceIds.filter((id) => !this.lifetimesOf(id).some(isThere)).toSorted();
    return digestOf(
      outside.map((resourceId) => {
        const known = this.lifetimesOf(resourceId).at(-1);
        return known ? resourceText(known) : `unknown ${resourceId}`;
      }),
    );
  }

  /** A day that nothing changed needs the digest alone. */
  #make(window: Window): WindowInventory {
    const span = spanOf(window);
    const digest = digestOf([sumOf(this.#resources, span), sumOf(this.#identities, span)]);
    let inventory: Inventory | undefined;
    let tenantPeriod: readonly Identity[] | undefined;
    const make = (): Inventory => ({
      resources: new Map(itemsOf(this.#resources, span).map((item) => [item.resourceId, item])),
      identities: new Map(itemsOf(this.#identities, span).map((item) => [item.identityId, item])),
    });
    return {
      digest,
      get inventory() {
        return (inventory ??= make());
      },
      get tenantPeriod() {
        return (tenantPeriod ??= tenantPeriodOf(this.inventory));
      },
    };
  }
}

/** Milliseconds since 1970: the first, and the first after the last. */
interface Span {
  readonly from: number;
  readonly until: number;
}

function spanOf({ start, end }: Window): Span {
  return { from: start.getTime(), until: end.getTime() };
}

function timesOf({ createdAt, deletedAt }: Resource | Identity): Span {
  return { from: createdAt?.getTime() ?? -Infinity, until: deletedAt?.getTime() ?? Infinity };
}

function overlaps(times: Span, span: Span): boolean {
  return times.from < span.until && times.until > span.from;
}

/** One lifetime with the number that stands for its content in digests. */
interface Timed<Item> {
  readonly item: Item;
  readonly times: Span;
  readonly hash: bigint;
}

function timed<Item extends Resource | Identity>(item: Item, text: string): Timed<Item> {
  return { item, times: timesOf(item), hash: hashOf(text) };
}

function hashOf(text: string): bigint {
  return BigInt(`0x${digestOf([text]).slice(0, 32)}`);
}

/**
 * Digest of what overlaps a span, as a sum, so that the order does not matter. A lifetime counts as far as it lies
 * inside: a thing that ends next month does not change what this month came to.
 */
function sumOf(all: readonly Timed<unknown>[], span: Span): string {
  let sum = 0n;
  for (const { times, hash } of all) {
    if (!overlaps(times, span)) continue;
    const whole = times.from <= span.from && times.until >= span.until;
    sum += whole
      ? hash
      : hashOf(`${hash} ${Math.max(times.from, span.from)} ${Math.min(times.until, span.until)}`);
  }
  return (sum % DIGEST_MODULUS).toString(16);
}

/** What overlaps a span, as it was in it; of two lifetimes of one id the later comes last. */
function itemsOf<Item extends Resource | Identity>(all: readonly Timed<Item>[], span: Span): Item[] {
  const items: Item[] = [];
  for (const { item, times } of all) {
    if (!overlaps(times, span)) continue;
    items.push(times.until !== Infinity && times.until >= span.until ? { ...item, deletedAt: null } : item);
  }
  return items;
}

/** Display names cannot change who bears a cost; lifetimes are told apart per window. */
function resourceText({ resourceId, resourceType, parentId, ownerId, metadata }: Resource): string {
  return canonicalJson([resourceId, resourceType, parentId, ownerId, metadata]);
}

function identityText({ identityId, identityType, metadata }: Identity): string {
  return canonicalJson([identityId, identityType, metadata]);
}
