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
import { KnownDimensions } from '../known-dimensions.ts';
import type { Owner } from '../migrations.ts';
import { startedRun } from '../queries/journal.ts';
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
import { lineResources, loadBill } from './billing-lines.ts';
import { saveCalculatedDay } from './calculated-day.ts';
import { confirmCalculations, loadDateStates, loadFirstDate } from './date-states.ts';
import { deleteUnlisted } from './deletions.ts';
import { Dimensions } from './dimensions.ts';
import { loadEmissions, saveEmission } from './emissions.ts';
import { loadDay, loadDayUsage, saveGatheredDay, saveUsageAlone } from './gathered-day.ts';
import { loadIdentities, loadInventory, loadLifetimes } from './inventory.ts';
import { acquireLease, loadLease, releaseLease, renewLease } from './leases.ts';
import { Names } from './names.ts';
import { Partitions } from './partitions.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { forgetErrors, loadProblems, replaceProblems } from './problems.ts';
import { countPrunable, pruneOldestDay, pruneRest } from './prune.ts';
import { reconcile } from './reconcile.ts';
import { loadRevisions } from './revisions.ts';
import { loadRows } from './rows.ts';
import { loadRuns, saveRun } from './runs.ts';
import { describeIdentities, mentionIdentities, saveIdentities, saveResources } from './save-inventory.ts';
import { reviewSightings } from './sightings.ts';
import { loadTenantState, saveTenantState } from './tenant-state.ts';
import { loadTotals } from './totals.ts';
import { loadUsageCoverage } from './usage.ts';

/** A store in one schema of a PostgreSQL database. Each method is one transaction; see the file of its concern. */
export class PostgresStore implements Store {
  readonly #database: PostgresDatabase;
  readonly #owner: Owner;
  readonly #names: Names;
  readonly #dimensions: Dimensions;
  readonly #known = new KnownDimensions();
  readonly #partitions: Partitions;

  constructor(database: PostgresDatabase, owner: Owner) {
    this.#database = database;
    this.#owner = owner;
    this.#names = new Names(database);
    this.#dimensions = new Dimensions(database, this.#names);
    database.onForget(() => this.#known.forget());
    this.#partitions = new Partitions(database);
  }

  saveResources(batch: ResourceBatch, seenAt: Date): Promise<void> {
    return saveResources(this.#database, batch, seenAt);
  }

  saveIdentities(batch: IdentityBatch, seenAt: Date): Promise<void> {
    return saveIdentities(this.#database, batch, seenAt);
  }

  observeIdentities(identities: readonly Identity[], firstSeen: Date): Promise<void> {
    return mentionIdentities(this.#database, identities, firstSeen);
  }

  reviewSightings(things: readonly string[]): Promise<SightingReview> {
    return reviewSightings(this.#database, things);
  }

  loadInventory(window: Window): Promise<Inventory> {
    return loadInventory(this.#database, window);
  }

  loadLifetimes(window: Window): Promise<Lifetimes> {
    return loadLifetimes(this.#database, window);
  }

  describeIdentities(identities: readonly Identity[]): Promise<void> {
    return describeIdentities(this.#database, identities);
  }

  async saveGatheredDay(day: GatheredDay): Promise<DateState> {
    const target = { database: this.#database, names: this.#names, partitions: this.#partitions };
    return saveGatheredDay(target, day);
  }

  async saveUsage(day: DayUsage): Promise<void> {
    const target = { database: this.#database, names: this.#names, partitions: this.#partitions };
    await saveUsageAlone(target, day);
  }

  dateStates(window: Window): Promise<DateState[]> {
    return loadDateStates(this.#database, window);
  }

  firstDate(): Promise<IsoDate | null> {
    return loadFirstDate(this.#database);
  }

  async loadDay(date: IsoDate): Promise<StoredDay | undefined> {
    return loadDay(this.#database, this.#names, date);
  }

  async loadLines(date: IsoDate): Promise<readonly BillingLineItem[]> {
    return loadBill(this.#database, date);
  }

  async lineResources(date: IsoDate): Promise<readonly string[]> {
    return lineResources(this.#database, date);
  }

  async loadUsage(date: IsoDate): ReturnType<Store['loadUsage']> {
    return loadDayUsage(this.#database, this.#names, date);
  }

  async usageCoverage(date: IsoDate): ReturnType<Store['usageCoverage']> {
    return loadUsageCoverage(this.#database, date);
  }

  async saveCalculatedDay(day: CalculatedDay): Promise<void> {
    const target = {
      database: this.#database,
      names: this.#names,
      dimensions: this.#dimensions,
      partitions: this.#partitions,
    };
    await saveCalculatedDay(target, day);
  }

  confirmCalculations(runId: string): Promise<void> {
    const { build } = this.#database;
    return this.#database.held((session) => confirmCalculations({ session, build }, runId));
  }

  deleteUnlisted(listed: ListedTypes): Promise<Deletions> {
    return deleteUnlisted(this.#database, listed);
  }

  revisions(window: Window): Promise<DateRevision[]> {
    return loadRevisions(this.#database, window);
  }

  acquireLease(request: LeaseRequest): Promise<Lease | null> {
    return acquireLease(this.#database, request);
  }

  renewLease(now: Date): Promise<void> {
    return renewLease(this.#database, now);
  }

  releaseLease(holder: string): Promise<void> {
    return releaseLease(this.#database, holder);
  }

  lease(): Promise<Lease | null> {
    return loadLease(this.#database);
  }

  tenantState(): Promise<TenantState> {
    return loadTenantState(this.#database);
  }

  saveTenantState(change: TenantStateChange): Promise<void> {
    return saveTenantState(this.#database, change);
  }

  async countPrunable(before: IsoDate): Promise<PruneCounts> {
    return countPrunable(this.#database, before);
  }

  async pruneOldestDay(before: IsoDate): Promise<boolean> {
    return pruneOldestDay(this.#database, before);
  }

  pruneRest(before: IsoDate): Promise<void> {
    return pruneRest(this.#database, before);
  }

  startRun(runId: string, startedAt: Date): Promise<void> {
    return saveRun(this.#database, startedRun(runId, startedAt));
  }

  finishRun(run: RunRecord): Promise<void> {
    return saveRun(this.#database, run);
  }

  runs(limit: number): Promise<RunRecord[]> {
    return loadRuns(this.#database, limit);
  }

  saveProblems(
    stage: 'gather' | 'calculate' | 'emit',
    dates: readonly IsoDate[],
    problems: readonly Problem[],
  ): Promise<void> {
    const { build } = this.#database;
    return this.#database.held((session) => replaceProblems({ session, build }, { stage, dates, problems }));
  }

  forgetErrors(...[stage, dates, codes]: Parameters<Store['forgetErrors']>): Promise<void> {
    const { build } = this.#database;
    return this.#database.held((session) => forgetErrors({ session, build }, stage, { dates, codes }));
  }

  problems(window: Window): Promise<Problem[]> {
    return loadProblems(this.#database, window);
  }

  emissions(emitter: string): Promise<EmissionRecord[]> {
    return loadEmissions(this.#database, emitter);
  }

  async saveEmission(record: EmissionRecord): Promise<void> {
    await saveEmission(this.#database, record);
  }

  rows(window: Window, aggregation: Aggregation | null): AsyncIterable<readonly ChargebackRow[]> {
    const source = { database: this.#database, dimensions: this.#known, owner: this.#owner };
    return loadRows(source, window, aggregation);
  }

  totals(window: Window, dimensions: readonly RowDimension[]): Promise<RowTotal[]> {
    return loadTotals(this.#database, window, dimensions);
  }

  reconcile(window: Window, grouping: ReconciliationGrouping): Promise<ReconciliationRow[]> {
    return reconcile(this.#database, window, grouping);
  }

  identities(identityIds: readonly string[]): Promise<ReadonlyMap<string, Identity>> {
    return loadIdentities(this.#database, identityIds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close();
  }
}
