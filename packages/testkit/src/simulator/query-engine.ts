import { ByteWriter } from './byte-writer.ts';
import { compileQuery } from './compile-query.ts';
import type { Labels } from './metric-definition.ts';
import { labelsKey, type MetricsModel } from './metrics-model.ts';
import { parseQuery } from './parse-query.ts';
import { createColumn, type Grid, type PlanSeries, type PreparedSeries } from './query-plan.ts';
import { type SampleStamps, stampsOf, writeMatrix, writeVector } from './write-samples.ts';
import { timelinesOf } from './series-timeline.ts';

/** Evaluates queries into the text of an answer. Both methods throw {@link QueryError}. */
export interface QueryEngine {
  /** The body of `/api/v1/query_range`. */
  range(query: string, grid: Grid): Uint8Array<ArrayBuffer>;
  /** The body of `/api/v1/query`; milliseconds. */
  instant(query: string, time: number): Uint8Array<ArrayBuffer>;
}

/** `closedRanges`: see {@link CompileContext}. */
export function createQueryEngine(model: MetricsModel, closedRanges: boolean): QueryEngine {
  const context = { timelines: timelinesOf(model), sampleSeconds: model.sampleSeconds, closedRanges };
  const plans = new Map<string, PreparedSeries[]>();
  const writer = new ByteWriter();
  let stamps: SampleStamps | null = null;

  const planOf = (query: string): PreparedSeries[] => {
    let plan = plans.get(query);
    if (!plan) {
      plan = prepare(compileQuery(parseQuery(query), context));
      plans.set(query, plan);
    }
    return plan;
  };

  return {
    range(query, grid) {
      const plan = planOf(query);
      if (!stamps?.isFor(grid)) stamps = stampsOf(grid);
      return writeMatrix(plan, { grid, stamps, column: createColumn(grid.count), writer });
    },
    instant(query, time) {
      const grid = { start: time, step: 1, count: 1 };
      return writeVector(planOf(query), { grid, stamps: stampsOf(grid), column: createColumn(1), writer });
    },
  };
}

function prepare(series: readonly PlanSeries[]): PreparedSeries[] {
  const encoder = new TextEncoder();
  return series
    .map((one) => ({ one, key: labelsKey(one.labels) }))
    .toSorted((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ one }) => ({ ...one, head: encoder.encode(`{"metric":${sortedJson(one.labels)},`) }));
}

function sortedJson(labels: Labels): string {
  return JSON.stringify(Object.fromEntries(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}
