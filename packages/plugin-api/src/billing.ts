import type { Decimal, Money } from '@chargeback/money';
import type { Coverage } from './coverage.ts';
import type { Metadata } from './json.ts';
import type { Problem } from './problem.ts';
import type { Window } from './window.ts';

/** How long a line's window is: `hourly`, `daily`, `monthly`, or a name from `granularity_durations`. */
export type Granularity = string;

/** One line of a bill, the vendor's or constructed from metrics and rates. */
export interface BillingLineItem {
  /** Derived from content and stable when gathered again: never from a row's position. */
  readonly lineId: string;
  /** Start of the billed window, UTC. */
  readonly timestamp: Date;
  readonly granularity: Granularity;
  readonly resourceId: string | null;
  /** The generic sub-account; null where the ecosystem has none. */
  readonly environmentId: string | null;
  readonly productCategory: string;
  /** The routing key: which resolver and allocator handle the line. */
  readonly productType: string;
  readonly quantity: Decimal;
  readonly unitPrice: Decimal;
  readonly totalCost: Money;
  /** Coverage of the samples a constructed line was computed from; null for a vendor's line. */
  readonly coverage: Coverage | null;
  /**
   * What a constructed line's quantity was measured by: the query and its step, not the rate. It promises that
   * the cost is quantity × unit price, so that a new rate applies to a quantity whose samples are gone.
   */
  readonly definition?: string;
  /** Free-form; the source text of an amount that had to be rounded is kept here as `total_cost_source`. */
  readonly metadata: Metadata;
}

/**
 * The bill of a window of whole UTC days. It is authoritative: a stored line of the window that is not in
 * the batch is withdrawn.
 */
export interface BillingBatch {
  readonly window: Window;
  readonly lines: readonly BillingLineItem[];
  /** What kept this batch from being whole. A problem of severity `error` holds the days it names. */
  readonly problems: readonly Problem[];
}
