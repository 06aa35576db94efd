import type { IsoDate, Problem, Window } from '@chargeback/plugin-api';
import { dayNumberOf } from '../convert.ts';
import {
  type PlacedProblems,
  placeProblems,
  problemOfRow,
  type ProblemScope,
  problemsQuery,
} from '../queries/journal.ts';
import { copyText } from './copy-text.ts';
import type { Target } from './date-states.ts';
import { lock, lockShared } from './locks.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';

/** Replaces the problems of a stage. Inside a write transaction. */
export async function replaceProblems({ session }: Target, scope: ProblemScope): Promise<void> {
  const placed = placeProblems(scope);
  await lock(session, 'problems');
  await replace(session, scope.stage, placed);
}

/** The same inside a write transaction that holds the one day: others go on replacing those of theirs. */
export async function replaceProblemsOfDay({ session }: Target, scope: ProblemScope): Promise<void> {
  const placed = placeProblems(scope);
  await (placed.scopes.has(null) ? lock : lockShared)(session, 'problems');
  await replace(session, scope.stage, placed);
}

async function replace(
  session: PostgresSession,
  stage: ProblemScope['stage'],
  { scopes, rows }: PlacedProblems,
): Promise<void> {
  const days = [...scopes].filter((day) => day !== null);
  await session.later({
    sql: `delete from problems where stage = $1
       and (scope_day = any($2::bigint[]) or (scope_day is null and $3::boolean))`,
    parameters: [stage, days, scopes.has(null)],
  });
  if (rows.length === 0) return;
  await session.copy(
    'problems (stage, scope_day, day, code, severity, message, fix, path)',
    copyText(
      rows.map(({ scope_day, day, code, severity, message, fix, path }) => [
        stage,
        scope_day,
        day,
        code,
        severity,
        message,
        fix,
        path,
      ]),
    ),
  );
}

/** Inside a write transaction. */
export async function forgetErrors(
  { session }: Target,
  stage: string,
  { dates, codes }: { readonly dates: readonly IsoDate[]; readonly codes: readonly string[] },
): Promise<void> {
  await lock(session, 'problems');
  await session.later({
    sql: 'delete from problems where stage = $1 and scope_day = any($2::bigint[]) and code = any($3::text[])',
    parameters: [stage, dates.map(dayNumberOf), codes],
  });
}

export async function loadProblems(database: PostgresDatabase, window: Window): Promise<Problem[]> {
  return (await database.all(problemsQuery(database.build, window))).map(problemOfRow);
}
