import {
  type Identity,
  type IdentityBatch,
  type Resource,
  type ResourceBatch,
  UNALLOCATED,
} from '@chargeback/plugin-api';
import { type Insertable, type Kysely, sql } from 'kysely';
import { metadataText, millisecondsOf } from '../convert.ts';
import { type Lifetime, placeListed, placeObserved } from '../lifetimes.ts';
import type { IdentityTable, ResourceTable, StorageSchema } from '../schema.ts';

/** Stored lifetimes per id, ascending. */
export type StoredLifetimes = ReadonlyMap<string, readonly StoredLifetime[]>;

interface StoredLifetime extends Lifetime {
  readonly key: number;
  readonly observed: boolean;
}

/** A row to write: over the one with the key, or new when the key is null. */
export interface InventoryWrite<Row> {
  readonly key: number | null;
  readonly row: Row;
}

export function storedLifetimesQuery(
  build: Kysely<StorageSchema>,
  kind: 'resource' | 'identity',
  ids: readonly string[],
) {
  const observed = kind === 'identity' ? sql.ref<number>('observed') : sql<number>`0`;
  return build
    .selectFrom(kind === 'identity' ? 'identities' : 'resources')
    .select([
      sql.ref<number>(`${kind}_key`).as('key'),
      sql.ref<string>(`${kind}_id`).as('id'),
      'created_at',
      'deleted_at',
      observed.as('observed'),
    ])
    .where(sql.ref(`${kind}_id`), 'in', [...ids])
    .orderBy('key');
}

interface LifetimeRow {
  readonly key: number;
  readonly id: string;
  readonly created_at: number | null;
  readonly deleted_at: number | null;
  readonly observed: number;
}

export function addLifetimes(found: Map<string, StoredLifetime[]>, rows: readonly LifetimeRow[]): void {
  for (const row of rows) {
    const lifetimes = found.get(row.id) ?? [];
    const { created_at: createdAt, deleted_at: deletedAt } = row;
    lifetimes.push({ key: row.key, createdAt, deletedAt, observed: row.observed === 1 });
    found.set(row.id, lifetimes);
  }
}

/** Of several entries of one id the last one counts. */
export function resourcesById({ resources }: ResourceBatch): Map<string, Resource> {
  return new Map(resources.map((resource) => [resource.resourceId, resource]));
}

/** As for resources; UNALLOCATED is made with the database and never changes. */
export function identitiesById({ identities }: Pick<IdentityBatch, 'identities'>): Map<string, Identity> {
  const latest = new Map(identities.map((identity) => [identity.identityId, identity]));
  latest.delete(UNALLOCATED);
  return latest;
}

export function* resourceWrites(
  latest: ReadonlyMap<string, Resource>,
  stored: StoredLifetimes,
  seenAt: Date,
): Generator<InventoryWrite<Insertable<ResourceTable>>> {
  const seen = seenAt.getTime();
  for (const [id, resource] of latest) {
    const lifetimes = stored.get(id) ?? [];
    const { index, lifetime } = placeListed(lifetimes, lifetimeOf(resource), seen);
    const row = {
      resource_id: id,
      resource_type: resource.resourceType,
      display_name: resource.displayName,
      parent_id: resource.parentId,
      owner_id: resource.ownerId,
      created_at: lifetime.createdAt,
      deleted_at: lifetime.deletedAt,
      last_seen_at: seen,
      metadata: metadataText(resource.metadata),
    };
    yield { key: index === null ? null : lifetimes[index]!.key, row };
  }
}

export function* identityWrites(
  latest: ReadonlyMap<string, Identity>,
  stored: StoredLifetimes,
  seenAt: Date,
): Generator<InventoryWrite<Insertable<IdentityTable>>> {
  const seen = seenAt.getTime();
  for (const [id, identity] of latest) {
    const lifetimes = stored.get(id) ?? [];
    const { index, lifetime } = placeListed(lifetimes, lifetimeOf(identity), seen);
    const row = identityRow(identity, { ...lifetime, observed: 0, seen });
    yield { key: index === null ? null : lifetimes[index]!.key, row };
  }
}

/** Of a known identity only the beginning is moved. */
export function* observedWrites(
  latest: ReadonlyMap<string, Identity>,
  stored: StoredLifetimes,
  firstSeen: Date,
): Generator<InventoryWrite<Insertable<IdentityTable>>> {
  const seen = firstSeen.getTime();
  for (const [id, identity] of latest) {
    const lifetimes = stored.get(id) ?? [];
    const placement = placeObserved(lifetimes, seen);
    if (!placement) continue;
    const { index, lifetime } = placement;
    const row = identityRow(identity, { ...lifetime, observed: 1, seen });
    yield { key: index === null ? null : lifetimes[index]!.key, row };
  }
}

function identityRow(
  identity: Identity,
  { createdAt, deletedAt, observed, seen }: Lifetime & { readonly observed: 0 | 1; readonly seen: number },
): Insertable<IdentityTable> {
  return {
    identity_id: identity.identityId,
    identity_type: identity.identityType,
    display_name: identity.displayName,
    created_at: createdAt,
    deleted_at: deletedAt,
    observed,
    last_seen_at: seen,
    metadata: metadataText(identity.metadata),
  };
}

function lifetimeOf(item: Resource | Identity): Lifetime {
  return { createdAt: millisecondsOf(item.createdAt), deletedAt: millisecondsOf(item.deletedAt) };
}
