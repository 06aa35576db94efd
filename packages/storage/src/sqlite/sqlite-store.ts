import type {
  Aggregation,
  BillingLineItem,
  ChargebackRow,
  Identity,
  IdentityBatch,
  Inventory,
  IsoDate,
  Problem,
  ResourceBatch,
  Window,
} from '@chargeback/plugin-api';
import { dayNumberOf } from '../convert.ts';
import { KnownDimensions } from '../known-dimensions.ts';
import type { Owner } from '../migrations.ts';
import { startedRun } from '../queries/journal.ts';
import { NOTHING_REVIEWED } from '../queries/sightings.ts';
import type {
  DateRevision,
  Deletions,
  EmissionRecord,
  Lease,
  LeaseRequest,
  ListedTypes,
  PruneCounts,
  RunRecord,
  TenantState,
  TenantStateChange,
} from '../records.ts';
import type {
  CalculatedDay,
  DayUsage,
  DateState,
  GatheredDay,
  Lifetimes,
  ReconciliationGrouping,
  ReconciliationRow,
  RowDimension,
  RowTotal,
  SightingReview,
  Store,
  StoredDay,
} from '../store.ts';
import { lineResources, loadLines } from './billing-lines.ts';
import { saveCalculatedDay } from './calculated-day.ts';
import { confirmCalculations, loadDateStates, loadFirstDate } from './date-states.ts';
import { deleteUnlisted } from './deletions.ts';
import { Dimensions } from './dimensions.ts';
import { loadEmissions, saveEmission } from './emissions.ts';
import { loadDay, saveGatheredDay, saveUsageAlone } from './gathered-day.ts';
import { loadIdentities, loadInventory, loadLifetimes } from './inventory.ts';
import { acquireLease, assertLease, loadLease, releaseLease, renewLease } from './leases.ts';
import { Names } from './names.ts';
import { forgetErrors, loadProblems, replaceProblems } from './problems.ts';
import { countPrunable, pruneOldestDay, pruneRest } from './prune.ts';
import { reconcile } from './reconcile.ts';
import { loadRevisions } from './revisions.ts';
import { loadRows } from './rows.ts';
import { loadRuns, saveRun } from './runs.ts';
import { describeIdentities, mentionIdentities, saveIdentities, saveResources } from './save-inventory.ts';
import { hasDoubts, reviewSightings } from './sightings.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { loadTenantState, saveTenantState } from './tenant-state.ts';
import { loadTotals } from './totals.ts';
import { loadUsage, loadUsageCoverage } from './usage.ts';

/** A store in one SQLite file. Each method is one synchronous transaction; see the file of its concern. */
export class SqliteStore implements Store {
  readonly #database: SqliteDatabase;
  readonly #owner: Owner;
  readonly #names: Names;
  readonly #dimensions: Dimensions;
  readonly #known = new KnownDimensions();
  /** Who took the lease through this store; from then on it writes only under it, also after its release. */
  #holder: string | null = null;
  #leaseSeconds = 0;

  constructor(database: SqliteDatabase, owner: Owner) {
    this.#database = database;
    this.#owner = owner;
    this.#names = new Names(database);
    this.#dimensions = new Dimensions(database, this.#names);
    database.onRollback(() => this.#known.forget());
  }

  async saveResources(batch: ResourceBatch, seenAt: Date): Promise<void> {
    this.#held(() => saveResources(this.#database, batch, seenAt));
  }

  async saveIdentities(batch: IdentityBatch, seenAt: Date): Promise<void> {
    this.#held(() => saveIdentities(this.#database, batch, seenAt));
  }

  async observeIdentities(identities: readonly Identity[], firstSeen: Date): Promise<void> {
    this.#held(() => mentionIdentities(this.#database, identities, firstSeen));
  }

  async reviewSightings(things: readonly string[]): Promise<SightingReview> {
    if (!hasDoubts(this.#database)) return NOTHING_REVIEWED;
    return this.#held(() => reviewSightings(this.#database, things));
  }

  async loadInventory(window: Window): Promise<Inventory> {
    return loadInventory(this.#database, window);
  }

  async loadLifetimes(window: Window): Promise<Lifetimes> {
    return loadLifetimes(this.#database, window);
  }

  async describeIdentities(identities: readonly Identity[]): Promise<void> {
    this.#held(() => describeIdentities(this.#database, identities));
  }

  async saveGatheredDay(day: GatheredDay): Promise<DateState> {
    return this.#held(() => saveGatheredDay(this.#database, this.#names, day));
  }

  async saveUsage(day: DayUsage): Promise<void> {
    this.#held(() => saveUsageAlone(this.#database, this.#names, day));
  }

  async dateStates(window: Window): Promise<DateState[]> {
    return loadDateStates(this.#database, window);
  }

  async firstDate(): Promise<IsoDate | null> {
    return loadFirstDate(this.#database);
  }

  async loadDay(date: IsoDate): Promise<StoredDay | undefined> {
    return loadDay(this.#database, this.#names, date);
  }

  async loadLines(date: IsoDate): Promise<readonly BillingLineItem[]> {
    return this.#database.read(() => loadLines(this.#database, dayNumberOf(date)));
  }

  async lineResources(date: IsoDate): Promise<readonly string[]> {
    return this.#database.read(() => lineResources(this.#database, dayNumberOf(date)));
  }

  async loadUsage(date: IsoDate): ReturnType<Store['loadUsage']> {
    return this.#database.read(() => loadUsage(this.#database, this.#names, dayNumberOf(date)));
  }

  async usageCoverage(date: IsoDate): ReturnType<Store['usageCoverage']> {
    return loadUsageCoverage(this.#database, date);
  }

  async saveCalculatedDay(day: CalculatedDay): Promise<void> {
    this.#held(() => saveCalculatedDay(this.#database, this.#dimensions, day));
  }

  async confirmCalculations(runId: string): Promise<void> {
    this.#held(() => confirmCalculations(this.#database, runId));
  }

  async deleteUnlisted(listed: ListedTypes): Promise<Deletions> {
    return this.#held(() => deleteUnlisted(this.#database, listed));
  }

  async revisions(window: Window): Promise<DateRevision[]> {
    return loadRevisions(this.#database, window);
  }

  async acquireLease(request: LeaseRequest): Promise<Lease | null> {
    const other = acquireLease(this.#database, request);
    if (other === null) {
      this.#holder = request.holder;
      this.#leaseSeconds = request.seconds;
    }
    return other;
  }

  async renewLease(now: Date): Promise<void> {
    const holder = this.#holder;
    if (holder !== null) renewLease(this.#database, { holder, now, seconds: this.#leaseSeconds });
  }

  async releaseLease(holder: string): Promise<void> {
    releaseLease(this.#database, holder);
  }

  async lease(): Promise<Lease | null> {
    return this.#database.read(() => loadLease(this.#database));
  }

  async tenantState(): Promise<TenantState> {
    return loadTenantState(this.#database);
  }

  async saveTenantState(change: TenantStateChange): Promise<void> {
    this.#held(() => saveTenantState(this.#database, change));
  }

  async countPrunable(before: IsoDate): Promise<PruneCounts> {
    return countPrunable(this.#database, before);
  }

  async pruneOldestDay(before: IsoDate): Promise<boolean> {
    return this.#held(() => pruneOldestDay(this.#database, before));
  }

  async pruneRest(before: IsoDate): Promise<void> {
    this.#held(() => pruneRest(this.#database, before));
    this.#database.forgetCaches();
  }

  /** In the same transaction as the work: who has lost the lease writes nothing. */
  #held<Result>(work: () => Result): Result {
    return this.#database.write(() => {
      assertLease(this.#database, this.#holder);
      return work();
    });
  }

  async startRun(runId: string, startedAt: Date): Promise<void> {
    this.#held(() => saveRun(this.#database, startedRun(runId, startedAt)));
  }

  async finishRun(run: RunRecord): Promise<void> {
    this.#held(() => saveRun(this.#database, run));
  }

  async runs(limit: number): Promise<RunRecord[]> {
    return loadRuns(this.#database, limit);
  }

  async saveProblems(
    stage: 'gather' | 'calculate' | 'emit',
    dates: readonly IsoDate[],
    problems: readonly Problem[],
  ): Promise<void> {
    this.#held(() => replaceProblems(this.#database, { stage, dates, problems }));
  }

  async forgetErrors(...[stage, dates, codes]: Parameters<Store['forgetErrors']>): Promise<void> {
    this.#held(() => forgetErrors(this.#database, stage, { dates, codes }));
  }

  async problems(window: Window): Promise<Problem[]> {
    return loadProblems(this.#database, window);
  }

  async emissions(emitter: string): Promise<EmissionRecord[]> {
    return loadEmissions(this.#database, emitter);
  }

  async saveEmission(record: EmissionRecord): Promise<void> {
    this.#held(() => saveEmission(this.#database, record));
  }

  rows(window: Window, aggregation: Aggregation | null): AsyncIterable<readonly ChargebackRow[]> {
    const source = { database: this.#database, dimensions: this.#known, owner: this.#owner };
    return loadRows(source, window, aggregation);
  }

  async totals(window: Window, dimensions: readonly RowDimension[]): Promise<RowTotal[]> {
    return loadTotals(this.#database, window, dimensions);
  }

  async reconcile(window: Window, grouping: ReconciliationGrouping): Promise<ReconciliationRow[]> {
    return reconcile(this.#database, window, grouping);
  }

  async identities(identityIds: readonly string[]): Promise<ReadonlyMap<string, Identity>> {
    return loadIdentities(this.#database, identityIds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
  }
}
