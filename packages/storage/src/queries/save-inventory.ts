import {
  type Identity,
  type IdentityBatch,
  type Resource,
  type ResourceBatch,
  UNALLOCATED,
} from '@chargeback/plugin-api';
import { type Insertable, type Kysely, sql } from 'kysely';
import { metadataText, millisecondsOf } from '../convert.ts';
import { type Lifetime, type Listed, type ListedLifetime, placeListed, placeObserved } from '../lifetimes.ts';
import type { IdentityTable, ResourceTable, StorageSchema } from '../schema.ts';

/** Stored lifetimes per id, ascending. */
export type StoredLifetimes = ReadonlyMap<string, readonly StoredLifetime[]>;

interface StoredLifetime extends ListedLifetime {
  readonly key: number;
  readonly displayName: string | null;
  /** Everything that can change who bears a cost. */
  readonly content: Content;
}

interface Content {
  readonly type: string;
  readonly parentId: string | null;
  readonly ownerId: string | null;
  readonly metadata: string;
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
  const isIdentity = kind === 'identity';
  const observed = isIdentity ? sql.ref<number>('observed') : sql<number>`0`;
  const ofResource = (column: string) => (isIdentity ? sql<null>`null` : sql.ref<string | null>(column));
  return build
    .selectFrom(isIdentity ? 'identities' : 'resources')
    .select([
      sql.ref<number>(`${kind}_key`).as('key'),
      sql.ref<string>(`${kind}_id`).as('id'),
      'created_at',
      'deleted_at',
      'last_seen_at',
      'display_name',
      'metadata',
      sql.ref<string>(`${kind}_type`).as('type'),
      ofResource('parent_id').as('parent_id'),
      ofResource('owner_id').as('owner_id'),
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
  readonly last_seen_at: number;
  readonly display_name: string | null;
  readonly metadata: string;
  readonly type: string;
  readonly parent_id: string | null;
  readonly owner_id: string | null;
}

export function addLifetimes(found: Map<string, StoredLifetime[]>, rows: readonly LifetimeRow[]): void {
  for (const row of rows) {
    const lifetimes = found.get(row.id) ?? [];
    lifetimes.push({
      key: row.key,
      createdAt: row.created_at,
      deletedAt: row.deleted_at,
      observed: row.observed === 1,
      lastSeenAt: row.last_seen_at,
      displayName: row.display_name,
      content: {
        type: row.type,
        parentId: row.parent_id,
        ownerId: row.owner_id,
        metadata: row.metadata,
      },
    });
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
    // Without a time of creation a resource has always existed, as far as anyone knows, and its cost is borne.
    const { index, lifetime, formerEnd } = placeListed(lifetimes, listedOf(resource, -Infinity), seen);
    if (formerEnd !== undefined) yield endedResource(id, lifetimes.at(-1)!, formerEnd);
    const known = index === null ? null : lifetimes[index]!;
    const { resourceType: type, parentId, ownerId } = resource;
    const content: Content = { type, parentId, ownerId, metadata: metadataText(resource.metadata) };
    const entry = { displayName: resource.displayName, content, seen };
    if (known && isAnother(known, lifetime, entry)) {
      yield endedResource(id, known, seen);
      yield { key: null, row: resourceRow(id, { ...lifetime, createdAt: seen }, entry) };
    } else {
      yield { key: known?.key ?? null, row: resourceRow(id, lifetime, entry) };
    }
  }
}

function endedResource(
  id: string,
  { key, createdAt, displayName, content, lastSeenAt }: StoredLifetime,
  deletedAt: number,
): InventoryWrite<Insertable<ResourceTable>> {
  return { key, row: resourceRow(id, { createdAt, deletedAt }, { displayName, content, seen: lastSeenAt }) };
}

interface Entry {
  readonly displayName: string | null;
  readonly content: Content;
  readonly seen: number;
}

/**
 * Whether a thing that goes on to exist is another from now on: with another owner, say. What it was before
 * stays true of the days before, so that a change of today does not change who bore last month.
 */
function isAnother(known: StoredLifetime, lifetime: Lifetime, { content, seen }: Entry): boolean {
  if (known.observed || known.lastSeenAt >= seen || lifetime.deletedAt !== null) return false;
  if (known.createdAt !== null && known.createdAt >= seen) return false;
  const { type, parentId, ownerId, metadata } = known.content;
  return (
    type !== content.type ||
    parentId !== content.parentId ||
    ownerId !== content.ownerId ||
    metadata !== content.metadata
  );
}

function resourceRow(
  id: string,
  { createdAt, deletedAt }: Lifetime,
  { displayName, content, seen }: Entry,
): Insertable<ResourceTable> {
  return {
    resource_id: id,
    resource_type: content.type,
    display_name: displayName,
    parent_id: content.parentId,
    owner_id: content.ownerId,
    created_at: createdAt,
    deleted_at: deletedAt,
    last_seen_at: seen,
    metadata: content.metadata,
  };
}

export function* identityWrites(
  latest: ReadonlyMap<string, Identity>,
  stored: StoredLifetimes,
  seenAt: Date,
): Generator<InventoryWrite<Insertable<IdentityTable>>> {
  const seen = seenAt.getTime();
  for (const [id, identity] of latest) {
    const lifetimes = stored.get(id) ?? [];
    // Without a time of creation an identity may well be new: it bears no share of a time in which it was not seen.
    const { index, lifetime, formerEnd } = placeListed(lifetimes, listedOf(identity, seen), seen);
    if (formerEnd !== undefined) yield endedIdentity(id, lifetimes.at(-1)!, formerEnd);
    const known = index === null ? null : lifetimes[index]!;
    const { identityType: type, displayName } = identity;
    const content: Content = {
      type,
      parentId: null,
      ownerId: null,
      metadata: metadataText(identity.metadata),
    };
    if (known && isAnother(known, lifetime, { displayName, content, seen })) {
      yield endedIdentity(id, known, seen);
      yield { key: null, row: identityRow(identity, { ...lifetime, createdAt: seen, observed: 0, seen }) };
    } else {
      yield { key: known?.key ?? null, row: identityRow(identity, { ...lifetime, observed: 0, seen }) };
    }
  }
}

function endedIdentity(
  id: string,
  { key, createdAt, displayName, content, lastSeenAt }: StoredLifetime,
  deletedAt: number,
): InventoryWrite<Insertable<IdentityTable>> {
  const row = {
    identity_id: id,
    identity_type: content.type,
    display_name: displayName,
    created_at: createdAt,
    deleted_at: deletedAt,
    observed: 0,
    last_seen_at: lastSeenAt,
    metadata: content.metadata,
  };
  return { key, row };
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

function listedOf(item: Resource | Identity, unlessSaid: number): Listed {
  const createdAt = millisecondsOf(item.createdAt);
  return { createdAt, deletedAt: millisecondsOf(item.deletedAt), vouchedFrom: createdAt ?? unlessSaid };
}
