import type { IsoDate } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import { usageDigest } from '../input-digest.ts';
import {
  coverageQuery,
  NO_RESOURCE,
  saveCoverageQuery,
  summaryOf,
  usageDigestsQuery,
} from '../queries/usage.ts';
import type { GatheredUsage, StoredUsage, UsageSummary } from '../store.ts';
import { bulkInsert, insertRows } from './insert-rows.ts';
import type { Names } from './names.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Digest of each stored query of a day. */
export function usageDigests(database: SqliteDatabase, day: DayNumber): Map<string, string> {
  const rows = database.all(usageDigestsQuery(database.build, day));
  return new Map(rows.map(({ name, digest }) => [name, digest]));
}

const INSERT_USAGE = bulkInsert({
  table: 'usage_rows',
  common: ['day', 'query_id'],
  columns: ['resource_id', 'identity_id', 'value'],
  after: 'on conflict do update set value = value + excluded.value',
});

/** Replaces the usage of one query on one day; returns its digest. Inside a write transaction. */
export function saveUsage(
  database: SqliteDatabase,
  names: Names,
  { day, usage, stored }: { day: DayNumber; usage: GatheredUsage; stored: string | undefined },
): string {
  const digest = usageDigest(usage);
  if (digest === stored) return digest;
  const queryId = names.idOf(usage.queryKey);
  database.run(saveCoverageQuery(database.build, usage, { day, query_id: queryId, digest }));
  database.statement('delete from usage_rows where day = ? and query_id = ?').run(day, queryId);
  const { resourceIds, identityIds, values } = usage.totals;
  insertRows(database, INSERT_USAGE, {
    count: identityIds.length,
    common: { day, query_id: queryId },
    fill(row, into, at) {
      into[at] = resourceIds === null ? NO_RESOURCE : names.idOf(resourceIds[row]!);
      into[at + 1] = names.idOf(identityIds[row]!);
      into[at + 2] = values[row]!;
    },
  });
  return digest;
}

export function loadUsage(
  database: SqliteDatabase,
  names: Names,
  day: DayNumber,
): ReadonlyMap<string, StoredUsage> {
  const usage = new Map<string, StoredUsage>();
  const read = database.statement(
    'select resource_id, identity_id, value from usage_rows where day = ? and query_id = ?',
  );
  for (const row of coverageRows(database, day)) {
    const resourceIds: string[] | null = row.has_resources === 1 ? [] : null;
    const identityIds: string[] = [];
    const values: number[] = [];
    // Read whole before names are looked up, which may read too.
    const entries = read.raw().all(day, row.query_id) as [number, number, number][];
    for (const [resourceId, identityId, value] of entries) {
      resourceIds?.push(names.nameOf(resourceId));
      identityIds.push(names.nameOf(identityId));
      values.push(value);
    }
    usage.set(row.name, { queryKey: row.name, resourceIds, identityIds, values, ...summaryOf(row) });
  }
  return usage;
}

export function loadUsageCoverage(
  database: SqliteDatabase,
  date: IsoDate,
): ReadonlyMap<string, UsageSummary> {
  const rows = database.read(() => coverageRows(database, dayNumberOf(date)));
  return new Map(rows.map((row) => [row.name, summaryOf(row)]));
}

function coverageRows(database: SqliteDatabase, day: DayNumber) {
  return database.all(coverageQuery(database.build, day));
}
