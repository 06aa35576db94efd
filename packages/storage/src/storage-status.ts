import { existsSync } from 'node:fs';
import { describeLocation, parseConnectionString } from './connection-string.ts';
import type { Inspection } from './inspection.ts';
import { MIGRATIONS, pendingMigrations } from './migrations.ts';
import { inspectPostgres } from './postgres/inspect.ts';
import { inspectSqlite } from './sqlite/inspect.ts';
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
  const inspection = await (location.dialect === 'postgres'
    ? inspectPostgres(location)
    : existsSync(location.path)
      ? inspectSqlite(location.path)
      : NOTHING);
  const pending = pendingMigrations(inspection.executed, MIGRATIONS, name).map((migration) => migration.name);
  return { place: name, dialect: location.dialect, pending, ...inspection };
}

/** Whether a store was ever opened there: what only looks asks first, because opening makes what is missing. */
export async function storeExists(place: StoragePlace): Promise<boolean> {
  const location = parseConnectionString(place.connectionString, place.workingDirectory);
  if (location.dialect === 'sqlite') return existsSync(location.path);
  return (await inspectPostgres(location)).executed.length > 0;
}
