import type { IsoDate, UsageOutcome } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import { usageDigest } from '../input-digest.ts';
import type { GatheredUsage, StoredUsage, UsageSummary } from '../store.ts';
import type { Names } from './names.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** `resource_id` of usage that speaks of the whole tenant. Names begin at 1. */
const NO_RESOURCE = 0;

/** Digest of each stored query of a day. */
export function usageDigests(database: SqliteDatabase, day: DayNumber): Map<string, string> {
  const query = database.build
    .selectFrom('usage_coverage')
    .innerJoin('names', 'name_id', 'query_id')
    .select(['name', 'digest'])
    .where('day', '=', day);
  return new Map(database.all(query).map(({ name, digest }) => [name, digest]));
}

/** Replaces the usage of one query on one day; returns its digest. Inside a write transaction. */
export function saveUsage(
  database: SqliteDatabase,
  names: Names,
  { day, usage, stored }: { day: DayNumber; usage: GatheredUsage; stored: string | undefined },
): string {
  const digest = usageDigest(usage);
  if (digest === stored) return digest;
  const queryId = names.idOf(usage.queryKey);
  const { coverage, totals, outcome } = usage;
  database
    .statement(
      `insert or replace into usage_coverage (day, query_id, samples_seen, samples_expected, outcome,
         has_resources, definition, digest) values (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      day,
      queryId,
      coverage.samplesSeen,
      coverage.samplesExpected,
      outcome,
      totals.resourceIds === null ? 0 : 1,
      usage.definition ?? '',
      digest,
    );
  database.statement('delete from usage_rows where day = ? and query_id = ?').run(day, queryId);
  const insert = database.statement(
    `insert into usage_rows (day, query_id, resource_id, identity_id, value) values (?, ?, ?, ?, ?)
     on conflict do update set value = value + excluded.value`,
  );
  const { resourceIds, identityIds, values } = totals;
  for (let index = 0; index < identityIds.length; index += 1) {
    const resourceId = resourceIds === null ? NO_RESOURCE : names.idOf(resourceIds[index]!);
    insert.run(day, queryId, resourceId, names.idOf(identityIds[index]!), values[index]!);
  }
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
    const rows = read.raw().iterate(day, row.query_id) as Iterable<[number, number, number]>;
    const entries = [...rows];
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

function summaryOf(row: ReturnType<typeof coverageRows>[number]): UsageSummary {
  return {
    coverage: { samplesSeen: row.samples_seen, samplesExpected: row.samples_expected },
    outcome: row.outcome as UsageOutcome,
    definition: row.definition,
  };
}

function coverageRows(database: SqliteDatabase, day: DayNumber) {
  const query = database.build
    .selectFrom('usage_coverage')
    .innerJoin('names', 'name_id', 'query_id')
    .select([
      'query_id',
      'name',
      'samples_seen',
      'samples_expected',
      'outcome',
      'has_resources',
      'definition',
    ])
    .where('day', '=', day)
    .orderBy('name');
  return database.all(query);
}
