import { type ChargebackError, makeProblem, type Problem, problemOf } from '@chargeback/plugin-api';
import type { DayGrid } from './day-grid.ts';
import type { DaySpan } from './plan-range.ts';

/** A span that was not answered: one problem, on its first day, that names the last one too. */
export function failureProblem(error: ChargebackError, span: DaySpan, key: string): Problem {
  const until = span.days.length > 1 ? ` (until ${span.days.at(-1)})` : '';
  return {
    ...problemOf(error, span.days[0] ?? null),
    message: `${key}${until}: ${error.message}`,
    path: key,
  };
}

/** Samples of a day that had to be set aside. */
export function rejectedProblems(grid: DayGrid, day: number, key: string): Problem[] {
  const count = grid.rejected[day] ?? 0;
  if (count === 0) return [];
  const message = `${key}: ${count} samples set aside, such as ${grid.example}`;
  return [makeProblem('CB_METRICS_SAMPLE', message, { date: grid.span.days[day]!, path: key })];
}

/** What the server said about its own answer. */
export function warningProblems(warnings: readonly string[], span: DaySpan, key: string): Problem[] {
  if (warnings.length === 0) return [];
  const message = `${key}: ${warnings.slice(0, 3).join('; ').slice(0, 400)}`;
  return [makeProblem('CB_METRICS_PARTIAL', message, { date: span.days[0]!, path: key })];
}
