import type { Money } from '@chargeback/money';
import type { z } from 'zod';
import type { CostType } from './allocation.ts';
import type { AllocationDetail } from './allocation-detail.ts';
import type { Logger } from './logger.ts';
import type { Fetch } from './plugin.ts';
import type { Window } from './window.ts';

/** A row as it leaves the engine: one identity's share, added up over whatever is not a column here. */
export interface ChargebackRow {
  readonly ecosystem: string;
  readonly tenantId: string;
  /** Start of the line's window, or of the aggregation period. */
  readonly timestamp: Date;
  readonly resourceId: string | null;
  readonly environmentId: string | null;
  readonly productCategory: string;
  readonly productType: string;
  readonly identityId: string;
  readonly costType: CostType;
  readonly amount: Money;
  readonly allocationMethod: string | null;
  /** Null where the aggregation mixes several. */
  readonly allocationDetail: AllocationDetail | null;
}

export type Aggregation = 'hourly' | 'daily' | 'monthly';

/** The rows of one period for one emitter. Emitting a batch twice leaves one batch at the destination. */
export interface EmissionBatch {
  /** Derived from the calculations inside: the same content has the same id. */
  readonly batchId: string;
  readonly ecosystem: string;
  readonly tenantId: string;
  /** The day, or the month for monthly aggregation. */
  readonly period: Window;
  readonly aggregation: Aggregation | null;
  /** In chunks, in the order of the columns; may be read once. */
  readonly rows: AsyncIterable<readonly ChargebackRow[]>;
  /**
   * Await it when everything is prepared, right before others can see the change: it rejects when another process
   * has taken over the tenant, whose batches are newer, and the destination must then stay as it is. Give it the mark
   * that the receipt will have, as far as it is known: should the process die before the receipt is recorded, the
   * batch is found by it, also with other settings.
   */
  readonly confirm: (mark?: string) => Promise<void>;
}

/** Names a batch without its rows. */
export interface EmittedBatch {
  readonly batchId: string;
  readonly tenantId: string;
  /** The day, or the month for monthly aggregation. */
  readonly period: Window;
  readonly aggregation: Aggregation | null;
  /** What the receipt of the batch said; null when it said nothing. */
  readonly mark: string | null;
}

/** What the destination confirms; compared with what was sent. */
export interface EmissionReceipt {
  readonly rowCount: number;
  /** Ledger units by currency. */
  readonly totals: ReadonlyMap<Money['currency'], bigint>;
  /**
   * By what the batch can be recognized at the destination later, such as a digest: kept in the database and given
   * back to `holds`, `place` and `withdraw`. Never a secret.
   */
  readonly mark?: string;
}

export interface Emitter {
  /** What it writes to, such as a file with its placeholders: two emitters with the same one are refused. */
  readonly destination?: string;
  /**
   * Up to how many batches may be emitted at the same time: another is prepared while one is written. Default: 1, and
   * so for whatever shows several periods in one place.
   */
  readonly batchesAtOnce?: number;
  emit(batch: EmissionBatch, signal: AbortSignal): Promise<EmissionReceipt>;
  /**
   * Whether the destination still has this batch as it would be written now. Asked before a period that was
   * emitted is passed over: one that is gone, or was written with other settings, is emitted again. Without
   * this method what was emitted once is taken to be there. A mark says that it is there and by what it is recognized
   * from now on.
   */
  holds?(batch: EmittedBatch): Promise<boolean | { readonly mark: string }>;
  /**
   * Where a batch is, such as the path of its file: equal texts are one place. A batch whose place another one has
   * taken over, also of another emitter of the tenant, is not withdrawn; one of the same period at another place is.
   * Null when its mark does not say.
   */
  place?(batch: EmittedBatch): string | null;
  /**
   * Removes what it left for a batch when `by` now shows the same costs, else they would stand at the destination
   * twice: a day whose month is there after a change of the aggregation, or what was written under another name.
   * Leaves alone whatever is no longer as it was written. Resolves with null when nothing of the batch is left, or
   * names what somebody must remove because nobody can tell whether it is the batch; it is asked again at the next
   * run. Without this method the old batch stays, and a warning is logged.
   */
  withdraw?(batch: EmittedBatch, by: EmittedBatch): Promise<string | null>;
  /**
   * Called at the end of every run, after its last batch and also when there was none: brings up to date what
   * shows several periods at once.
   */
  finish?(aggregation: Aggregation | null, signal: AbortSignal): Promise<void>;
  /** What it shows now, in the Prometheus text format without timestamps, for the engine's HTTP server. */
  exposition?(): Promise<string>;
}

/** How an emitter is made; found by the `type` of an emitter spec. */
export interface EmitterPlugin<Params = unknown> {
  readonly type: string;
  readonly params: z.ZodType<Params>;
  create(params: Params, host: EmitterHost): Emitter;
}

export interface EmitterHost {
  readonly logger: Logger;
  readonly tenantId: string;
  readonly ecosystem: string;
  readonly fetch: Fetch;
  readonly clock: () => Date;
  /** Resolves after the delay, rejects when the signal aborts. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}
