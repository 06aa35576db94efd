import { emissionOf, emissionsQuery, saveEmissionQuery } from '../queries/journal.ts';
import type { EmissionRecord } from '../records.ts';
import type { PostgresDatabase } from './postgres-database.ts';

export async function saveEmission(database: PostgresDatabase, record: EmissionRecord): Promise<void> {
  await database.held((session) => session.run(saveEmissionQuery(database.build, record)));
}

/** In order of period. */
export async function loadEmissions(database: PostgresDatabase, emitter: string): Promise<EmissionRecord[]> {
  return (await database.all(emissionsQuery(database.build, emitter))).map(emissionOf);
}
