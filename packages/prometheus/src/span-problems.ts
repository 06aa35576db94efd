import {
  type ChargebackError,
  type Coverage,
  type IsoDate,
  makeProblem,
  type Problem,
  problemOf,
} from '@chargeback/plugin-api';
import type { DayGrid } from './day-grid.ts';

export type DayProblem = Problem & { readonly date: IsoDate };

/** Why a day was not answered. */
export function failureProblem(error: ChargebackError, date: IsoDate, key: string): DayProblem {
  return { ...problemOf(error), date, message: `${key}: ${error.message}`, path: key };
}

/** Samples of a day that had to be set aside. */
export function rejectedProblems(grid: DayGrid, day: number, key: string): Problem[] {
  const count = grid.rejected[day] ?? 0;
  if (count === 0) return [];
  const samples = count === 1 ? 'sample' : 'samples';
  const message = `${key}: ${count} ${samples} set aside, such as ${grid.examples[day]}`;
  return [makeProblem('CB_METRICS_SAMPLE', message, { date: grid.span.days[day]!, path: key })];
}

/** What the server said about its own answer. */
export function warningProblems(warnings: readonly string[], date: IsoDate, key: string): Problem[] {
  if (warnings.length === 0) return [];
  const message = `${key}: ${warnings.slice(0, 3).join('; ').slice(0, 400)}`;
  return [makeProblem('CB_METRICS_PARTIAL', message, { date, path: key })];
}

/** With a warning a part of the answer is missing, and nobody knows which: it never counts as whole. */
export function coverageOf(seen: number, expected: number, warnings: readonly string[]): Coverage {
  const most = warnings.length > 0 ? expected - 1 : expected;
  return { samplesSeen: Math.min(seen, most), samplesExpected: expected };
}
