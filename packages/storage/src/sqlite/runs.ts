import type { Insertable } from 'kysely';
import { instantOf, millisecondsOf, nullableInstantOf } from '../convert.ts';
import type { RunTable } from '../schema.ts';
import type { RunRecord, RunStatus } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export function saveRun(database: SqliteDatabase, run: RunRecord): void {
  const row: Insertable<RunTable> = {
    run_id: run.runId,
    started_at: run.startedAt.getTime(),
    ended_at: millisecondsOf(run.endedAt),
    status: run.status,
    dates_gathered: run.datesGathered,
    dates_calculated: run.datesCalculated,
    dates_unchanged: run.datesUnchanged,
    dates_held: run.datesHeld,
    rows_written: run.rowsWritten,
    stages: JSON.stringify(run.stages),
  };
  const query = database.build
    .insertInto('runs')
    .values(row)
    .onConflict((conflict) => conflict.column('run_id').doUpdateSet(row));
  database.write(() => database.run(query));
}

export function loadRuns(database: SqliteDatabase, limit: number): RunRecord[] {
  const query = database.build
    .selectFrom('runs')
    .selectAll()
    .orderBy('started_at', 'desc')
    .orderBy('run_id', 'desc')
    .limit(limit);
  return database
    .read(() => database.all(query))
    .map((row) => ({
      runId: row.run_id,
      startedAt: instantOf(row.started_at),
      endedAt: nullableInstantOf(row.ended_at),
      status: row.status as RunStatus,
      datesGathered: row.dates_gathered,
      datesCalculated: row.dates_calculated,
      datesUnchanged: row.dates_unchanged,
      datesHeld: row.dates_held,
      rowsWritten: row.rows_written,
      stages: JSON.parse(row.stages) as RunRecord['stages'],
    }));
}
