import { SYSTEM_IDENTITY_TYPE } from '@chargeback/plugin-api';
import type { Deletions, ListedTypes } from '../records.ts';
import { lock } from './locks.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';

/**
 * Ends the lifetime of what a listing that succeeded no longer names. What is known from metrics only, and the
 * system's own identities, no listing can end.
 */
export function deleteUnlisted(database: PostgresDatabase, listed: ListedTypes): Promise<Deletions> {
  return database.held(async (session) => {
    await lock(session, 'inventory');
    const doubted: string[] = [];
    let deleted = 0;
    for (const type of await typesOf(session, listed)) {
      if (type === SYSTEM_IDENTITY_TYPE) continue;
      const { present, unlisted } = await count(session, listed, type);
      const empty = present === 0 && unlisted > 0;
      const times = await countEmpty(session, { kind: listed.kind, type, empty });
      if (unlisted === 0) continue;
      if (empty && (listed.emptyThreshold < 0 || times < listed.emptyThreshold)) {
        doubted.push(type);
        continue;
      }
      deleted += await endLifetimes(session, listed, type);
    }
    return { deleted, doubted };
  });
}

async function typesOf(
  session: PostgresSession,
  { kind, types, everyType }: ListedTypes,
): Promise<Iterable<string>> {
  if (!everyType) return types;
  const { table, own } = tableOf(kind);
  const known = await session.arrays<[string]>(
    `select distinct ${kind}_type from ${table} where true${own}`,
    [],
  );
  return new Set([...types, ...known.map(([type]) => type)]);
}

function tableOf(kind: ListedTypes['kind']): { table: string; own: string } {
  return kind === 'resource'
    ? { table: 'resources', own: '' }
    : { table: 'identities', own: ' and observed = 0' };
}

async function count(
  session: PostgresSession,
  { kind, seenAt }: ListedTypes,
  type: string,
): Promise<{ present: number; unlisted: number }> {
  const { table, own } = tableOf(kind);
  const [row] = await session.arrays<[number, number]>(
    `select count(*) filter (where last_seen_at >= $1),
       count(*) filter (where last_seen_at < $1 and deleted_at is null)
     from ${table} where ${kind}_type = $2${own}`,
    [seenAt.getTime(), type],
  );
  return { present: row![0], unlisted: row![1] };
}

async function countEmpty(
  session: PostgresSession,
  { kind, type, empty }: { kind: string; type: string; empty: boolean },
): Promise<number> {
  if (!empty) {
    await session.execute('delete from listing_counters where kind = $1 and type = $2', [kind, type]);
    return 0;
  }
  const [row] = await session.arrays<[number]>(
    `insert into listing_counters (kind, type, empty_count) values ($1, $2, 1)
     on conflict (kind, type) do update set empty_count = listing_counters.empty_count + 1
     returning empty_count`,
    [kind, type],
  );
  return row![0];
}

async function endLifetimes(
  session: PostgresSession,
  { kind, seenAt }: ListedTypes,
  type: string,
): Promise<number> {
  const { table, own } = tableOf(kind);
  const ended = await session.arrays(
    `update ${table} set deleted_at = $1
     where ${kind}_type = $2 and deleted_at is null and last_seen_at < $1${own} returning 1`,
    [seenAt.getTime(), type],
  );
  return ended.length;
}
