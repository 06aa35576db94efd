import { emissionOf, emissionsQuery, saveEmissionQuery } from '../queries/journal.ts';
import type { EmissionRecord } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export function saveEmission(database: SqliteDatabase, record: EmissionRecord): void {
  database.write(() => database.run(saveEmissionQuery(database.build, record)));
}

/** In order of period. */
export function loadEmissions(database: SqliteDatabase, emitter: string): EmissionRecord[] {
  return database.read(() => database.all(emissionsQuery(database.build, emitter))).map(emissionOf);
}
