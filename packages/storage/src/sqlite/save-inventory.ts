import {
  type Identity,
  type IdentityBatch,
  type Resource,
  type ResourceBatch,
  UNALLOCATED,
} from '@chargeback/plugin-api';
import { sql } from 'kysely';
import { metadataText, millisecondsOf } from '../convert.ts';
import { placeListed, placeObserved } from '../lifetimes.ts';
import { chunksOf } from './chunks-of.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

interface StoredLifetime {
  readonly key: number;
  readonly id: string;
  readonly createdAt: number | null;
  readonly deletedAt: number | null;
  readonly observed: boolean;
}

export function saveResources(database: SqliteDatabase, batch: ResourceBatch, seenAt: Date): void {
  const insert = database.statement(
    `insert into resources (resource_type, display_name, parent_id, owner_id, created_at, deleted_at,
       last_seen_at, metadata, resource_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const update = database.statement(
    `update resources set resource_type = ?, display_name = ?, parent_id = ?, owner_id = ?, created_at = ?,
       deleted_at = ?, last_seen_at = ?, metadata = ? where resource_key = ?`,
  );
  const seen = seenAt.getTime();
  database.write(() => {
    const latest = lastOfEach(batch.resources, ({ resourceId }) => resourceId);
    const stored = storedLifetimes(database, 'resource', [...latest.keys()]);
    for (const [id, resource] of latest) {
      const lifetimes = stored.get(id) ?? [];
      const { index, lifetime } = placeListed(lifetimes, lifetimeOf(resource), seen);
      const target = index === null ? insert : update;
      target.run(
        resource.resourceType,
        resource.displayName,
        resource.parentId,
        resource.ownerId,
        lifetime.createdAt,
        lifetime.deletedAt,
        seen,
        metadataText(resource.metadata),
        index === null ? id : lifetimes[index]!.key,
      );
    }
  });
}

export function saveIdentities(database: SqliteDatabase, batch: IdentityBatch, seenAt: Date): void {
  const seen = seenAt.getTime();
  database.write(() => {
    const latest = identitiesById(batch.identities);
    const stored = storedLifetimes(database, 'identity', [...latest.keys()]);
    for (const [id, identity] of latest) {
      const lifetimes = stored.get(id) ?? [];
      const { index, lifetime } = placeListed(lifetimes, lifetimeOf(identity), seen);
      const key = index === null ? null : lifetimes[index]!.key;
      writeIdentity(database, identity, { key, seen, observed: 0, ...lifetime });
    }
  });
}

export function observeIdentities(
  database: SqliteDatabase,
  identities: readonly Identity[],
  firstSeen: Date,
): void {
  const seen = firstSeen.getTime();
  database.write(() => {
    const latest = identitiesById(identities);
    const stored = storedLifetimes(database, 'identity', [...latest.keys()]);
    const move = database.statement('update identities set created_at = ? where identity_key = ?');
    for (const [id, identity] of latest) {
      const lifetimes = stored.get(id) ?? [];
      const placement = placeObserved(lifetimes, seen);
      if (!placement) continue;
      const { index, lifetime } = placement;
      if (index !== null) move.run(lifetime.createdAt, lifetimes[index]!.key);
      else writeIdentity(database, identity, { key: null, seen, observed: 1, ...lifetime });
    }
  });
}

/** Identities that a listing knows keep what the listing says. */
export function describeIdentities(database: SqliteDatabase, identities: readonly Identity[]): void {
  const update = database.statement(
    `update identities set identity_type = ?, display_name = ?, metadata = ?
     where identity_id = ? and observed = 1`,
  );
  database.write(() => {
    for (const identity of identitiesById(identities).values()) {
      const { identityType, displayName, metadata, identityId } = identity;
      update.run(identityType, displayName, metadataText(metadata), identityId);
    }
  });
}

interface IdentityWrite {
  readonly key: number | null;
  readonly createdAt: number | null;
  readonly deletedAt: number | null;
  readonly observed: 0 | 1;
  readonly seen: number;
}

function writeIdentity(database: SqliteDatabase, identity: Identity, write: IdentityWrite): void {
  const statement = database.statement(
    write.key === null
      ? `insert into identities (identity_type, display_name, created_at, deleted_at, observed, last_seen_at,
           metadata, identity_id) values (?, ?, ?, ?, ?, ?, ?, ?)`
      : `update identities set identity_type = ?, display_name = ?, created_at = ?, deleted_at = ?,
           observed = ?, last_seen_at = ?, metadata = ? where identity_key = ?`,
  );
  statement.run(
    identity.identityType,
    identity.displayName,
    write.createdAt,
    write.deletedAt,
    write.observed,
    write.seen,
    metadataText(identity.metadata),
    write.key ?? identity.identityId,
  );
}

function storedLifetimes(
  database: SqliteDatabase,
  kind: 'resource' | 'identity',
  ids: readonly string[],
): Map<string, StoredLifetime[]> {
  const observed = kind === 'identity' ? sql.ref<number>('observed') : sql<number>`0`;
  const found = new Map<string, StoredLifetime[]>();
  for (const chunk of chunksOf(ids)) {
    const query = database.build
      .selectFrom(kind === 'identity' ? 'identities' : 'resources')
      .select([
        sql.ref<number>(`${kind}_key`).as('key'),
        sql.ref<string>(`${kind}_id`).as('id'),
        'created_at',
        'deleted_at',
        observed.as('observed'),
      ])
      .where(sql.ref(`${kind}_id`), 'in', chunk)
      .orderBy('key');
    for (const row of database.all(query)) {
      const lifetimes = found.get(row.id) ?? [];
      lifetimes.push({
        key: row.key,
        id: row.id,
        createdAt: row.created_at,
        deletedAt: row.deleted_at,
        observed: row.observed === 1,
      });
      found.set(row.id, lifetimes);
    }
  }
  return found;
}

function lastOfEach<Item>(items: readonly Item[], idOf: (item: Item) => string): Map<string, Item> {
  return new Map(items.map((item) => [idOf(item), item]));
}

/** UNALLOCATED is made with the database and never changes. */
function identitiesById(identities: readonly Identity[]): Map<string, Identity> {
  const latest = lastOfEach(identities, ({ identityId }) => identityId);
  latest.delete(UNALLOCATED);
  return latest;
}

function lifetimeOf(item: Resource | Identity) {
  return { createdAt: millisecondsOf(item.createdAt), deletedAt: millisecondsOf(item.deletedAt) };
}
