import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Decimal, parseMoney } from '@chargeback/money';
import {
  API_VERSION,
  type BillingBatch,
  type BillingLineItem,
  type CostAllocator,
  daysOf,
  type Ecosystem,
  type EcosystemPlugin,
  type Identity,
  type Logger,
  type PluginSettingsBase,
  pluginSettingsBaseSchema,
  type Problem,
  type ProductRoute,
  type Resource,
  startOfDay,
  type UsageDay,
  type Window,
} from '@chargeback/plugin-api';
import { openStore, type Store } from '@chargeback/storage';
import {
  administer,
  createTestSchema,
  type TestDatabase,
} from '../../testkit/test/postgres/test-database.ts';
import {
  type ConfiguredEmitter,
  DEFAULT_LIMITS,
  NO_OVERRIDES,
  type RunOptions,
  runTenant,
  type TenantDefinition,
  type TenantLimits,
  type TenantOverrides,
  type TenantRun,
} from '../src/index.ts';

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

export function identity(identityId: string, identityType = 'principal'): Identity {
  return { identityId, identityType, displayName: null, createdAt: null, deletedAt: null, metadata: {} };
}

export function resource(
  resourceId: string,
  lifetime: Partial<Pick<Resource, 'createdAt' | 'deletedAt'>> = {},
): Resource {
  return {
    resourceId,
    resourceType: 'cluster',
    displayName: null,
    parentId: null,
    ownerId: null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
    ...lifetime,
  };
}

export function line(date: string, cost: string, overrides: Partial<BillingLineItem> = {}): BillingLineItem {
  const productType = overrides.productType ?? 'COMPUTE';
  return {
    lineId: `cluster-1/${productType}/${date}`,
    timestamp: startOfDay(date),
    granularity: 'daily',
    resourceId: 'cluster-1',
    environmentId: null,
    productCategory: 'platform',
    productType,
    quantity: new Decimal(1),
    unitPrice: new Decimal(cost),
    totalCost: parseMoney(cost, 'USD').amount,
    coverage: null,
    metadata: {},
    ...overrides,
  };
}

/** A world that tests change between runs: the source of bills, inventory and usage. */
export interface World {
  lines: BillingLineItem[];
  resources: Resource[];
  listingProblems?: Problem[];
  identities: Identity[];
  /** Whether the identities are the settings' own list. */
  settled?: true;
  usage: UsageDay[];
  routes: ProductRoute[];
  regather: Ecosystem['regather'];
  gatherKey: string;
  billingCalls: number;
  /** Yielded as they are instead of the lines, when given. */
  rawBatches?: BillingBatch[];
  /** Called before a window is billed; throws for a source that fails. */
  beforeBilling?: (window: Window) => void;
  /** Awaited before a window is billed. */
  waitBeforeBilling?: (signal: AbortSignal) => Promise<void>;
  /** Awaited before anything is listed. */
  waitBeforeListing?: (signal: AbortSignal) => Promise<void>;
  /** Days for which the metrics source was asked. */
  usageAsked?: string[];
  /** Kept out of the contract's `version` when absent. */
  version?: string;
  describe?: (name: string) => Identity;
  fallback: CostAllocator;
}

/** A tenant on a real database file whose ecosystem is the given world. */
export class TestTenant {
  readonly folder: string;
  readonly world: World;
  settings: PluginSettingsBase;
  limits: TenantLimits = { ...DEFAULT_LIMITS, timeoutSeconds: 0 };
  lookbackDays?: number;
  overrides: TenantOverrides = NO_OVERRIDES;
  /** As a plugin that did not come with the application. */
  thirdParty = false;
  emitters: ConfiguredEmitter[] = [];
  now = new Date('2026-03-01T12:00:00.000Z');
  /** Longer than the longest back-off, so that every run is a try that counts. */
  minutesBetweenRuns = 24 * 60 + 1;

  #database: TestDatabase | undefined;

  /** On SQLite, or on PostgreSQL in the part of the run that sets `TEST_DATABASE`. */
  static async create(world: World): Promise<TestTenant> {
    const tenant = new TestTenant(await mkdtemp(path.join(tmpdir(), 'chargeback-engine-')), world);
    if (process.env['TEST_DATABASE'] === 'postgres') tenant.#database = await createTestSchema();
    return tenant;
  }

  constructor(folder: string, world: World) {
    this.folder = folder;
    this.world = world;
    this.settings = pluginSettingsBaseSchema.parse({ min_refresh_gap_seconds: 0 });
  }

  /** Another process of the same tenant, on the same database. */
  twin(): TestTenant {
    const twin = new TestTenant(this.folder, { ...this.world });
    twin.#database = this.#database;
    return twin;
  }

  /** Puts something else where the database should be. */
  async breakDatabase(): Promise<void> {
    if (this.#database) {
      const [url = '', parameters] = this.#database.url.split('?');
      const schema = new URLSearchParams(parameters).get('schema');
      await administer(url, `create schema ${schema}; create table ${schema}.other (id integer)`);
    } else await writeFile(path.join(this.folder, 'chargeback.db'), 'no database at all');
  }

  openStore(): Promise<Store> {
    return openStore({
      connectionString: this.#database?.url ?? `sqlite:///${path.join(this.folder, 'chargeback.db')}`,
      ecosystem: 'test-world',
      tenantId: 'tenant-1',
      workingDirectory: this.folder,
    });
  }

  async run(window: Window, options: Partial<RunOptions> = {}): Promise<TenantRun> {
    this.now = new Date(this.now.getTime() + this.minutesBetweenRuns * 60_000);
    return runTenant(this.definition(), { ...this.runOptions(window), ...options });
  }

  runOptions(window: Window): RunOptions {
    return {
      window,
      regather: false,
      signal: new AbortController().signal,
      logger: silentLogger,
      onProgress: () => {},
      newId: randomUUID,
      wait: async (milliseconds, signal) => {
        await setTimeout(milliseconds, undefined, { signal });
      },
      elapsed: () => performance.now(),
      host: {
        clock: () => this.now,
        fetch: () => Promise.reject(new Error('no network in this test')),
        createFetch: () => () => Promise.reject(new Error('no network in this test')),
        resolvePath: (file) => file,
        random: () => 0.5,
        sleep: () => Promise.resolve(),
        concurrency: 4,
      },
    };
  }

  async withStore<Result>(work: (store: Store) => Promise<Result>): Promise<Result> {
    await using store = await this.openStore();
    return await work(store);
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    await this.#database?.drop();
  }

  definition(): TenantDefinition {
    return {
      name: 'tenant-one',
      tenantId: 'tenant-1',
      plugin: worldPlugin(this.world),
      settings: this.settings,
      limits: this.limits,
      ...(this.lookbackDays === undefined ? {} : { lookbackDays: this.lookbackDays }),
      overrides: this.overrides,
      thirdParty: this.thirdParty,
      openStore: () => this.openStore(),
      makeEmitters: () => this.emitters,
    };
  }
}

function worldPlugin(world: World): EcosystemPlugin {
  return {
    apiVersion: API_VERSION,
    ecosystem: 'test-world',
    ...(world.version === undefined ? {} : { version: world.version }),
    settings: pluginSettingsBaseSchema,
    create: () => Promise.resolve(ecosystemOf(world)),
  };
}

function ecosystemOf(world: World): Ecosystem {
  return {
    routes: world.routes,
    fallback: {
      productType: '*',
      usage: [],
      resolve: () => ({ resourceActive: [], metricsDerived: [] }),
      allocate: world.fallback,
    },
    regather: world.regather,
    gatherKey: world.gatherKey,
    async *billing(window, signal) {
      world.billingCalls += 1;
      world.beforeBilling?.(window);
      await world.waitBeforeBilling?.(signal);
      if (world.rawBatches) return yield* world.rawBatches;
      const inside = world.lines.filter(
        ({ timestamp }) => timestamp >= window.start && timestamp < window.end,
      );
      yield { window, lines: inside, problems: [] };
    },
    async *resources(_window, signal) {
      await world.waitBeforeListing?.(signal);
      const problems = world.listingProblems ?? [];
      yield { authoritativeFor: ['cluster'], resources: world.resources, problems };
    },
    async *identities() {
      const { identities, settled } = world;
      const own = [...new Set(identities.map(({ identityType }) => identityType))];
      yield settled
        ? { authoritativeFor: own, identities, settled }
        : { authoritativeFor: ['principal'], identities };
    },
    metrics: {
      async *usage(queries, window) {
        const days = new Set(daysOf(window));
        const keys = new Set(queries.map(({ key }) => key));
        (world.usageAsked ??= []).push(...days);
        yield* world.usage.filter(({ date, queryKey }) => days.has(date) && keys.has(queryKey));
      },
    },
    identityFromUsage: (name) => world.describe?.(name) ?? identity(name),
    async [Symbol.asyncDispose]() {},
  };
}

export function usageDay(
  date: string,
  totals: Readonly<Record<string, number>>,
  coverage = { samplesSeen: 24, samplesExpected: 24 },
): UsageDay {
  const outcome =
    coverage.samplesSeen === 0
      ? 'failed'
      : coverage.samplesSeen < coverage.samplesExpected
        ? 'partial'
        : 'complete';
  return {
    date,
    queryKey: 'bytes',
    totals: { resourceIds: null, identityIds: Object.keys(totals), values: Object.values(totals) },
    coverage,
    outcome,
    problems: [],
  };
}

export const FEBRUARY_FIRST: Window = {
  start: new Date('2026-02-01T00:00:00.000Z'),
  end: new Date('2026-02-02T00:00:00.000Z'),
};

export function daysFrom(first: string, count: number): Window {
  const start = startOfDay(first);
  return { start, end: new Date(start.getTime() + count * 86_400_000) };
}
