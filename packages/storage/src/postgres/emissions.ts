import { CompiledQuery } from 'kysely';
import { assertHolder } from '../queries/coordination.ts';
import { emissionOf, emissionRow, emissionsQuery, saveEmissionQuery } from '../queries/journal.ts';
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

/** One statement, where a transaction would take four: it writes nothing for who is not the holder, the first parameter. */
const SAVE_HELD = `with held as materialized (select 1 from leases where id = 1 and holder = $1 for share)
  insert into emissions (${NAMES.join(', ')})
  select ${NAMES.map((name, index) => `$${index + 2}::${COLUMNS[name]}`).join(', ')} from held
  on conflict (emitter, day) do update set ${NAMES.map((name) => `${name} = excluded.${name}`).join(', ')}
  returning $1::text as holder`;

/** @throws {ChargebackError} `CB_STORAGE_LEASE` when the lease was lost. */
export async function saveEmission(database: PostgresDatabase, record: EmissionRecord): Promise<void> {
  const { build, holder, place } = database;
  if (holder === null) {
    await database.write(saveEmissionQuery(build, record));
    return;
  }
  const row = emissionRow(record);
  const save = CompiledQuery.raw(SAVE_HELD, [holder, ...NAMES.map((name) => row[name])]);
  const [saved] = await database.write(save as CompiledQuery<{ holder: string }>);
  assertHolder(saved?.holder, holder, place);
}

/** In order of period. */
export async function loadEmissions(database: PostgresDatabase, emitter: string): Promise<EmissionRecord[]> {
  return (await database.all(emissionsQuery(database.build, emitter))).map(emissionOf);
}
