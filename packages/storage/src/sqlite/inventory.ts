import type { Identity, Inventory, Window } from '@chargeback/plugin-api';
import { chunksOf } from '../chunks-of.ts';
import {
  allResourcesQuery,
  identitiesByIdQuery,
  identitiesQuery,
  identityOf,
  inventoryOf,
  lifetimesOf,
  resourcesQuery,
} from '../queries/inventory.ts';
import type { Lifetimes } from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export function loadInventory(database: SqliteDatabase, window: Window): Inventory {
  const { build } = database;
  return database.read(() =>
    inventoryOf(database.all(resourcesQuery(build, window)), database.all(identitiesQuery(build, window))),
  );
}

export function loadLifetimes(database: SqliteDatabase, window: Window): Lifetimes {
  const { build } = database;
  return database.read(() =>
    lifetimesOf(database.all(allResourcesQuery(build)), database.all(identitiesQuery(build, window))),
  );
}

export function loadIdentities(
  database: SqliteDatabase,
  identityIds: readonly string[],
): ReadonlyMap<string, Identity> {
  const found = new Map<string, Identity>();
  database.read(() => {
    for (const ids of chunksOf([...new Set(identityIds)])) {
      const rows = database.all(identitiesByIdQuery(database.build, ids));
      for (const row of rows) found.set(row.identity_id, identityOf(row));
    }
  });
  return found;
}
