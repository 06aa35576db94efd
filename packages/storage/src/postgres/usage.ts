import type { IsoDate } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import { type CompiledQuery, sql } from 'kysely';
import { usageDigest } from '../input-digest.ts';
import { assertNumbers, coverageQuery, NO_RESOURCE, saveCoverageQuery, summaryOf } from '../queries/usage.ts';
import type { GatheredUsage, StoredUsage, UsageSummary } from '../store.ts';
import { BinaryRows } from './binary-rows.ts';
import { columnText } from './column-text.ts';
import type { Target } from './date-states.ts';
import type { Names } from './names.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { doubtDropped } from './sightings.ts';

/** Every name that the usage speaks of. */
export function* namesIn(usage: readonly GatheredUsage[]): Generator<string> {
  for (const { queryKey, totals } of usage) {
    yield queryKey;
    if (totals.resourceIds) yield* totals.resourceIds;
    yield* totals.identityIds;
  }
}

export interface DayOfUsage {
  readonly day: DayNumber;
  readonly usage: readonly GatheredUsage[];
  /** Digest of each query that is stored. */
  readonly stored: readonly { readonly name: string; readonly digest: string }[];
}

/**
 * Replaces the usage of queries on one day by what differs from it; returns the digest of each query, stored before
 * or now. Inside a write transaction that holds the day.
 */
export async function saveUsage(
  { session, build }: Target,
  names: Names,
  { day, usage, stored }: DayOfUsage,
): Promise<Map<string, string>> {
  const digests = new Map(stored.map(({ name, digest }) => [name, digest]));
  const replaced = new Set(digests.keys());
  const changed = new Map<number, GatheredUsage>();
  for (const query of usage) {
    const { queryKey } = query;
    const digest = usageDigest(query);
    if (digest === digests.get(queryKey)) continue;
    digests.set(queryKey, digest);
    assertNumbers(query);
    const queryId = names.idOf(queryKey);
    changed.set(queryId, query);
    await session.later(saveCoverageQuery(build, query, { day, query_id: queryId, digest }));
    // What was never stored has no rows to look at or to delete.
    if (!replaced.has(queryKey)) continue;
    if (query.corrects) await doubtDropped(session, { day, queryId, usage: query });
    const rows = 'delete from usage_rows where day = $1 and query_id = $2';
    await session.later({ sql: rows, parameters: [day, queryId] });
  }
  if (changed.size > 0) {
    const pieces = usageRows(names, day, changed);
    await session.copyBinary('usage_rows (day, query_id, resource_id, identity_id, value)', pieces);
  }
  return digests;
}

type SumsByIdentity = Map<number, number>;

/** Rows for `COPY` of queries by id. */
function* usageRows(
  names: Names,
  day: DayNumber,
  usage: ReadonlyMap<number, GatheredUsage>,
): Generator<Buffer> {
  const rows = new BinaryRows(5);
  yield rows.start;
  for (const [queryId, { totals }] of usage) {
    for (const [resourceId, ofResource] of sumsOf(names, totals)) {
      for (const [identityId, value] of ofResource) {
        rows.startRow();
        rows.integer(day);
        rows.integer(queryId);
        rows.integer(resourceId);
        rows.integer(identityId);
        rows.real(value);
        if (rows.isFull) yield rows.take();
      }
    }
  }
  yield rows.end();
}

/** By resource and identity; entries of the same are added. */
function sumsOf(
  names: Names,
  { resourceIds, identityIds, values }: GatheredUsage['totals'],
): Map<number, SumsByIdentity> {
  const sums = new Map<number, SumsByIdentity>();
  for (let index = 0; index < identityIds.length; index += 1) {
    const resourceId = resourceIds === null ? NO_RESOURCE : names.idOf(resourceIds[index]!);
    let ofResource = sums.get(resourceId);
    if (!ofResource) sums.set(resourceId, (ofResource = new Map()));
    const identityId = names.idOf(identityIds[index]!);
    const before = ofResource.get(identityId);
    ofResource.set(identityId, before === undefined ? values[index]! : before + values[index]!);
  }
  return sums;
}

/** The rows of one query, each column as the text of a JSON array. */
interface UsageColumns {
  readonly query_id: number;
  readonly resources: string;
  readonly identities: string;
  readonly amounts: string;
}

type CoverageRow = ReturnType<typeof coverageQuery> extends CompiledQuery<infer Row> ? Row : never;

/** Usage of a day as it is stored, names not resolved yet. */
export interface RawUsage {
  readonly coverage: readonly CoverageRow[];
  readonly columns: readonly UsageColumns[];
}

/** The rows of a day; {@link usageOf} resolves the names. */
export function usageColumnsQuery(build: PostgresDatabase['build'], day: DayNumber) {
  const query = sql<UsageColumns>`
    select query_id, ${sql.raw(columnText('resource_id'))} as resources,
      ${sql.raw(columnText('identity_id'))} as identities, ${sql.raw(columnText('value'))} as amounts
    from (select query_id, resource_id, identity_id, value from usage_rows where day = ${day}
      order by query_id, resource_id, identity_id) as ordered group by query_id`;
  return query.compile(build);
}

interface ParsedColumns {
  readonly resources: readonly number[];
  readonly identities: readonly number[];
  readonly values: readonly number[];
}

export async function usageOf(
  names: Names,
  { coverage, columns }: RawUsage,
): Promise<ReadonlyMap<string, StoredUsage>> {
  const parsed = new Map<number, ParsedColumns>();
  for (const { query_id, resources, identities, amounts } of columns) {
    parsed.set(query_id, {
      resources: JSON.parse(resources) as number[],
      identities: JSON.parse(identities) as number[],
      // The one number that JSON has no word for.
      values: JSON.parse(amounts.replaceAll('Infinity', '1e999')) as number[],
    });
  }
  await names.load(idsIn(parsed.values()));
  const usage = new Map<string, StoredUsage>();
  for (const row of coverage) {
    const { resources, identities, values } = parsed.get(row.query_id) ?? NO_ROWS;
    usage.set(row.name, {
      queryKey: row.name,
      resourceIds: row.has_resources === 1 ? resources.map((id) => names.nameOf(id)) : null,
      identityIds: identities.map((id) => names.nameOf(id)),
      values,
      ...summaryOf(row),
    });
  }
  return usage;
}

const NO_ROWS: ParsedColumns = { resources: [], identities: [], values: [] };

function* idsIn(queries: Iterable<ParsedColumns>): Generator<number> {
  for (const { resources, identities } of queries) {
    for (const id of resources) if (id !== NO_RESOURCE) yield id;
    yield* identities;
  }
}

export async function loadUsageCoverage(
  database: PostgresDatabase,
  date: IsoDate,
): Promise<ReadonlyMap<string, UsageSummary>> {
  const rows = await database.all(coverageQuery(database.build, dayNumberOf(date)));
  return new Map(rows.map((row) => [row.name, summaryOf(row)]));
}
