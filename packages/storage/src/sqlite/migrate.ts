import { UNALLOCATED_IDENTITY } from '@chargeback/plugin-api';
import type { Database } from 'better-sqlite3';
import { type Kysely, sql } from 'kysely';
import {
  assertOwner,
  type Migration,
  MIGRATION_TABLE,
  type Owner,
  pendingMigrations,
  refuseForeign,
  runMigrations,
} from '../migrations.ts';
import { type SchemaDialect, Tables } from '../schema-tables.ts';

const SQLITE: SchemaDialect = {
  integer: sql`integer`,
  real: sql`real`,
  exact: sql`text`,
  text: sql`text`,
  generatedKey: sql`integer primary key`,
  tableEnd: sql`strict`,
  clusteredEnd: sql`strict, without rowid`,
  partitioned: null,
};

export interface OpenedFile {
  readonly connection: Database;
  readonly path: string;
  readonly owner: Owner;
  readonly known: readonly Migration[];
}

/** True when the schema is current and the owner is recorded, so that no write lock is needed. */
export function isReady({ connection, path, owner, known }: OpenedFile): boolean {
  if (pendingMigrations(executedMigrations(connection, path), known, path).length > 0) return false;
  const stored = storedOwner(connection);
  if (!stored) return false;
  assertOwner(stored, owner, path);
  return true;
}

/** Undefined before the first migration. */
export function storedOwner(connection: Database): { ecosystem: string; tenant_id: string } | undefined {
  return connection.prepare('select ecosystem, tenant_id from store_meta where id = 1').get() as
    | { ecosystem: string; tenant_id: string }
    | undefined;
}

export function executedMigrations(connection: Database, path: string): string[] {
  const tables = connection.prepare("select name from sqlite_schema where type = 'table'").pluck().all();
  if (tables.includes(MIGRATION_TABLE)) {
    return connection.prepare(`select name from ${MIGRATION_TABLE} order by name`).pluck().all() as string[];
  }
  return tables.length > 0 ? refuseForeign(path) : [];
}

/**
 * Brings the schema up to date and records the owner. Must run inside a write transaction that the caller
 * began, so that of two processes starting at once one waits and then finds the work done.
 */
export async function migrate(
  { connection, path, owner, known }: OpenedFile,
  build: Kysely<unknown>,
): Promise<void> {
  const pending = pendingMigrations(executedMigrations(connection, path), known, path);
  await runMigrations(new Tables(build, SQLITE), pending, path);
  connection
    .prepare('insert into store_meta (id, ecosystem, tenant_id) values (1, ?, ?) on conflict do nothing')
    .run(owner.ecosystem, owner.tenantId);
  const { identityId, identityType, displayName } = UNALLOCATED_IDENTITY;
  connection
    .prepare(
      `insert into identities (identity_id, identity_type, display_name, observed, last_seen_at, metadata)
       select ?, ?, ?, 0, 0, '{}' where not exists (select 1 from identities where identity_id = ?)`,
    )
    .run(identityId, identityType, displayName, identityId);
}
