import { type IsoDate, makeProblem, type UsageQuery } from '@chargeback/plugin-api';
import type { DayGrid } from './day-grid.ts';
import { dayIndexOf } from './plan-range.ts';
import { namesLabel } from './names-label.ts';
import type { RangeSeries } from './scan-matrix.ts';
import type { DayProblem } from './span-problems.ts';

/** The series of one day that do not say whose they are. */
export interface NamelessSeries {
  /** Series with a usable sample on the day, by the label that they lack. */
  readonly counts: ReadonlyMap<string, number>;
  /** Whether any series of the day carries the labels. */
  readonly named: boolean;
  /** Whether any of those without has a sample above 0. */
  readonly moved: boolean;
  /** Sum of the samples that no resource can be given. */
  readonly misplaced: number;
}

interface Counting {
  readonly counts: Map<string, number>;
  named: boolean;
  moved: boolean;
  misplaced: number;
}

/** For each day of the grid what lacks the label of the identity or of the resource. */
export function namelessOf(
  { identityLabel, resourceLabel }: UsageQuery,
  series: readonly RangeSeries[],
  { span }: DayGrid,
): readonly NamelessSeries[] {
  const days: Counting[] = span.days.map(() => ({
    counts: new Map(),
    named: false,
    moved: false,
    misplaced: 0,
  }));
  const needed = resourceLabel === null ? [identityLabel] : [resourceLabel, identityLabel];
  let allNamed = false;
  for (const { labels, times, values } of series) {
    const missing = needed.find((name) => !labels[name]);
    if (missing === undefined && allNamed) continue;
    let counted = -1;
    for (const [index, time] of times.entries()) {
      const day = dayIndexOf(span, time);
      const found = days[day];
      if (!found) continue;
      const value = values[index]!;
      if (missing !== undefined && value > 0) {
        found.moved = true;
        if (missing === resourceLabel) found.misplaced += value;
      }
      if (day === counted) continue;
      counted = day;
      if (missing === undefined) found.named = true;
      else found.counts.set(missing, (found.counts.get(missing) ?? 0) + 1);
    }
    allNamed = days.every(({ named }) => named);
  }
  return days;
}

/**
 * An error where the query is at fault: something on the day moved, nothing carries the label, and the query does
 * not ask for it. Else a warning: what names nobody goes to UNALLOCATED, the rest is as good as ever. It goes by the
 * query and not by other days: which of them are asked for together must change nothing.
 */
export function namelessProblem(
  { key, expression, stepSeconds, identityLabel, resourceLabel }: UsageQuery,
  { counts, named, moved }: NamelessSeries,
  date: IsoDate,
): DayProblem | null {
  if (counts.size === 0) return null;
  const by = resourceLabel === null ? identityLabel : `${resourceLabel}, ${identityLabel}`;
  const query = named ? '' : expression(`${stepSeconds}s`);
  const unnamed = named ? [] : [...counts.keys()].filter((label) => !namesLabel(query, label));
  if (unnamed.length > 0) {
    const message = `${key}: no series carries the label ${unnamed.join(' and ')}`;
    const fix = `Aggregate by it in the query: sum by (${by}) (…).`;
    const severity = moved ? 'error' : 'warning';
    return { ...makeProblem('CB_METRICS_LABEL', message, { severity, path: key, fix }), date };
  }
  const told = [...counts].map(([label, count]) => toldOf(label, count, label === resourceLabel));
  const fix = `Look for what exports them; or leave them out in the query: {${[...counts.keys()].map((label) => `${label}!=""`).join(',')}}.`;
  return { ...makeProblem('CB_METRICS_LABEL', `${key}: ${told.join('; ')}`, { path: key, fix }), date };
}

function toldOf(label: string, count: number, resource: boolean): string {
  const what = `${count} series without the label ${label}`;
  return resource
    ? `${what} speak of no resource and are in no line's usage`
    : `the usage of ${what} goes to UNALLOCATED`;
}
