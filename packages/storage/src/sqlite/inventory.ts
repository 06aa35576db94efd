import { compareKeys } from '@chargeback/money';
import type { Identity, Inventory, Resource, Window } from '@chargeback/plugin-api';
import { sql } from 'kysely';
import { metadataOf, nullableInstantOf } from '../convert.ts';
import type { IdentityTable, ResourceTable } from '../schema.ts';
import type { Lifetimes } from '../store.ts';
import { chunksOf } from './chunks-of.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

type Stored<Table> = { readonly [Column in keyof Table]: Table[Column] extends infer Value ? Value : never };
type ResourceRow = Omit<Stored<ResourceTable>, 'resource_key'>;
type IdentityRow = Omit<Stored<IdentityTable>, 'identity_key'>;

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

export function loadLifetimes(database: SqliteDatabase, window: Window): Lifetimes {
  const resources = database.build
    .selectFrom('resources')
    .selectAll()
    .orderBy('resource_id')
    .orderBy('resource_key');
  return database.read(() => ({
    resources: inOrder(
      database.all(resources).map((row) => resourceOf(row)),
      ({ resourceId }) => resourceId,
    ),
    identities: inOrder(
      database
        .all(overlapping(database, 'identities', window).selectAll())
        .map((row) => identityOf(row as IdentityRow)),
      ({ identityId }) => identityId,
    ),
  }));
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

/** Of two lifetimes of one id the later one counts. */
function latestById<Item>(items: readonly Item[], idOf: (item: Item) => string): Map<string, Item> {
  return new Map(inOrder(items, idOf).map((item) => [idOf(item), item]));
}

/** In code-unit order of the ids, which the database's may not be; looking costs less than sorting. */
function inOrder<Item>(items: readonly Item[], idOf: (item: Item) => string): readonly Item[] {
  let before = '';
  for (const item of items) {
    const id = idOf(item);
    if (id < before) return items.toSorted((left, right) => compareKeys(idOf(left), idOf(right)));
    before = id;
  }
  return items;
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
