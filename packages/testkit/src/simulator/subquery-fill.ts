import { createColumn, type PlanSeries } from './query-plan.ts';
import type { Subquery } from './query-syntax.ts';
import { createReduction } from './reduction.ts';

/**
 * Evaluates the inner series at the multiples of the subquery's step (counted from 1970, as Prometheus does) and
 * reduces those in (instant − range, instant], or in [instant − range, instant] when `closed`.
 */
export function fillSubquery(
  inner: PlanSeries,
  { operator, range, step }: Subquery,
  closed: boolean,
): PlanSeries['evaluate'] {
  return (grid, { values, present }) => {
    const lastInstant = grid.start + (grid.count - 1) * grid.step;
    const first = Math.ceil((grid.start - range) / step);
    const count = Math.max(0, Math.floor(lastInstant / step) - first + 1);
    const column = createColumn(count);
    inner.evaluate({ start: first * step, step, count }, column);
    for (let index = 0; index < grid.count; index += 1) {
      const instant = grid.start + index * grid.step;
      const begin = instant - range;
      const from = (closed ? Math.ceil(begin / step) : Math.floor(begin / step) + 1) - first;
      const to = Math.floor(instant / step) - first;
      const reduction = createReduction();
      for (let sample = Math.max(0, from); sample <= to; sample += 1) {
        if (column.present[sample] === 1) reduction.add(column.values[sample]!, 1);
      }
      present[index] = reduction.count > 0 ? 1 : 0;
      values[index] = reduction.result(operator);
    }
  };
}
