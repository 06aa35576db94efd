import type { Aggregation, IsoDate } from '@chargeback/plugin-api';

export type RunStatus = 'running' | 'completed' | 'failed' | 'interrupted' | 'timed_out' | 'suspended';

export interface RunRecord {
  readonly runId: string;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  readonly status: RunStatus;
  readonly datesGathered: number;
  readonly datesCalculated: number;
  readonly datesUnchanged: number;
  readonly datesHeld: number;
  readonly rowsWritten: number;
  /** Milliseconds by stage. */
  readonly stages: Readonly<Record<string, number>>;
}

/** What was handed to an emitter. */
export interface RecordedBatch {
  readonly batchId: string;
  readonly aggregation: Aggregation | null;
  /** What the emitter recognizes it by at the destination; null when it said nothing. */
  readonly mark: string | null;
}

export interface EmissionRecord {
  readonly emitter: string;
  /** First day of the period that was emitted. */
  readonly period: IsoDate;
  readonly aggregation: Aggregation | null;
  /** Batch id of the last emission that succeeded; null when none has. */
  readonly batchId: string | null;
  /** What the emitter recognizes that batch by at the destination; null when it said nothing. */
  readonly mark: string | null;
  /**
   * Batches that may be at the destination too: such whose outcome nobody recorded, and former ones that are still to
   * be taken back.
   */
  readonly others: readonly RecordedBatch[];
  /**
   * `pending`: one of the others was about to be put there. `closed`: retention has removed a part of the period, so
   * it is emitted no more. `withdrawn`: batches of another aggregation show what it showed.
   */
  readonly status: 'emitted' | 'pending' | 'failed' | 'closed' | 'withdrawn';
  /** Tries since the last success, this one included. */
  readonly attempts: number;
  readonly emittedAt: Date;
}

/** Who may work on the tenant. One process at a time; a dead one's lease expires. */
export interface Lease {
  readonly holder: string;
  readonly acquiredAt: Date;
  readonly expiresAt: Date;
}

export interface LeaseRequest {
  readonly holder: string;
  readonly now: Date;
  readonly seconds: number;
  /** A holder that is known to be dead: its lease need not expire first. */
  readonly over?: string;
}

/** What a tenant remembers between runs, whatever the days. */
export interface TenantState {
  /** Runs in a row in which nothing could be gathered. */
  readonly gatherFailures: number;
  /** Null: not suspended. */
  readonly suspendedAt: Date | null;
  readonly suspendedBecause: string | null;
  /** When the worker means to run next; null when none does. */
  readonly nextRunAt: Date | null;
  /** Retention has removed days before this one; null when it has removed none. */
  readonly prunedBefore: IsoDate | null;
}

/** What is set from outside: what retention removed only a removal says. */
export type TenantStateChange = Partial<Omit<TenantState, 'prunedBefore'>>;

/** Exact sums of one day in one currency, in ledger units. */
export interface RevisionTotals {
  readonly billed: bigint;
  readonly allocated: bigint;
  readonly unallocated: bigint;
  readonly retained: bigint;
}

/** A day whose rows were replaced by others: when, why, and what it came to before and after. */
export interface DateRevision {
  readonly date: IsoDate;
  readonly revisedAt: Date;
  readonly runId: string;
  readonly reason: string;
  readonly currency: string;
  readonly before: RevisionTotals;
  readonly after: RevisionTotals;
}

/** Types of which a listing was authoritative, and when it was made. */
export interface ListedTypes {
  readonly kind: 'resource' | 'identity';
  readonly types: readonly string[];
  /** The instant that everything listed was saved with. */
  readonly seenAt: Date;
  /**
   * A type of which the listing named nothing is believed at the n-th time in a row; -1: never. Types of which
   * it named something are believed at once.
   */
  readonly emptyThreshold: number;
  /** The listing speaks of every type that was ever listed, whether or not it is named here. */
  readonly everyType?: boolean;
}

export interface Deletions {
  readonly deleted: number;
  /** Types of which nothing was listed although things of them are known, and which are not believed yet. */
  readonly doubted: readonly string[];
}

/** What retention removes, or would. */
export interface PruneCounts {
  readonly days: number;
  readonly lines: number;
  readonly rows: number;
  readonly usageRows: number;
}

/** Tries of a line that failed or lacked its inputs. */
export interface LineAttempts {
  readonly count: number;
  /** When the last counted try was. */
  readonly triedAt: Date;
}
