import type { IsoDate, Problem, Window } from '@chargeback/plugin-api';
import { dayNumberOf } from '../convert.ts';
import { placeProblems, problemOfRow, type ProblemScope, problemsQuery } from '../queries/journal.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Replaces the problems of a stage. Inside a write transaction. */
export function replaceProblems(database: SqliteDatabase, scope: ProblemScope): void {
  const { scopes, rows } = placeProblems(scope);
  const remove = database.statement('delete from problems where stage = ? and scope_day is ?');
  for (const day of scopes) remove.run(scope.stage, day);
  for (const row of rows) database.run(database.build.insertInto('problems').values(row));
}

/** Inside a write transaction. */
export function forgetErrors(database: SqliteDatabase, stage: string, dates: readonly IsoDate[]): void {
  const remove = database.statement(
    `delete from problems where stage = ? and scope_day = ? and severity = 'error'`,
  );
  for (const date of dates) remove.run(stage, dayNumberOf(date));
}

export function loadProblems(database: SqliteDatabase, window: Window): Problem[] {
  return database.read(() => database.all(problemsQuery(database.build, window))).map(problemOfRow);
}
