import { createColumn, type PlanSeries } from './query-plan.ts';
import type { AggregateOperator } from './query-syntax.ts';

const COMBINE: Readonly<Record<AggregateOperator, (left: number, right: number) => number>> = {
  sum: (left, right) => left + right,
  avg: (left, right) => left + right,
  min: (left, right) => (right < left || Number.isNaN(left) ? right : left),
  max: (left, right) => (right > left || Number.isNaN(left) ? right : left),
  count: (left) => left + 1,
  group: () => 1,
};

/** Combines the members of a group, instant by instant, over those that have a sample there. */
export function fillAggregate(
  operator: AggregateOperator,
  members: readonly PlanSeries[],
): PlanSeries['evaluate'] {
  const counts = operator === 'count' || operator === 'group';
  const combine = COMBINE[operator];
  return (grid, column) => {
    const { values, present } = column;
    members[0]!.evaluate(grid, column);
    if (counts) values.fill(1);
    if (members.length === 1) return;
    const next = createColumn(grid.count);
    const sizes = operator === 'avg' ? Float64Array.from(present) : null;
    for (const member of members.slice(1)) {
      member.evaluate(grid, next);
      for (let index = 0; index < grid.count; index += 1) {
        if (next.present[index] === 0) continue;
        if (sizes) sizes[index]! += 1;
        if (present[index] === 1) {
          values[index] = combine(values[index]!, next.values[index]!);
        } else {
          values[index] = counts ? 1 : next.values[index]!;
          present[index] = 1;
        }
      }
    }
    if (sizes) for (let index = 0; index < grid.count; index += 1) values[index]! /= sizes[index]!;
  };
}
