import { existsSync } from 'node:fs';
import { describeLocation, parseConnectionString, type StoreLocation } from './connection-string.ts';
import type { Inspection } from './inspection.ts';
import { postgresDriver, sqliteDriver } from './load-driver.ts';
import { MIGRATIONS, pendingMigrations } from './migrations.ts';
import type { OpenStoreOptions } from './store.ts';

export interface StorageStatus extends Inspection {
  /** Where it is, without user and password. */
  readonly place: string;
  readonly dialect: 'sqlite' | 'postgres';
  /** Migrations that the next opening runs. */
  readonly pending: readonly string[];
}

export type StoragePlace = Pick<OpenStoreOptions, 'connectionString' | 'workingDirectory'>;

const NOTHING: Inspection = { executed: [], owner: null };

/**
 * Looks at a database and changes nothing.
 * @throws {ChargebackError} as `openStore`; `CB_STORAGE_VERSION` when the database is newer than this program.
 */
export async function storageStatus(place: StoragePlace): Promise<StorageStatus> {
  const location = parseConnectionString(place.connectionString, place.workingDirectory);
  const name = describeLocation(location);
  const inspection = await inspect(location);
  const pending = pendingMigrations(inspection.executed, MIGRATIONS, name).map((migration) => migration.name);
  return { place: name, dialect: location.dialect, pending, ...inspection };
}

/** Whether a store was ever opened there: what only looks asks first, because opening makes what is missing. */
export async function storeExists(place: StoragePlace): Promise<boolean> {
  const location = parseConnectionString(place.connectionString, place.workingDirectory);
  if (location.dialect === 'sqlite') return existsSync(location.path);
  return (await inspect(location)).executed.length > 0;
}

async function inspect(location: StoreLocation): Promise<Inspection> {
  if (location.dialect === 'postgres') return (await postgresDriver()).inspectPostgres(location);
  return existsSync(location.path) ? (await sqliteDriver()).inspectSqlite(location.path) : NOTHING;
}
