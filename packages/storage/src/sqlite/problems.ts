import type { ErrorCode, IsoDate, Problem, Window } from '@chargeback/plugin-api';
import { dayNumberOf, dayRangeOf, isoDateOfDay } from '../convert.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export interface ProblemScope {
  readonly stage: 'gather' | 'calculate' | 'emit';
  /** Days whose problems are replaced; when empty, those saved without a day. */
  readonly dates: readonly IsoDate[];
  readonly problems: readonly Problem[];
}

/**
 * Replaces the problems of a stage. A problem belongs to its own day when that is one of the days named, else
 * to those without a day, which are then replaced as well. Inside a write transaction.
 */
export function replaceProblems(database: SqliteDatabase, { stage, dates, problems }: ProblemScope): void {
  const days = new Set<number | null>(dates.length === 0 ? [null] : dates.map(dayNumberOf));
  const placed = problems.map((problem) => {
    const day = problem.date === null ? null : dayNumberOf(problem.date);
    return { problem, day, scope: days.has(day) ? day : null };
  });
  for (const { scope } of placed) days.add(scope);
  const remove = database.statement('delete from problems where stage = ? and scope_day is ?');
  for (const day of days) remove.run(stage, day);
  const insert = database.statement(
    `insert into problems (stage, scope_day, day, code, severity, message, fix, path)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const { problem, day, scope } of placed) {
    insert.run(stage, scope, day, problem.code, problem.severity, problem.message, problem.fix, problem.path);
  }
}

export function loadProblems(database: SqliteDatabase, window: Window): Problem[] {
  const { first, end } = dayRangeOf(window);
  const query = database.build
    .selectFrom('problems')
    .selectAll()
    .where((where) =>
      where.or([where('day', 'is', null), where.and([where('day', '>=', first), where('day', '<', end)])]),
    )
    .orderBy((order) => order.fn.coalesce('day', order.lit(-100_000_000)))
    .orderBy('problem_key');
  return database
    .read(() => database.all(query))
    .map((row) => ({
      code: row.code as ErrorCode,
      severity: row.severity as Problem['severity'],
      message: row.message,
      fix: row.fix,
      path: row.path,
      date: row.day === null ? null : isoDateOfDay(row.day),
    }));
}
