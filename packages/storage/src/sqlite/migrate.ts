import { ChargebackError, UNALLOCATED_IDENTITY } from '@chargeback/plugin-api';
import type { Database } from 'better-sqlite3';
import { type Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { migrations } from '../migrations.ts';
import type { StorageSchema } from '../schema.ts';
import type { SchemaDialect } from '../schema-tables.ts';

const SQLITE: SchemaDialect = {
  integer: 'integer',
  real: 'real',
  generatedKey: sql`integer primary key`,
  tableEnd: sql`strict`,
  clusteredEnd: sql`strict, without rowid`,
};

const KNOWN = migrations(SQLITE);
const MIGRATION_TABLE = 'kysely_migration';

export interface Owner {
  readonly ecosystem: string;
  readonly tenantId: string;
}

/** True when the schema is current and the owner is recorded, so that no write lock is needed. */
export function isReady(connection: Database, path: string, owner: Owner): boolean {
  const executed = executedMigrations(connection, path);
  const unknown = executed.filter((name) => !(name in KNOWN));
  if (unknown.length > 0) {
    const message = `${path} has schema ${unknown.at(-1)}, newer than ${Object.keys(KNOWN).at(-1)} of this version`;
    throw new ChargebackError('CB_STORAGE_VERSION', message, { path });
  }
  if (executed.length < Object.keys(KNOWN).length) return false;
  const stored = connection.prepare('select ecosystem, tenant_id from store_meta where id = 1').get() as
    | { ecosystem: string; tenant_id: string }
    | undefined;
  if (!stored) return false;
  if (stored.ecosystem !== owner.ecosystem || stored.tenant_id !== owner.tenantId) {
    throw new ChargebackError(
      'CB_STORAGE_OWNER',
      `${path} belongs to tenant ${stored.tenant_id} of ${stored.ecosystem}, not to tenant ${owner.tenantId} of ${owner.ecosystem}`,
      { path },
    );
  }
  return true;
}

function executedMigrations(connection: Database, path: string): string[] {
  const tables = connection.prepare("select name from sqlite_schema where type = 'table'").pluck().all();
  if (tables.includes(MIGRATION_TABLE)) {
    return connection.prepare(`select name from ${MIGRATION_TABLE} order by name`).pluck().all() as string[];
  }
  if (tables.length > 0) {
    throw new ChargebackError('CB_STORAGE_OPEN', `${path} is a database of another program`, {
      path,
      fix: 'Name another file in storage.connection_string; this one is left as it is.',
    });
  }
  return [];
}

/**
 * Brings the schema up to date and records the owner. Must run inside a write transaction that the caller
 * began, so that of two processes starting at once one waits and then finds the work done.
 */
export async function migrate(
  connection: Database,
  build: Kysely<StorageSchema>,
  owner: Owner,
): Promise<void> {
  const migrator = new Migrator({
    db: build,
    provider: { getMigrations: () => Promise.resolve(KNOWN) },
    nameComparator: (left, right) => (left < right ? -1 : left > right ? 1 : 0),
  });
  const { error } = await migrator.migrateToLatest();
  if (error) throw error;
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
