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
import type { Owner } from '../migrations.ts';
import { startedRun } from '../queries/journal.ts';
import type {
  CalculatedDay,
  DateState,
  EmissionRecord,
  GatheredDay,
  Lifetimes,
  ReconciliationGrouping,
  ReconciliationRow,
  RowDimension,
  RowTotal,
  RunRecord,
  Store,
  StoredDay,
} from '../store.ts';
import { lineResources, loadLines } from './billing-lines.ts';
import { saveCalculatedDay } from './calculated-day.ts';
import { loadDateStates, loadFirstDate } from './date-states.ts';
import { Dimensions } from './dimensions.ts';
import { loadEmissions, saveEmission } from './emissions.ts';
import { loadDay, saveGatheredDay } from './gathered-day.ts';
import { loadIdentities, loadInventory, loadLifetimes } from './inventory.ts';
import { Names } from './names.ts';
import { loadProblems, replaceProblems } from './problems.ts';
import { reconcile } from './reconcile.ts';
import { loadRows } from './rows.ts';
import { loadRuns, saveRun } from './runs.ts';
import { describeIdentities, observeIdentities, saveIdentities, saveResources } from './save-inventory.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { loadTotals } from './totals.ts';
import { loadUsageCoverage } from './usage.ts';

/** A store in one SQLite file. Each method is one synchronous transaction; see the file of its concern. */
export class SqliteStore implements Store {
  readonly #database: SqliteDatabase;
  readonly #owner: Owner;
  readonly #names: Names;
  readonly #dimensions: Dimensions;

  constructor(database: SqliteDatabase, owner: Owner) {
    this.#database = database;
    this.#owner = owner;
    this.#names = new Names(database);
    this.#dimensions = new Dimensions(database, this.#names);
  }

  async saveResources(batch: ResourceBatch, seenAt: Date): Promise<void> {
    saveResources(this.#database, batch, seenAt);
  }

  async saveIdentities(batch: IdentityBatch, seenAt: Date): Promise<void> {
    saveIdentities(this.#database, batch, seenAt);
  }

  async observeIdentities(identities: readonly Identity[], firstSeen: Date): Promise<void> {
    observeIdentities(this.#database, identities, firstSeen);
  }

  async loadInventory(window: Window): Promise<Inventory> {
    return loadInventory(this.#database, window);
  }

  async loadLifetimes(window: Window): Promise<Lifetimes> {
    return loadLifetimes(this.#database, window);
  }

  async describeIdentities(identities: readonly Identity[]): Promise<void> {
    describeIdentities(this.#database, identities);
  }

  async saveGatheredDay(day: GatheredDay): Promise<DateState> {
    return saveGatheredDay(this.#database, this.#names, day);
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
    const lines = this.#database.read(() => loadLines(this.#database, dayNumberOf(date)));
    return lines.map(({ line }) => line);
  }

  async lineResources(date: IsoDate): Promise<readonly string[]> {
    return this.#database.read(() => lineResources(this.#database, dayNumberOf(date)));
  }

  async usageCoverage(date: IsoDate): ReturnType<Store['usageCoverage']> {
    return loadUsageCoverage(this.#database, date);
  }

  async saveCalculatedDay(day: CalculatedDay): Promise<void> {
    saveCalculatedDay(this.#database, this.#dimensions, day);
  }

  async startRun(runId: string, startedAt: Date): Promise<void> {
    saveRun(this.#database, startedRun(runId, startedAt));
  }

  async finishRun(run: RunRecord): Promise<void> {
    saveRun(this.#database, run);
  }

  async runs(limit: number): Promise<RunRecord[]> {
    return loadRuns(this.#database, limit);
  }

  async saveProblems(
    stage: 'gather' | 'calculate' | 'emit',
    dates: readonly IsoDate[],
    problems: readonly Problem[],
  ): Promise<void> {
    this.#database.write(() => replaceProblems(this.#database, { stage, dates, problems }));
  }

  async problems(window: Window): Promise<Problem[]> {
    return loadProblems(this.#database, window);
  }

  async emissions(emitter: string): Promise<EmissionRecord[]> {
    return loadEmissions(this.#database, emitter);
  }

  async saveEmission(record: EmissionRecord): Promise<void> {
    saveEmission(this.#database, record);
  }

  rows(window: Window, aggregation: Aggregation | null): AsyncIterable<readonly ChargebackRow[]> {
    const source = { database: this.#database, names: this.#names, owner: this.#owner };
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
