import type { Decimal } from '@chargeback/money';
import type {
  Aggregation,
  AllocationDetail,
  BillingLineItem,
  ChargebackRow,
  CostType,
  Coverage,
  ErrorCode,
  Identity,
  IdentityBatch,
  Inventory,
  IsoDate,
  Problem,
  Resource,
  ResourceBatch,
  TierAttempt,
  UsageDay,
  UsageOutcome,
  Window,
} from '@chargeback/plugin-api';
import type { BilledLine } from './queries/billing-lines.ts';

/** An answer with the digest of the question, so that a later answer can be told from one to another question. */
export interface GatheredUsage extends UsageDay {
  readonly definition?: string;
  /**
   * What it replaces was a mistake, not only less: whoever was known by that alone never existed. See
   * {@link Store.reviewSightings}.
   */
  readonly corrects?: boolean;
}

/** How well a stored query was answered. */
export interface UsageSummary {
  readonly coverage: Coverage;
  readonly outcome: UsageOutcome;
  /** Empty when the answer was stored without one. */
  readonly definition: string;
}

import type {
  DateRevision,
  Deletions,
  EmissionRecord,
  Lease,
  LeaseRequest,
  LineAttempts,
  ListedTypes,
  PruneCounts,
  RunRecord,
  TenantState,
  TenantStateChange,
} from './records.ts';

/** What came of a review: identities that are known no more, and such that begin later. */
export interface SightingReview {
  readonly removed: number;
  readonly moved: number;
}

/** One entry for each lifetime, in order of id and then of time: what was deleted and came back has two. */
export interface Lifetimes {
  readonly resources: readonly Resource[];
  readonly identities: readonly Identity[];
}

/** The inputs of one UTC day, written together in one transaction. */
export interface GatheredDay {
  readonly date: IsoDate;
  /** The whole bill of the day: stored lines that are not here are withdrawn. */
  readonly lines: readonly BillingLineItem[];
  /** Replaces the stored usage of each query named; queries not named keep what they have. */
  readonly usage: readonly GatheredUsage[];
  /** Identities seen in the day's metrics: they exist from this day or an earlier one. */
  readonly observed?: readonly Identity[];
  /** Digest of the settings that decide what is gathered. */
  readonly gatherFingerprint: string;
  /** True when nothing is missing, so that a source that does not restate need not be asked again. */
  readonly complete: boolean;
  readonly gatheredAt: Date;
  /** Replace the problems recorded for gathering the day, unless absent: whatever breaks off, they fit the inputs. */
  readonly problems?: readonly Problem[];
}

/** What is known of a day that has no bill yet, or keeps the one it has. */
export type DayUsage = Pick<GatheredDay, 'date' | 'usage' | 'observed' | 'problems'>;

/** `gathered`: inputs stored, not calculated. `held`: calculated in part. `calculated`: every line has its rows. */
export type DateStateName = 'gathered' | 'held' | 'calculated';

export interface DateState {
  readonly date: IsoDate;
  readonly state: DateStateName;
  readonly gatherFingerprint: string;
  readonly complete: boolean;
  readonly gatheredAt: Date;
  /** Digest of the stored lines and usage, whatever order they arrived in. */
  readonly inputDigest: string;
  /** Digest of everything the last calculation depended on; null before the first. */
  readonly calculationFingerprint: string | null;
  /** Identifies the last calculation's result; null before the first. Emissions are keyed by it. */
  readonly calculationId: string | null;
  readonly calculatedAt: Date | null;
  /** The last calculation was written before all was gathered, and has not been confirmed. */
  readonly provisional: boolean;
  readonly lineCount: number;
  readonly rowCount: number;
  readonly heldLineCount: number;
  /** Lines whose allocation failed and whose cost went to UNALLOCATED. */
  readonly failedLineCount: number;
}

/** Stored usage of one query on one day. */
export interface StoredUsage extends UsageSummary {
  readonly queryKey: string;
  readonly resourceIds: readonly string[] | null;
  readonly identityIds: readonly string[];
  readonly values: readonly number[];
}

/** The bill of a day as it was read: where the rows of its lines belong, and what they must add up to. */
export interface ReadBill {
  readonly linesDigest: string;
  /** By line id. They are its own: whoever was handed the lines of the day may have changed those. */
  readonly lines: ReadonlyMap<string, BilledLine>;
}

export interface StoredDay {
  readonly date: IsoDate;
  /** From a database that is a way off. */
  readonly bill?: ReadBill | undefined;
  /** Sorted by line id. */
  readonly lines: readonly BillingLineItem[];
  readonly usage: ReadonlyMap<string, StoredUsage>;
  /** Failed tries per line id; survives gathering. */
  readonly attempts: ReadonlyMap<string, LineAttempts>;
}

/** One portion of a line with its rows in columns: entry i of each array belongs together. */
export interface CalculatedPortion {
  readonly costType: CostType;
  readonly method: string;
  readonly detail: AllocationDetail | null;
  readonly chainTier: number | null;
  readonly compositionIndex: number | null;
  readonly compositionRatio: Decimal | null;
  readonly tiersTried: readonly TierAttempt[];
  readonly identityIds: readonly string[];
  /** Ledger units. */
  readonly units: readonly bigint[];
  /** Share of the portion, 0 to 1, for audit only: never multiplied with money. */
  readonly ratios: readonly number[];
}

export interface CalculatedLine {
  readonly lineId: string;
  /** `held`: no rows yet, the line is tried again; its whole cost is pending. */
  readonly state: 'allocated' | 'held';
  readonly retainedUnits: bigint;
  readonly portions: readonly CalculatedPortion[];
  /** Failed tries so far, this one included; 0 removes the counter. */
  readonly attempts: number;
}

/** The result for one day: replaces the day's rows in one transaction. */
export interface CalculatedDay {
  readonly date: IsoDate;
  /** What was calculated from, as {@link StoredDay} has it: not read again while it is the stored one. */
  readonly bill?: ReadBill | undefined;
  readonly state: 'held' | 'calculated';
  readonly calculationFingerprint: string;
  readonly calculationId: string;
  readonly calculatedAt: Date;
  readonly runId: string;
  /** Written before all was gathered: what replaces it is no revision, unless it was confirmed. */
  readonly provisional?: boolean;
  /** Why the day is calculated again; recorded when its rows change. */
  readonly reason?: string;
  readonly lines: readonly CalculatedLine[];
  /** Replace the problems recorded for the day's calculation. */
  readonly problems: readonly Problem[];
}

/** Columns that rows can be grouped by. */
export type RowDimension =
  | 'date'
  | 'month'
  | 'resource_id'
  | 'environment_id'
  | 'product_category'
  | 'product_type'
  | 'identity_id'
  | 'cost_type'
  | 'allocation_method'
  | 'allocation_detail';

export interface RowTotal {
  /** One value per dimension asked for, in that order. */
  readonly key: readonly (string | null)[];
  readonly currency: string;
  readonly units: bigint;
  readonly rowCount: number;
}

export type ReconciliationGrouping = 'line' | 'day' | 'month';

/** `billed = allocated + retained + held` exactly, or `difference` says by how much not. Ledger units. */
export interface ReconciliationRow {
  /** Line id, day (`2026-02-01`) or month (`2026-02`). */
  readonly key: string;
  readonly date: IsoDate;
  readonly currency: string;
  readonly billed: bigint;
  readonly allocated: bigint;
  /** Part of `allocated` that went to UNALLOCATED. */
  readonly unallocated: bigint;
  readonly retained: bigint;
  /** Cost of lines that are not calculated yet. */
  readonly held: bigint;
  readonly difference: bigint;
  /** Lines that are held, also those whose cost is not known and stands at 0. */
  readonly heldLines: number;
}

/**
 * Everything one tenant remembers. A database belongs to one tenant. Each method is one transaction; no
 * provider is ever called inside one.
 */
export interface Store extends AsyncDisposable {
  /** Adds and updates what a listing returned. Does not delete what it did not. */
  saveResources(batch: ResourceBatch, seenAt: Date): Promise<void>;
  saveIdentities(batch: IdentityBatch, seenAt: Date): Promise<void>;
  /**
   * Records identities that a listing mentions. One that is not known yet exists from `firstSeen`; one known only
   * from metrics has its beginning moved to the earlier of the two.
   */
  observeIdentities(identities: readonly Identity[], firstSeen: Date): Promise<void>;
  /**
   * Looks up whom stored usage still names of those whose sighting was corrected since the last review: others go,
   * and who was seen later than was said begins later. Whom a listing names or mentions stays, and so does who was
   * known before the days that retention has left. Without corrections nothing is looked up or written.
   * @param things keys of the queries whose names are not identities.
   */
  reviewSightings(things: readonly string[]): Promise<SightingReview>;
  /** Gives identities known only from metrics another type, name and metadata. */
  describeIdentities(identities: readonly Identity[]): Promise<void>;
  /** Ends the lifetimes of what a whole listing, saved before, no longer names. */
  deleteUnlisted(listed: ListedTypes): Promise<Deletions>;
  /** Everything whose lifetime overlaps the window, in order of id. */
  loadInventory(window: Window): Promise<Inventory>;
  /** Every lifetime of every resource, and the lifetimes of identities that overlap the window. */
  loadLifetimes(window: Window): Promise<Lifetimes>;

  saveGatheredDay(day: GatheredDay): Promise<DateState>;
  /** Writes usage of a day whose bill is still to come. A bill that is stored stays, and is calculated again. */
  saveUsage(day: DayUsage): Promise<void>;
  /** States of the days that have inputs, ascending. */
  dateStates(window: Window): Promise<DateState[]>;
  /** The first day that has inputs; null when none has. */
  firstDate(): Promise<IsoDate | null>;
  /** Undefined when the day has no inputs. */
  loadDay(date: IsoDate): Promise<StoredDay | undefined>;
  /** The stored bill of a day, sorted by line id; empty when the day has no inputs. */
  loadLines(date: IsoDate): Promise<readonly BillingLineItem[]>;
  /** Ids of the resources that the day's bill names. */
  lineResources(date: IsoDate): Promise<readonly string[]>;
  /** Stored usage of a day by query, also when the day has no bill. */
  loadUsage(date: IsoDate): Promise<ReadonlyMap<string, StoredUsage>>;
  /** Coverage of each stored query of a day, without its rows. */
  usageCoverage(date: IsoDate): Promise<ReadonlyMap<string, UsageSummary>>;
  saveCalculatedDay(day: CalculatedDay): Promise<void>;
  /** Makes what is provisional the result of a run. */
  confirmCalculations(runId: string): Promise<void>;

  /** Days whose rows were replaced, newest revision first. */
  revisions(window: Window): Promise<DateRevision[]>;

  /**
   * Takes the tenant's lease or prolongs it and returns null, or returns the lease of another holder. From then
   * on this store writes only while it holds the lease: else `CB_STORAGE_LEASE`, and nothing is written. What
   * never took a lease, such as a command of the operator, writes without one.
   */
  acquireLease(request: LeaseRequest): Promise<Lease | null>;
  /**
   * Prolongs the lease taken through this store. Rejects with `CB_STORAGE_LEASE` once another has taken it,
   * also when that one has given it back since: what this store's user knows is then out of date.
   */
  renewLease(now: Date): Promise<void>;
  releaseLease(holder: string): Promise<void>;
  /** Whoever holds it, expired or not. */
  lease(): Promise<Lease | null>;
  tenantState(): Promise<TenantState>;
  /** Changes the fields named. */
  saveTenantState(change: TenantStateChange): Promise<void>;

  /** What lies before a day. */
  countPrunable(before: IsoDate): Promise<PruneCounts>;
  /**
   * Removes the oldest day before `before` with all that belongs to it, and remembers that days up to it are gone;
   * false when there is none.
   */
  pruneOldestDay(before: IsoDate): Promise<boolean>;
  /** Removes runs, emissions, problems and inventory that ended before a day, and names that nothing uses. */
  pruneRest(before: IsoDate): Promise<void>;

  startRun(runId: string, startedAt: Date): Promise<void>;
  finishRun(run: RunRecord): Promise<void>;
  /** Newest first. */
  runs(limit: number): Promise<RunRecord[]>;
  /** Replaces the problems of a stage on the days named, or without a day when the list is empty. */
  saveProblems(
    stage: 'gather' | 'calculate' | 'emit',
    dates: readonly IsoDate[],
    problems: readonly Problem[],
  ): Promise<void>;
  /** Removes the problems with these codes of a stage on the days named; others stay. */
  forgetErrors(
    stage: 'gather' | 'calculate' | 'emit',
    dates: readonly IsoDate[],
    codes: readonly ErrorCode[],
  ): Promise<void>;
  /** Open problems, those without a day first, then by day. */
  problems(window: Window): Promise<Problem[]>;

  emissions(emitter: string): Promise<EmissionRecord[]>;
  saveEmission(record: EmissionRecord): Promise<void>;

  /**
   * Rows of the window, added up over what is not a column, in chunks, in code-unit order of the columns.
   * `daily` and `monthly` add up over the period; `allocationDetail` is then null where it differs.
   */
  rows(window: Window, aggregation: Aggregation | null): AsyncIterable<readonly ChargebackRow[]>;
  /** Exact totals of rows whose day is in the window, largest first. */
  totals(window: Window, dimensions: readonly RowDimension[]): Promise<RowTotal[]>;
  reconcile(window: Window, grouping: ReconciliationGrouping): Promise<ReconciliationRow[]>;
  /** Display facts of the identities named. */
  identities(identityIds: readonly string[]): Promise<ReadonlyMap<string, Identity>>;
}

export interface OpenStoreOptions {
  /**
   * `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or
   * `postgresql://user:password@host:port/database?parameters`.
   */
  readonly connectionString: string;
  readonly ecosystem: string;
  readonly tenantId: string;
  /** Folder that relative database paths start from. */
  readonly workingDirectory: string;
}
