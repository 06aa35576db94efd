import { ChargebackError, type UsageOutcome } from '@chargeback/plugin-api';
import type { Kysely } from 'kysely';
import type { StorageSchema, UsageCoverageTable } from '../schema.ts';
import type { GatheredUsage, UsageSummary } from '../store.ts';
import { queryOfDay } from './query-of-day.ts';
import { queryOfRow } from './query-of-row.ts';

/** `resource_id` of usage that speaks of the whole tenant. Names begin at 1. */
export const NO_RESOURCE = 0;

/** Digest of each stored query of a day. */
export const usageDigestsQuery = queryOfDay((build, day) =>
  build
    .selectFrom('usage_coverage')
    .innerJoin('names', 'name_id', 'query_id')
    .select(['name', 'digest'])
    .where('day', '=', day),
);

export const coverageQuery = queryOfDay((build, day) =>
  build
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
    .orderBy('name'),
);

/** Writes the coverage of a query over the one before it. */
export function saveCoverageQuery(
  build: Kysely<StorageSchema>,
  { coverage, totals, outcome, definition }: GatheredUsage,
  key: Pick<UsageCoverageTable, 'day' | 'query_id' | 'digest'>,
) {
  const row: UsageCoverageTable = {
    ...key,
    samples_seen: coverage.samplesSeen,
    samples_expected: coverage.samplesExpected,
    outcome,
    has_resources: totals.resourceIds === null ? 0 : 1,
    definition: definition ?? '',
  };
  return saveCoverageRow(build, row);
}

const saveCoverageRow = queryOfRow((build, row: UsageCoverageTable) =>
  build
    .insertInto('usage_coverage')
    .values(row)
    .onConflict((conflict) => conflict.columns(['day', 'query_id']).doUpdateSet(row)),
);

export function summaryOf(
  row: Pick<UsageCoverageTable, 'samples_seen' | 'samples_expected' | 'outcome' | 'definition'>,
): UsageSummary {
  return {
    coverage: { samplesSeen: row.samples_seen, samplesExpected: row.samples_expected },
    outcome: row.outcome as UsageOutcome,
    definition: row.definition,
  };
}

/** @throws {ChargebackError} `CB_STORAGE_REJECTED` for a value that is not a number. */
export function assertNumbers({ queryKey, totals: { values } }: GatheredUsage): void {
  const index = values.findIndex((value) => Number.isNaN(value));
  if (index !== -1) {
    throw new ChargebackError('CB_STORAGE_REJECTED', `usage ${queryKey}: value ${index} is not a number`, {
      path: queryKey,
    });
  }
}
