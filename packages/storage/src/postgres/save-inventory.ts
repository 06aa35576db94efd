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
import { copyText, type CopyValue } from './copy-text.ts';
import type { Target } from './date-states.ts';
import { lock } from './locks.ts';
import type { PostgresDatabase } from './postgres-database.ts';

const RESOURCES = {
  table: 'resources',
  key: 'resource_key',
  columns: {
    resource_id: 'text',
    resource_type: 'text',
    display_name: 'text',
    parent_id: 'text',
    owner_id: 'text',
    created_at: 'bigint',
    deleted_at: 'bigint',
    last_seen_at: 'bigint',
    metadata: 'text',
  },
} as const;

const IDENTITIES = {
  table: 'identities',
  key: 'identity_key',
  columns: {
    identity_id: 'text',
    identity_type: 'text',
    display_name: 'text',
    created_at: 'bigint',
    deleted_at: 'bigint',
    observed: 'bigint',
    last_seen_at: 'bigint',
    metadata: 'text',
  },
} as const;

type InventoryTable = typeof RESOURCES | typeof IDENTITIES;
type Row = Readonly<Partial<Record<string, CopyValue>>>;

export async function saveResources(
  database: PostgresDatabase,
  batch: ResourceBatch,
  seenAt: Date,
): Promise<void> {
  const latest = resourcesById(batch);
  const { build } = database;
  await database.held(async (session) => {
    const target = { session, build };
    await lock(session, 'inventory');
    const stored = await storedLifetimes(target, 'resource', [...latest.keys()]);
    await saveAll(target, RESOURCES, [...resourceWrites(latest, stored, seenAt)]);
  });
}

export async function saveIdentities(
  database: PostgresDatabase,
  batch: IdentityBatch,
  seenAt: Date,
): Promise<void> {
  const latest = identitiesById(batch);
  const { build } = database;
  await database.held(async (session) => {
    const target = { session, build };
    await lock(session, 'inventory');
    const stored = await storedLifetimes(target, 'identity', [...latest.keys()]);
    await saveAll(target, IDENTITIES, [...identityWrites(latest, stored, seenAt)]);
  });
}

/** What a listing mentions does not rest on usage. */
export async function mentionIdentities(
  database: PostgresDatabase,
  identities: readonly Identity[],
  since: Date,
): Promise<void> {
  const { build } = database;
  await database.held(async (session) => {
    await observeInside({ session, build }, identities, since);
    await session.execute(
      `update identities set mentioned_since = $1 where identity_id = any($2::text[]) and observed = 1
         and created_at <= $1 and (mentioned_since is null or mentioned_since > $1)`,
      [since.getTime(), identities.map(({ identityId }) => identityId)],
    );
  });
}

/** Inside a write transaction. */
export async function observeInside(
  target: Target,
  identities: readonly Identity[],
  firstSeen: Date,
): Promise<void> {
  const latest = identitiesById({ identities });
  if (latest.size === 0) return;
  await lock(target.session, 'inventory');
  const stored = await storedLifetimes(target, 'identity', [...latest.keys()]);
  const writes = [...observedWrites(latest, stored, firstSeen)];
  const moved = writes.filter(({ key }) => key !== null);
  if (moved.length > 0) {
    await target.session.later({
      sql: `update identities set created_at = moved.created_at
       from unnest($1::bigint[], $2::bigint[]) as moved (identity_key, created_at)
       where identities.identity_key = moved.identity_key`,
      parameters: [moved.map(({ key }) => key), moved.map(({ row }) => row.created_at)],
    });
  }
  await saveAll(
    target,
    IDENTITIES,
    writes.filter(({ key }) => key === null),
  );
}

/** Identities that a listing knows keep what the listing says. */
export async function describeIdentities(
  database: PostgresDatabase,
  identities: readonly Identity[],
): Promise<void> {
  const described = [...identitiesById({ identities }).values()];
  await database.held(async (session) => {
    await lock(session, 'inventory');
    await session.execute(
      `update identities set identity_type = said.identity_type, display_name = said.display_name,
         metadata = said.metadata
       from unnest($1::text[], $2::text[], $3::text[], $4::text[])
         as said (identity_id, identity_type, display_name, metadata)
       where identities.identity_id = said.identity_id and observed = 1`,
      [
        described.map(({ identityId }) => identityId),
        described.map(({ identityType }) => identityType),
        described.map(({ displayName }) => displayName),
        described.map(({ metadata }) => metadataText(metadata)),
      ],
    );
  });
}

/** New rows are copied, known ones updated in one statement. */
async function saveAll(
  { session }: Target,
  { table, key, columns }: InventoryTable,
  writes: readonly InventoryWrite<Row>[],
): Promise<void> {
  const names = Object.keys(columns);
  const added = writes.filter((write) => write.key === null);
  if (added.length > 0) {
    const rows = added.map(({ row }) => names.map((name) => row[name]));
    await session.copy(`${table} (${names.join(', ')})`, copyText(rows));
  }
  const known = writes.filter((write) => write.key !== null);
  if (known.length === 0) return;
  const arrays = Object.values(columns).map((type, index) => `$${index + 2}::${type}[]`);
  await session.later({
    sql: `update ${table} set ${names.map((name) => `${name} = listed.${name}`).join(', ')}
     from unnest($1::bigint[], ${arrays.join(', ')}) as listed (${key}, ${names.join(', ')})
     where ${table}.${key} = listed.${key}`,
    parameters: [
      known.map((write) => write.key),
      ...names.map((name) => known.map(({ row }) => row[name] ?? null)),
    ],
  });
}

async function storedLifetimes(
  { session, build }: Target,
  kind: 'resource' | 'identity',
  ids: readonly string[],
): Promise<StoredLifetimes> {
  const found = new Map();
  for (const chunk of chunksOf(ids)) {
    addLifetimes(found, await session.all(storedLifetimesQuery(build, kind, chunk)));
  }
  return found;
}
