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
    const types = (await typesOf(session, listed)).filter((type) => type !== SYSTEM_IDENTITY_TYPE);
    const counts = await countByType(session, listed, types);
    const present = types.filter((type) => !isEmpty(counts.get(type)));
    await session.later({
      sql: 'delete from listing_counters where kind = $1 and type = any($2::text[])',
      parameters: [listed.kind, present],
    });
    const doubted: string[] = [];
    let deleted = 0;
    for (const type of types) {
      const { unlisted = 0 } = counts.get(type) ?? {};
      if (unlisted === 0) continue;
      if (isEmpty(counts.get(type))) {
        const times = await countEmpty(session, listed.kind, type);
        if (listed.emptyThreshold < 0 || times < listed.emptyThreshold) {
          doubted.push(type);
          continue;
        }
      }
      deleted += await endLifetimes(session, listed, type);
    }
    return { deleted, doubted };
  });
}

async function typesOf(session: PostgresSession, { kind, types, everyType }: ListedTypes): Promise<string[]> {
  if (!everyType) return [...new Set(types)];
  const { table, own } = tableOf(kind);
  const known = await session.arrays<[string]>(
    `select distinct ${kind}_type from ${table} where true${own}`,
    [],
  );
  return [...new Set([...types, ...known.map(([type]) => type)])];
}

function tableOf(kind: ListedTypes['kind']): { table: string; own: string } {
  return kind === 'resource'
    ? { table: 'resources', own: '' }
    : { table: 'identities', own: ' and observed = 0' };
}

interface Counts {
  /** Of a type: named by the listing, and known without being named. */
  readonly present: number;
  readonly unlisted: number;
}

/** Whether a listing names none of a type although some are known. */
function isEmpty(counts: Counts | undefined): boolean {
  return counts !== undefined && counts.present === 0 && counts.unlisted > 0;
}

/** Of those types of which anything is known. */
async function countByType(
  session: PostgresSession,
  { kind, seenAt }: ListedTypes,
  types: readonly string[],
): Promise<ReadonlyMap<string, Counts>> {
  const { table, own } = tableOf(kind);
  const rows = await session.arrays<[string, number, number]>(
    `select ${kind}_type, count(*) filter (where last_seen_at >= $1),
       count(*) filter (where last_seen_at < $1 and deleted_at is null)
     from ${table} where ${kind}_type = any($2::text[])${own} group by ${kind}_type`,
    [seenAt.getTime(), types],
  );
  return new Map(rows.map(([type, present, unlisted]) => [type, { present, unlisted }]));
}

/** Times in a row, with this one. */
async function countEmpty(
  session: PostgresSession,
  kind: ListedTypes['kind'],
  type: string,
): Promise<number> {
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
