import { compareKeys } from '@chargeback/money';
import type { Identity, Inventory, Resource, Window } from '@chargeback/plugin-api';
import { type Kysely, sql } from 'kysely';
import { metadataOf, nullableInstantOf } from '../convert.ts';
import type { IdentityTable, ResourceTable, StorageSchema } from '../schema.ts';
import type { Lifetimes } from '../store.ts';

type Stored<Table> = { readonly [Column in keyof Table]: Table[Column] extends infer Value ? Value : never };
export type ResourceRow = Omit<Stored<ResourceTable>, 'resource_key'>;
export type IdentityRow = Omit<Stored<IdentityTable>, 'identity_key'>;

/** Resources whose lifetime overlaps the window. */
export function resourcesQuery(build: Kysely<StorageSchema>, window: Window) {
  return overlapping(build, 'resources', window).selectAll().$castTo<ResourceRow>();
}

/** Identities whose lifetime overlaps the window. */
export function identitiesQuery(build: Kysely<StorageSchema>, window: Window) {
  return overlapping(build, 'identities', window).selectAll().$castTo<IdentityRow>();
}

function overlapping(build: Kysely<StorageSchema>, table: 'resources' | 'identities', window: Window) {
  const key = table === 'resources' ? 'resource' : 'identity';
  return build
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

export function allResourcesQuery(build: Kysely<StorageSchema>) {
  return build.selectFrom('resources').selectAll().orderBy('resource_id').orderBy('resource_key');
}

export function identitiesByIdQuery(build: Kysely<StorageSchema>, identityIds: readonly string[]) {
  return build
    .selectFrom('identities')
    .selectAll()
    .where('identity_id', 'in', [...identityIds])
    .orderBy('identity_id')
    .orderBy('identity_key');
}

export function inventoryOf(
  resources: readonly ResourceRow[],
  identities: readonly IdentityRow[],
): Inventory {
  return {
    resources: latestById(resources.map(resourceOf), ({ resourceId }) => resourceId),
    identities: latestById(identities.map(identityOf), ({ identityId }) => identityId),
  };
}

export function lifetimesOf(
  resources: readonly ResourceRow[],
  identities: readonly IdentityRow[],
): Lifetimes {
  return {
    resources: inOrder(resources.map(resourceOf), ({ resourceId }) => resourceId),
    identities: inOrder(identities.map(identityOf), ({ identityId }) => identityId),
  };
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

export function identityOf(row: IdentityRow): Identity {
  return {
    identityId: row.identity_id,
    identityType: row.identity_type,
    displayName: row.display_name,
    createdAt: nullableInstantOf(row.created_at),
    deletedAt: nullableInstantOf(row.deleted_at),
    metadata: metadataOf(row.metadata),
  };
}
