import { SYSTEM_IDENTITY_TYPE } from '@chargeback/plugin-api';
import type { Deletions, ListedTypes } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/**
 * Ends the lifetime of what a listing that succeeded no longer names. What is known from metrics only, and the
 * system's own identities, no listing can end.
 */
export function deleteUnlisted(database: SqliteDatabase, listed: ListedTypes): Deletions {
  const doubted: string[] = [];
  let deleted = 0;
  database.write(() => {
    for (const type of typesOf(database, listed)) {
      if (type === SYSTEM_IDENTITY_TYPE) continue;
      const { present, unlisted } = count(database, listed, type);
      const empty = present === 0 && unlisted > 0;
      const times = countEmpty(database, { kind: listed.kind, type, empty });
      if (unlisted === 0) continue;
      if (empty && (listed.emptyThreshold < 0 || times < listed.emptyThreshold)) {
        doubted.push(type);
        continue;
      }
      deleted += endLifetimes(database, listed, type);
    }
  });
  return { deleted, doubted };
}

function typesOf(database: SqliteDatabase, { kind, types, everyType }: ListedTypes): Iterable<string> {
  if (!everyType) return types;
  const { table, own } = tableOf(kind);
  const known = database.statement(`select distinct ${kind}_type from ${table} where true${own}`).pluck();
  return new Set([...types, ...(known.all() as string[])]);
}

function tableOf(kind: ListedTypes['kind']): { table: string; own: string } {
  return kind === 'resource'
    ? { table: 'resources', own: '' }
    : { table: 'identities', own: ' and observed = 0' };
}

function count(
  database: SqliteDatabase,
  { kind, seenAt }: ListedTypes,
  type: string,
): { present: number; unlisted: number } {
  const { table, own } = tableOf(kind);
  const [present, unlisted] = database
    .statement(
      `select coalesce(sum(last_seen_at >= @seen), 0),
         coalesce(sum(last_seen_at < @seen and deleted_at is null), 0)
       from ${table} where ${kind}_type = @type${own}`,
    )
    .raw()
    .get({ seen: seenAt.getTime(), type }) as [number, number];
  return { present, unlisted };
}

function countEmpty(
  database: SqliteDatabase,
  { kind, type, empty }: { kind: string; type: string; empty: boolean },
): number {
  if (!empty) {
    database.statement('delete from listing_counters where kind = ? and type = ?').run(kind, type);
    return 0;
  }
  return database
    .statement(
      `insert into listing_counters (kind, type, empty_count) values (?, ?, 1)
       on conflict do update set empty_count = empty_count + 1 returning empty_count`,
    )
    .pluck()
    .get(kind, type) as number;
}

function endLifetimes(database: SqliteDatabase, { kind, seenAt }: ListedTypes, type: string): number {
  const { table, own } = tableOf(kind);
  const seen = seenAt.getTime();
  return database
    .statement(
      `update ${table} set deleted_at = @seen
       where ${kind}_type = @type and deleted_at is null and last_seen_at < @seen${own}`,
    )
    .run({ seen, type }).changes;
}
