import { compareKeys } from '@chargeback/money';
import {
  type Identity,
  type IdentityBatch,
  type Inventory,
  type Resource,
  type ResourceBatch,
  UNALLOCATED,
  type Window,
} from '@chargeback/plugin-api';
import { sql } from 'kysely';
import { instantOf, metadataOf, metadataText, millisecondsOf, nullableInstantOf } from '../convert.ts';
import { placeListed, placeObserved } from '../lifetimes.ts';
import type { IdentityTable, ResourceTable } from '../schema.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Ids per query: well below the number of parameters a statement may have. */
const IDS_PER_QUERY = 1000;

type Stored<Table> = { readonly [Column in keyof Table]: Table[Column] extends infer Value ? Value : never };
type ResourceRow = Omit<Stored<ResourceTable>, 'resource_key'>;
type IdentityRow = Omit<Stored<IdentityTable>, 'identity_key'>;

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

export function loadInventory(database: SqliteDatabase, window: Window): Inventory {
  return database.read(() => ({
    resources: latestById(
      database
        .all(overlapping(database, 'resources', window).selectAll())
        .map((row) => resourceOf(row as ResourceRow)),
      ({ resourceId }) => resourceId,
    ),
    identities: latestById(
      database
        .all(overlapping(database, 'identities', window).selectAll())
        .map((row) => identityOf(row as IdentityRow)),
      ({ identityId }) => identityId,
    ),
  }));
}

function overlapping(database: SqliteDatabase, table: 'resources' | 'identities', window: Window) {
  const key = table === 'resources' ? 'resource' : 'identity';
  return database.build
    .selectFrom(table)
    .where((where) =>
      where.and([
        where.or([where('created_at', 'is', null), where('created_at', '<', window.end.getTime())]),
        where.or([where('deleted_at', 'is', null), where('deleted_at', '>', window.start.getTime())]),
      ]),
    )
    .orderBy(sql.ref(`${key}_id`))
    .orderBy(sql.ref(`${key}_key`));
}

/** Instants strictly inside the window: one at its start changes nothing within it. */
export function inventoryChanges(database: SqliteDatabase, window: Window): Date[] {
  const within = (table: 'resources' | 'identities', column: 'created_at' | 'deleted_at') =>
    database.build
      .selectFrom(table)
      .select(sql.ref<number>(column).as('instant'))
      .where(column, '>', window.start.getTime())
      .where(column, '<', window.end.getTime());
  const query = within('resources', 'created_at')
    .union(within('resources', 'deleted_at'))
    .union(within('identities', 'created_at'))
    .union(within('identities', 'deleted_at'))
    .orderBy('instant');
  return database.read(() => database.all(query)).map(({ instant }) => instantOf(instant));
}

export function loadIdentities(
  database: SqliteDatabase,
  identityIds: readonly string[],
): ReadonlyMap<string, Identity> {
  const found = new Map<string, Identity>();
  database.read(() => {
    for (const ids of chunksOf([...new Set(identityIds)])) {
      const query = database.build
        .selectFrom('identities')
        .selectAll()
        .where('identity_id', 'in', ids)
        .orderBy('identity_id')
        .orderBy('identity_key');
      for (const row of database.all(query)) found.set(row.identity_id, identityOf(row));
    }
  });
  return found;
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

function chunksOf(ids: readonly string[]): string[][] {
  const chunks: string[][] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_QUERY) {
    chunks.push(ids.slice(start, start + IDS_PER_QUERY));
  }
  return chunks;
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

/** Of two lifetimes of one id the later one counts; the database's order may differ from code units. */
function latestById<Item>(items: readonly Item[], idOf: (item: Item) => string): Map<string, Item> {
  const latest = lastOfEach(items, idOf);
  let before = '';
  for (const id of latest.keys()) {
    if (id < before) return new Map([...latest].toSorted(([left], [right]) => compareKeys(left, right)));
    before = id;
  }
  return latest;
}

function lifetimeOf(item: Resource | Identity) {
  return { createdAt: millisecondsOf(item.createdAt), deletedAt: millisecondsOf(item.deletedAt) };
}

function resourceOf(row: ResourceRow): Resource {
  return {
    resourceId: row.resource_id,
    resourceType: row.resource_type,
    displayName: row.display_name,
    parentId: row.parent_id,
    ownerId: row.owner_id,
    createdAt: nullableInstantOf(row.created_at),
    deletedAt: nullableInstantOf(row.deleted_at),
    metadata: metadataOf(row.metadata),
  };
}

function identityOf(row: IdentityRow): Identity {
  return {
    identityId: row.identity_id,
    identityType: row.identity_type,
    displayName: row.display_name,
    createdAt: nullableInstantOf(row.created_at),
    deletedAt: nullableInstantOf(row.deleted_at),
    metadata: metadataOf(row.metadata),
  };
}
