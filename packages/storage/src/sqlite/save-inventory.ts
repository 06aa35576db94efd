import type { Identity, IdentityBatch, ResourceBatch } from '@chargeback/plugin-api';
import { chunksOf } from '../chunks-of.ts';
import { metadataText } from '../convert.ts';
import {
  addLifetimes,
  identitiesById,
  identityWrites,
  type InventoryWrite,
  observedWrites,
  resourcesById,
  resourceWrites,
  type StoredLifetimes,
  storedLifetimesQuery,
} from '../queries/save-inventory.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const RESOURCE_COLUMNS = [
  'resource_type',
  'display_name',
  'parent_id',
  'owner_id',
  'created_at',
  'deleted_at',
  'last_seen_at',
  'metadata',
] as const;

const IDENTITY_COLUMNS = [
  'identity_type',
  'display_name',
  'created_at',
  'deleted_at',
  'observed',
  'last_seen_at',
  'metadata',
] as const;

export function saveResources(database: SqliteDatabase, batch: ResourceBatch, seenAt: Date): void {
  const latest = resourcesById(batch);
  database.write(() => {
    const stored = storedLifetimes(database, 'resource', [...latest.keys()]);
    for (const { key, row } of resourceWrites(latest, stored, seenAt)) {
      const values = RESOURCE_COLUMNS.map((column) => row[column]);
      save(database, { table: 'resources', key, id: row.resource_id, columns: RESOURCE_COLUMNS, values });
    }
  });
}

export function saveIdentities(database: SqliteDatabase, batch: IdentityBatch, seenAt: Date): void {
  const latest = identitiesById(batch);
  database.write(() => {
    const stored = storedLifetimes(database, 'identity', [...latest.keys()]);
    for (const write of identityWrites(latest, stored, seenAt)) saveIdentity(database, write);
  });
}

export function observeIdentities(
  database: SqliteDatabase,
  identities: readonly Identity[],
  firstSeen: Date,
): void {
  const latest = identitiesById({ identities });
  database.write(() => {
    const stored = storedLifetimes(database, 'identity', [...latest.keys()]);
    const move = database.statement('update identities set created_at = ? where identity_key = ?');
    for (const write of observedWrites(latest, stored, firstSeen)) {
      if (write.key === null) saveIdentity(database, write);
      else move.run(write.row.created_at, write.key);
    }
  });
}

/** What a listing mentions does not rest on usage. */
export function mentionIdentities(
  database: SqliteDatabase,
  identities: readonly Identity[],
  since: Date,
): void {
  const seen = since.getTime();
  database.write(() => {
    observeIdentities(database, identities, since);
    const mention = database.statement(`update identities set mentioned_since = ?
      where identity_id = ? and observed = 1 and created_at <= ? and (mentioned_since is null or mentioned_since > ?)`);
    for (const { identityId } of identities) mention.run(seen, identityId, seen, seen);
  });
}

/** Identities that a listing knows keep what the listing says. */
export function describeIdentities(database: SqliteDatabase, identities: readonly Identity[]): void {
  const update = database.statement(
    `update identities set identity_type = ?, display_name = ?, metadata = ?
     where identity_id = ? and observed = 1`,
  );
  database.write(() => {
    for (const identity of identitiesById({ identities }).values()) {
      const { identityType, displayName, metadata, identityId } = identity;
      update.run(identityType, displayName, metadataText(metadata), identityId);
    }
  });
}

type IdentityWrite = typeof identityWrites extends (...args: never) => Generator<infer Write> ? Write : never;

function saveIdentity(database: SqliteDatabase, { key, row }: IdentityWrite): void {
  const values = IDENTITY_COLUMNS.map((column) => row[column]);
  save(database, { table: 'identities', key, id: row.identity_id, columns: IDENTITY_COLUMNS, values });
}

interface Save {
  readonly table: 'resources' | 'identities';
  readonly key: InventoryWrite<unknown>['key'];
  readonly id: string;
  readonly columns: readonly string[];
  readonly values: readonly unknown[];
}

function save(database: SqliteDatabase, { table, key, id, columns, values }: Save): void {
  const name = table === 'resources' ? 'resource' : 'identity';
  const statement = database.statement(
    key === null
      ? `insert into ${table} (${columns.join(', ')}, ${name}_id) values (${'?, '.repeat(columns.length)}?)`
      : `update ${table} set ${columns.join(' = ?, ')} = ? where ${name}_key = ?`,
  );
  statement.run(...values, key ?? id);
}

function storedLifetimes(
  database: SqliteDatabase,
  kind: 'resource' | 'identity',
  ids: readonly string[],
): StoredLifetimes {
  const found = new Map();
  for (const chunk of chunksOf(ids)) {
    addLifetimes(found, database.all(storedLifetimesQuery(database.build, kind, chunk)));
  }
  return found;
}
