import type { IsoDate } from '@chargeback/plugin-api';
import { type DayNumber, dayNumberOf } from '../convert.ts';
import { usageDigest } from '../input-digest.ts';
import {
  assertNumbers,
  coverageQuery,
  NO_RESOURCE,
  saveCoverageQuery,
  summaryOf,
  usageDigestsQuery,
} from '../queries/usage.ts';
import type { GatheredUsage, StoredUsage, UsageSummary } from '../store.ts';
import { columnText } from './column-text.ts';
import { pieces } from './copy-text.ts';
import type { Target } from './date-states.ts';
import type { Names } from './names.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { doubtDropped } from './sightings.ts';

/** Digest of each stored query of a day. */
export async function usageDigests({ session, build }: Target, day: DayNumber): Promise<Map<string, string>> {
  const rows = await session.all(usageDigestsQuery(build, day));
  return new Map(rows.map(({ name, digest }) => [name, digest]));
}

/** Every name that the usage speaks of. */
export function* namesIn(usage: readonly GatheredUsage[]): Generator<string> {
  for (const { queryKey, totals } of usage) {
    yield queryKey;
    if (totals.resourceIds) yield* totals.resourceIds;
    yield* totals.identityIds;
  }
}

export interface UsageWrite {
  readonly day: DayNumber;
  readonly usage: GatheredUsage;
  /** Digest of what is stored. */
  readonly stored: string | undefined;
}

/** Replaces the usage of one query on one day; returns its digest. Inside a write transaction that holds the day. */
export async function saveUsage(
  { session, build }: Target,
  names: Names,
  { day, usage, stored }: UsageWrite,
): Promise<string> {
  const digest = usageDigest(usage);
  if (digest === stored) return digest;
  assertNumbers(usage);
  const queryId = names.idOf(usage.queryKey);
  await session.run(saveCoverageQuery(build, usage, { day, query_id: queryId, digest }));
  if (usage.corrects) await doubtDropped(session, { day, queryId, usage });
  await session.execute('delete from usage_rows where day = $1 and query_id = $2', [day, queryId]);
  await session.copy(
    'usage_rows (day, query_id, resource_id, identity_id, value)',
    pieces(usageText(names, { day, queryId, totals: usage.totals })),
  );
  return digest;
}

interface UsageRows {
  readonly day: DayNumber;
  readonly queryId: number;
  readonly totals: GatheredUsage['totals'];
}

/** Rows for `COPY`; entries of the same resource and identity are added. */
function* usageText(names: Names, { day, queryId, totals }: UsageRows): Generator<string> {
  const { resourceIds, identityIds, values } = totals;
  const sums = new Map<number, Map<number, number>>();
  for (let index = 0; index < identityIds.length; index += 1) {
    const resourceId = resourceIds === null ? NO_RESOURCE : names.idOf(resourceIds[index]!);
    let ofResource = sums.get(resourceId);
    if (!ofResource) sums.set(resourceId, (ofResource = new Map()));
    const identityId = names.idOf(identityIds[index]!);
    const before = ofResource.get(identityId);
    ofResource.set(identityId, before === undefined ? values[index]! : before + values[index]!);
  }
  const key = `${day}\t${queryId}\t`;
  for (const [resourceId, ofResource] of sums) {
    for (const [identityId, value] of ofResource) yield `${key}${resourceId}\t${identityId}\t${value}\n`;
  }
}

/** The rows of one query, each column as the text of a JSON array. */
type UsageColumns = readonly [queryId: number, resourceIds: string, identityIds: string, values: string];

/** Usage of a day as it is stored, names not resolved yet. */
export interface RawUsage {
  readonly coverage: Awaited<ReturnType<typeof coverageRows>>;
  readonly columns: readonly UsageColumns[];
}

/** Inside a transaction; {@link usageOf} resolves the names after it. */
export async function loadUsage(target: Target, day: DayNumber): Promise<RawUsage> {
  const coverage = await coverageRows(target, day);
  const columns = await target.session.arrays<UsageColumns>(
    `select query_id, ${columnText('resource_id')}, ${columnText('identity_id')}, ${columnText('value')}
     from (select query_id, resource_id, identity_id, value from usage_rows where day = $1
       order by query_id, resource_id, identity_id) as ordered group by query_id`,
    [day],
  );
  return { coverage, columns };
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
  for (const [queryId, resources, identities, values] of columns) {
    parsed.set(queryId, {
      resources: JSON.parse(resources) as number[],
      identities: JSON.parse(identities) as number[],
      // The one number that JSON has no word for.
      values: JSON.parse(values.replaceAll('Infinity', '1e999')) as number[],
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

function coverageRows({ session, build }: Target, day: DayNumber) {
  return session.all(coverageQuery(build, day));
}
