import type { Labels } from './metric-definition.ts';

/** The instants of a request: `start`, `start + step`, …, `count` of them; milliseconds. */
export interface Grid {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The samples of one series, entry i for instant i of the grid. */
export interface Column {
  readonly values: Float64Array;
  /** 1 where there is a sample; the value of the others means nothing. */
  readonly present: Uint8Array;
}

/** One series of an answer. Which series there are depends on the query, when they have samples on the grid. */
export interface PlanSeries {
  readonly labels: Labels;
  /** Writes every entry of the column. */
  readonly evaluate: (grid: Grid, column: Column) => void;
}

/** A series ready to be written: its labels are already JSON. */
export interface PreparedSeries extends PlanSeries {
  readonly head: Uint8Array;
}

export function createColumn(count: number): Column {
  return { values: new Float64Array(count), present: new Uint8Array(count) };
}
