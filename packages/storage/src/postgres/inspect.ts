import { describeLocation } from '../connection-string.ts';
import type { PostgresLocation } from '../postgres-location.ts';
import type { Inspection } from '../inspection.ts';
import { createPool } from './connect.ts';
import { executedMigrations, storedOwner } from './migrate.ts';
import { PostgresDatabase } from './postgres-database.ts';

/** Reads what a schema says of itself, and leaves it as it is. */
export async function inspectPostgres(location: PostgresLocation): Promise<Inspection> {
  const place = describeLocation(location);
  const database = new PostgresDatabase(createPool(location), place);
  try {
    return await database.read(async (session) => {
      const client = await session.bare();
      const executed = await executedMigrations(client, location.schema, place);
      const owner = executed.length === 0 ? undefined : await storedOwner(client);
      return { executed, owner: owner ? { ecosystem: owner.ecosystem, tenantId: owner.tenant_id } : null };
    });
  } finally {
    await database.close();
  }
}
