import { setTimeout as delay } from 'node:timers/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findEmitter } from '@chargeback/emitters';
import { type ConfiguredEmitter, DEFAULT_LIMITS, runTenant, type TenantRun } from '@chargeback/engine';
import type { Fetch, Logger, Window } from '@chargeback/plugin-api';
import { register } from '@chargeback/plugin-ccloud';
import { openStore, type Store } from '@chargeback/storage';

const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

interface TenantOptions {
  readonly fetch: Fetch;
  readonly now: Date;
  readonly settings?: object;
  /** A file of its own when not given. */
  readonly connectionString?: string;
  /** Where CSV files are written; none are when not given. */
  readonly csvFolder?: string;
}

/** A tenant whose organization answers through the given fetch; the real plugin, engine and database. */
export class ConfluentTenant {
  readonly #folder: string;
  readonly #connectionString: string;
  readonly #csvFolder: string | undefined;
  readonly #fetch: Fetch;
  readonly #settings: object;
  #slept = 0;
  secret = 'SECRET';
  /** What the clock shows; waiting moves it on. */
  now: Date;

  static async create(options: TenantOptions): Promise<ConfluentTenant> {
    return new ConfluentTenant(await mkdtemp(path.join(tmpdir(), 'chargeback-confluent-')), options);
  }

  constructor(folder: string, { fetch, now, settings = {}, connectionString, csvFolder }: TenantOptions) {
    this.#folder = folder;
    this.#connectionString = connectionString ?? `sqlite:///${path.join(folder, 'chargeback.db')}`;
    this.#csvFolder = csvFolder;
    this.#fetch = fetch;
    this.#settings = settings;
    this.now = now;
  }

  readonly clock = (): Date => new Date(this.now.getTime() + this.#slept);

  async run(window: Window): Promise<TenantRun> {
    const plugin = register();
    let ids = 0;
    return runTenant(
      {
        name: 'confluent',
        tenantId: 'tenant-1',
        plugin,
        settings: plugin.settings.parse({
          ccloud_api: { key: 'KEY', secret: this.secret },
          partial_period: 'allocate_full',
          min_refresh_gap_seconds: 0,
          ...this.#settings,
        }),
        limits: { ...DEFAULT_LIMITS, retentionDays: 36_500 },
        openStore: () => this.#open(),
        makeEmitters: () => this.#emitters(),
      },
      {
        window,
        regather: false,
        signal: new AbortController().signal,
        logger: silentLogger,
        wait: waitFor,
        elapsed: () => performance.now(),
        onProgress: () => {},
        newId: () => `run-${this.now.getTime()}-${(ids += 1)}`,
        host: {
          clock: this.clock,
          fetch: this.#fetch,
          createFetch: () => this.#fetch,
          resolvePath: (file) => file,
          random: () => 0.5,
          // Nobody waits in a test: the clock does.
          sleep: async (milliseconds, signal) => {
            signal.throwIfAborted();
            this.#slept += milliseconds;
            await Promise.resolve();
          },
          concurrency: 4,
        },
      },
    );
  }

  async withStore<Result>(work: (store: Store) => Promise<Result>): Promise<Result> {
    await using store = await this.#open();
    return await work(store);
  }

  /** Everything that was calculated, in a form that can be compared. */
  rows(window: Window): Promise<string[]> {
    return this.withStore(async (store) => {
      const totals = await store.totals(window, [
        'date',
        'environment_id',
        'resource_id',
        'product_category',
        'product_type',
        'identity_id',
        'cost_type',
        'allocation_method',
        'allocation_detail',
      ]);
      return totals.map(({ key, units, rowCount }) => `${key.join('|')} ${units} ${rowCount}`).toSorted();
    });
  }

  #emitters(): ConfiguredEmitter[] {
    if (this.#csvFolder === undefined) return [];
    const csv = findEmitter('csv');
    const host = {
      logger: silentLogger,
      tenantId: 'tenant-1',
      ecosystem: 'ccloud',
      fetch,
      clock: () => new Date(),
      sleep: async () => {},
    };
    const emitter = csv.create(csv.params.parse({ output_dir: this.#csvFolder }), host);
    return [{ name: 'csv', aggregation: 'daily', lookbackDays: null, emitter }];
  }

  #open(): Promise<Store> {
    return openStore({
      connectionString: this.#connectionString,
      ecosystem: 'ccloud',
      tenantId: 'tenant-1',
      workingDirectory: this.#folder,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}
