import { CompiledQuery } from 'kysely';
import { assertHolder } from '../queries/coordination.ts';
import { emissionOf, emissionRow, emissionsQuery } from '../queries/journal.ts';
import type { EmissionRecord } from '../records.ts';
import type { EmissionTable } from '../schema.ts';
import type { PostgresDatabase } from './postgres-database.ts';

const COLUMNS = {
  emitter: 'text',
  day: 'bigint',
  aggregation: 'text',
  batch_id: 'text',
  mark: 'text',
  others: 'text',
  status: 'text',
  attempts: 'bigint',
  emitted_at: 'bigint',
} as const satisfies Record<keyof EmissionTable, string>;
const NAMES = Object.keys(COLUMNS) as (keyof EmissionTable)[];

/**
 * One statement, where a transaction would take four. For the holder, which is the first parameter, it writes only while
 * the lease is its own; who has none writes without.
 */
const SAVE = `with held as materialized (select 1 from leases where id = 1 and holder = $1 for share)
  insert into emissions (${NAMES.join(', ')})
  select ${NAMES.map((name, index) => `$${index + 2}::${COLUMNS[name]}`).join(', ')}
  where $1::text is null or exists (select from held)
  on conflict (emitter, day) do update set ${NAMES.map((name) => `${name} = excluded.${name}`).join(', ')}
  returning $1::text as holder`;

/** @throws {ChargebackError} `CB_STORAGE_LEASE` when the lease was lost. */
export async function saveEmission(database: PostgresDatabase, record: EmissionRecord): Promise<void> {
  const { holder, place } = database;
  const row = emissionRow(record);
  const save = CompiledQuery.raw(SAVE, [holder, ...NAMES.map((name) => row[name])]);
  const [saved] = await database.write(save as CompiledQuery<{ holder: string | null }>);
  if (holder !== null) assertHolder(saved?.holder ?? undefined, holder, place);
}

/** In order of period. */
export async function loadEmissions(database: PostgresDatabase, emitter: string): Promise<EmissionRecord[]> {
  return (await database.all(emissionsQuery(database.build, emitter))).map(emissionOf);
}
