import { parseConnectionString } from './connection-string.ts';
import { openSqlite } from './sqlite/open.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';
import type { OpenStoreOptions, Store } from './store.ts';

/**
 * Opens one tenant's database, making it on first use and bringing its schema up to date.
 * @throws {ChargebackError} `CB_STORAGE_CONNECTION` for a connection string of another kind, `CB_STORAGE_OPEN`
 *   for a file or directory that cannot be used, `CB_STORAGE_OWNER` for another tenant's database,
 *   `CB_STORAGE_VERSION` for one of a newer version, `CB_STORAGE_BUSY` when it stays locked.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { connectionString, workingDirectory, ecosystem, tenantId } = options;
  const { path } = parseConnectionString(connectionString, workingDirectory);
  const owner = { ecosystem, tenantId };
  return new SqliteStore(await openSqlite(path, owner), owner);
}
