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
import type { PostgresDatabase } from './postgres-database.ts';

export async function loadInventory(database: PostgresDatabase, window: Window): Promise<Inventory> {
  const { build } = database;
  const [resources, identities] = await database.readTogether(
    resourcesQuery(build, window),
    identitiesQuery(build, window),
  );
  return inventoryOf(resources, identities);
}

export async function loadLifetimes(database: PostgresDatabase, window: Window): Promise<Lifetimes> {
  const { build } = database;
  const [resources, identities] = await database.readTogether(
    allResourcesQuery(build),
    identitiesQuery(build, window),
  );
  return lifetimesOf(resources, identities);
}

export function loadIdentities(
  database: PostgresDatabase,
  identityIds: readonly string[],
): Promise<ReadonlyMap<string, Identity>> {
  return database.read(async (session) => {
    const found = new Map<string, Identity>();
    for (const ids of chunksOf([...new Set(identityIds)])) {
      const rows = await session.all(identitiesByIdQuery(database.build, ids));
      for (const row of rows) found.set(row.identity_id, identityOf(row));
    }
    return found;
  });
}
