import type { Inspection } from '../inspection.ts';
import { executedMigrations, storedOwner } from './migrate.ts';
import { storageError } from './storage-error.ts';

/** Reads what a file says of itself, and leaves it as it is. */
export async function inspectSqlite(path: string): Promise<Inspection> {
  const { default: Connection } = await import('better-sqlite3');
  try {
    const connection = new Connection(path, { readonly: true });
    try {
      const executed = executedMigrations(connection, path);
      const owner = executed.length === 0 ? undefined : storedOwner(connection);
      return { executed, owner: owner ? { ecosystem: owner.ecosystem, tenantId: owner.tenant_id } : null };
    } finally {
      connection.close();
    }
  } catch (error) {
    throw storageError(error, path, 'CB_STORAGE_OPEN');
  }
}
