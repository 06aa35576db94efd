import { parseConnectionString } from './connection-string.ts';
import { postgresDriver, sqliteDriver } from './load-driver.ts';
import type { OpenStoreOptions, Store } from './store.ts';

/**
 * Opens one tenant's database, making it on first use and bringing its schema up to date. A PostgreSQL
 * database has to be there; the schema in it is made.
 * @throws {ChargebackError} `CB_STORAGE_CONNECTION` for a connection string of another kind, `CB_STORAGE_OPEN`
 *   for a file, directory, user or database that cannot be used, `CB_STORAGE_UNREACHABLE` for a server that
 *   does not answer, `CB_STORAGE_OWNER` for another tenant's database, `CB_STORAGE_VERSION` for one of a newer
 *   version, `CB_STORAGE_MIGRATION` when it cannot be brought up to date, `CB_STORAGE_BUSY` when it stays locked.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { connectionString, workingDirectory, ecosystem, tenantId } = options;
  const location = parseConnectionString(connectionString, workingDirectory);
  const owner = { ecosystem, tenantId };
  if (location.dialect === 'postgres') {
    const { openPostgres, PostgresStore } = await postgresDriver();
    return new PostgresStore(await openPostgres(location, owner), owner);
  }
  const { openSqlite, SqliteStore } = await sqliteDriver();
  return new SqliteStore(await openSqlite(location.path, owner), owner);
}
