import type { Aggregation } from '@chargeback/plugin-api';
import { dayNumberOf, instantOf, isoDateOfDay } from '../convert.ts';
import type { EmissionTable } from '../schema.ts';
import type { EmissionRecord } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** One record per emitter and period: the last one counts. */
export function saveEmission(database: SqliteDatabase, record: EmissionRecord): void {
  const row: EmissionTable = {
    emitter: record.emitter,
    day: dayNumberOf(record.period),
    aggregation: record.aggregation,
    batch_id: record.batchId,
    status: record.status,
    attempts: record.attempts,
    emitted_at: record.emittedAt.getTime(),
  };
  const query = database.build
    .insertInto('emissions')
    .values(row)
    .onConflict((conflict) => conflict.columns(['emitter', 'day']).doUpdateSet(row));
  database.write(() => database.run(query));
}

/** In order of period. */
export function loadEmissions(database: SqliteDatabase, emitter: string): EmissionRecord[] {
  const query = database.build
    .selectFrom('emissions')
    .selectAll()
    .where('emitter', '=', emitter)
    .orderBy('day');
  return database
    .read(() => database.all(query))
    .map((row) => ({
      emitter: row.emitter,
      period: isoDateOfDay(row.day),
      aggregation: row.aggregation as Aggregation | null,
      batchId: row.batch_id,
      status: row.status as EmissionRecord['status'],
      attempts: row.attempts,
      emittedAt: instantOf(row.emitted_at),
    }));
}
