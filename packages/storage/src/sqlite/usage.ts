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
import { doubtDropped } from './sightings.ts';
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
  if (usage.corrects) doubtDropped(database, { day, queryId, usage });
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
  for (const row of coverageRows(database, day)) {
    const key = [day, row.query_id];
    // Read whole before names are looked up, which may read too. Numbers with a fraction are not read as text.
    const resources = row.has_resources === 1 ? idsOf(database, RESOURCES, key) : null;
    const identities = idsOf(database, IDENTITIES, key);
    const values = database.statement(VALUES).pluck().all(key) as number[];
    usage.set(row.name, {
      queryKey: row.name,
      resourceIds: resources?.map((id) => names.nameOf(id)) ?? null,
      identityIds: identities.map((id) => names.nameOf(id)),
      values,
      ...summaryOf(row),
    });
  }
  return usage;
}

const OF_QUERY = 'from usage_rows where day = ? and query_id = ? order by resource_id, identity_id';
const RESOURCES = `select json_group_array(resource_id) from (select resource_id ${OF_QUERY})`;
const IDENTITIES = `select json_group_array(identity_id) from (select identity_id ${OF_QUERY})`;
const VALUES = `select value ${OF_QUERY}`;

/** Ids as one text: no object for each row. */
function idsOf(database: SqliteDatabase, select: string, key: readonly number[]): number[] {
  return JSON.parse(database.statement(select).pluck().get(key) as string) as number[];
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
