import type { Coverage } from './coverage.ts';
import type { Problem } from './problem.ts';
import type { IsoDate, Window } from './window.ts';

/** What the engine asks the metrics source, once for many resources and days, and stores. */
export interface UsageQuery {
  /** Names the query in storage and in allocators, such as `bytes_in`. */
  readonly key: string;
  /** PromQL; `range` is the step as a duration, so that nothing is counted twice or missed. */
  readonly expression: (range: string) => string;
  /** Seconds between samples, and the length of every range selector. Divides a day. */
  readonly stepSeconds: number;
  /** Counter increases are summed, gauges averaged; `max` keeps the peak. */
  readonly reduce: 'sum' | 'mean' | 'max';
  readonly identityLabel: string;
  /**
   * False when that label does not name identities but things, such as jobs, that a resolver knows the owners
   * of: no identity is recorded for them. Default true.
   */
  readonly namesIdentities?: boolean;
  /**
   * `every_instant` (the default): an instant without a sample lowers the coverage. `any_instant`: the query
   * only asks who exists, so one instant that answered makes the day whole.
   */
  readonly expects?: 'every_instant' | 'any_instant';
  /** Label that holds the resource id; null when the query speaks of the whole tenant. */
  readonly resourceLabel: string | null;
}

/** The totals of one query on one UTC day, in columns: entry i of each array belongs together. */
export interface UsageTotals {
  /** Null when the query has no resource label. */
  readonly resourceIds: readonly string[] | null;
  readonly identityIds: readonly string[];
  /** Finite and not negative. */
  readonly values: readonly number[];
}

/**
 * `complete`: every sampling instant answered. `partial`: some did. `failed`: the source could not be
 * asked. `not_configured`: there is nothing to ask.
 */
export type UsageOutcome = 'complete' | 'partial' | 'failed' | 'not_configured';

/** What a metrics source answers for one query and one day. */
export interface UsageDay {
  readonly date: IsoDate;
  readonly queryKey: string;
  readonly totals: UsageTotals;
  readonly coverage: Coverage;
  readonly outcome: UsageOutcome;
  readonly problems: readonly Problem[];
}

/** The stored usage that an allocator sees: one query, one window, one resource. */
export interface Usage {
  /** Total per value of the identity label, in code-unit order of the keys. Zero totals are included. */
  readonly totals: ReadonlyMap<string, number>;
  readonly coverage: Coverage;
  readonly outcome: UsageOutcome;
}

/** Where usage comes from. */
export interface MetricsSource {
  /**
   * Answers every query for every UTC day of the window, in any order, each exactly once. A day that
   * cannot be answered is yielded with outcome `failed`; only an abort rejects.
   */
  usage(queries: readonly UsageQuery[], window: Window, signal: AbortSignal): AsyncIterable<UsageDay>;
}
