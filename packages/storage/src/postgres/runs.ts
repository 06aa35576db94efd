import { runOf, runsQuery, saveRunQuery } from '../queries/journal.ts';
import type { RunRecord } from '../records.ts';
import type { PostgresDatabase } from './postgres-database.ts';

export async function saveRun(database: PostgresDatabase, run: RunRecord): Promise<void> {
  await database.held((session) => session.run(saveRunQuery(database.build, run)));
}

export async function loadRuns(database: PostgresDatabase, limit: number): Promise<RunRecord[]> {
  return (await database.all(runsQuery(database.build, limit))).map(runOf);
}
