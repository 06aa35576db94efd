import { runOf, runsQuery, saveRunQuery } from '../queries/journal.ts';
import type { RunRecord } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export function saveRun(database: SqliteDatabase, run: RunRecord): void {
  database.write(() => database.run(saveRunQuery(database.build, run)));
}

export function loadRuns(database: SqliteDatabase, limit: number): RunRecord[] {
  return database.read(() => database.all(runsQuery(database.build, limit))).map(runOf);
}
