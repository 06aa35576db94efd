import { describeLocation } from '../connection-string.ts';
import { type Migration, MIGRATIONS, type Owner } from '../migrations.ts';
import type { PostgresLocation } from '../postgres-location.ts';
import { createPool } from './connect.ts';
import { lock } from './locks.ts';
import { assertServer, isReady, migrate, type OpenedSchema } from './migrate.ts';
import { PostgresDatabase } from './postgres-database.ts';

/**
 * Opens a database, makes the schema when it is missing, and brings it up to date.
 * @throws {ChargebackError} `CB_STORAGE_OPEN`, `_UNREACHABLE`, `_BUSY`, `_OWNER`, `_VERSION`, `_MIGRATION`.
 */
export async function openPostgres(
  location: PostgresLocation,
  owner: Owner,
  known: readonly Migration[] = MIGRATIONS,
): Promise<PostgresDatabase> {
  const place = describeLocation(location);
  const database = new PostgresDatabase(createPool(location), place);
  try {
    const opened: OpenedSchema = { schema: location.schema, owner, known, place };
    const ready = await database.read(async (session) => {
      const client = await session.bare();
      await assertServer(client, place);
      return isReady(client, opened);
    });
    if (!ready) {
      await database.transaction(async (session) => {
        await lock(session, 'schema');
        const client = await session.bare();
        if (!(await isReady(client, opened))) await migrate(client, opened);
      });
    }
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}
