import { setTimeout as delay } from 'node:timers/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Decimal, formatMoney, parseMoney } from '@chargeback/money';
import {
  API_VERSION,
  type BillingLineItem,
  type Ecosystem,
  type EcosystemPlugin,
  type Identity,
  type Logger,
  type PluginHost,
  type PluginSettingsBase,
  pluginSettingsBaseSchema,
  type Resource,
  startOfDay,
  type UsageDay,
  type Window,
} from '@chargeback/plugin-api';
import {
  DEFAULT_LIMITS,
  type ConfiguredEmitter,
  runTenant,
  type TenantRun,
} from '../../../packages/engine/src/index.ts';
import { openStore, type Store } from '../../../packages/storage/src/index.ts';
import { orgWideSettingsSchema } from '../src/products/org-wide.ts';
import { productRoutes, type RouteSettings } from '../src/products/product-table.ts';
import { SENTINELS, unlistedIdentity } from '../src/resolution/sentinels.ts';

export const DAY = '2026-02-01';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export function host(overrides: Partial<PluginHost> = {}): PluginHost {
  const noNetwork = () => Promise.reject(new Error('no network in this test'));
  return {
    logger: silent,
    clock: () => new Date('2026-03-01T00:00:00Z'),
    fetch: noNetwork,
    createFetch: () => noNetwork,
    resolvePath: (file) => file,
    random: () => 0.5,
    sleep: () => Promise.resolve(),
    signal: new AbortController().signal,
    tenantId: 'tenant-1',
    concurrency: 4,
    ...overrides,
  };
}

export function identity(
  identityId: string,
  identityType = 'service_account',
  metadata: Identity['metadata'] = {},
): Identity {
  return { identityId, identityType, displayName: identityId, createdAt: null, deletedAt: null, metadata };
}

/** An API key that opens a resource; null for one whose owner the vendor does not say. */
export function apiKey(id: string, opens: string, ownerId: string | null): Identity {
  return identity(id, 'api_key', { resource_id: opens, ...(ownerId === null ? {} : { owner_id: ownerId }) });
}

export function resource(
  resourceId: string,
  resourceType: string,
  more: Partial<Pick<Resource, 'ownerId' | 'metadata' | 'displayName' | 'createdAt' | 'deletedAt'>> = {},
): Resource {
  return {
    resourceId,
    resourceType,
    displayName: null,
    parentId: 'env-1',
    ownerId: null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
    ...more,
  };
}

export function statement(name: string, owner: string | null, stopped = false, pool = 'lfcp-1'): Resource {
  return resource(`uid-${name}`, 'flink_statement', {
    displayName: name,
    ownerId: owner,
    metadata: { compute_pool_id: pool, statement_name: name, is_stopped: stopped },
  });
}

let lines = 0;

export function line(
  productType: string,
  cost: string,
  resourceId: string | null,
  lineId = `line-${(lines += 1)}`,
): BillingLineItem {
  return {
    lineId,
    timestamp: startOfDay(DAY),
    granularity: 'daily',
    resourceId,
    environmentId: null,
    productCategory: 'TEST',
    productType,
    quantity: new Decimal(1),
    unitPrice: new Decimal(0),
    totalCost: parseMoney(cost, 'USD').amount,
    coverage: null,
    metadata: {},
  };
}

/** Usage of one query on the day, as `[resource, name, value]`. */
export function usage(
  queryKey: string,
  entries: readonly (readonly [resourceId: string, name: string, value: number])[],
  outcome: UsageDay['outcome'] = 'complete',
): UsageDay {
  const seen = { complete: 24, partial: 12, failed: 0, not_configured: 0 }[outcome];
  return {
    date: DAY,
    queryKey,
    totals: {
      resourceIds: entries.map(([resourceId]) => resourceId),
      identityIds: entries.map(([, name]) => name),
      values: entries.map(([, , value]) => value),
    },
    coverage: { samplesSeen: seen, samplesExpected: 24 },
    outcome,
    problems: [],
  };
}

export interface World {
  readonly lines: readonly BillingLineItem[];
  readonly resources?: readonly Resource[];
  readonly identities?: readonly Identity[];
  readonly usage?: readonly UsageDay[];
  readonly routes?: Partial<RouteSettings>;
  readonly params?: PluginSettingsBase['allocator_params'];
  readonly missingUsage?: PluginSettingsBase['missing_usage'];
}

/** A stored row: the amount as text, the rest as it was written. */
export interface StoredRow {
  readonly productType: string;
  readonly resourceId: string | null;
  readonly identityId: string;
  readonly amount: string;
  readonly costType: string;
  readonly method: string | null;
  readonly detail: string | null;
}

export interface Outcome {
  readonly run: TenantRun;
  readonly rows: readonly StoredRow[];
  readonly identities: ReadonlyMap<string, Identity>;
  /** Sum of everything stored, as text. */
  readonly total: string;
}

export function routesOf(world: Pick<World, 'routes' | 'params'> = {}) {
  return productRoutes({
    metricsStepSeconds: 3600,
    metricsSource: 'prometheus',
    allocatorParams: world.params ?? {},
    orgWide: orgWideSettingsSchema.parse({}),
    ...world.routes,
  });
}

/** Runs a world of one day through the whole engine into a real database, and reads back what was stored. */
export async function settle(world: World): Promise<Outcome> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-ccloud-'));
  const open = () =>
    openStore({
      connectionString: `sqlite:///${path.join(folder, 'chargeback.db')}`,
      ecosystem: 'ccloud',
      tenantId: 'tenant-1',
      workingDirectory: folder,
    });
  try {
    const run = await runWorld(world, open);
    await using store = await open();
    return { run, ...(await stored(store)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const WINDOW: Window = { start: startOfDay(DAY), end: new Date(startOfDay(DAY).getTime() + 86_400_000) };

function runWorld(world: World, openTestStore: () => Promise<Store>): Promise<TenantRun> {
  const { signal: _signal, tenantId: _tenantId, logger: _logger, ...runHost } = host();
  let ids = 0;
  const plugin: EcosystemPlugin = {
    apiVersion: API_VERSION,
    ecosystem: 'ccloud',
    settings: pluginSettingsBaseSchema,
    create: () => Promise.resolve(ecosystemOf(world)),
  };
  const emitters: readonly ConfiguredEmitter[] = [];
  return runTenant(
    {
      name: 'tenant',
      tenantId: 'tenant-1',
      plugin,
      settings: pluginSettingsBaseSchema.parse({
        allocator_params: world.params ?? {},
        missing_usage: world.missingUsage ?? 'fallback',
      }),
      limits: { ...DEFAULT_LIMITS, retentionDays: 36_500 },
      openStore: openTestStore,
      makeEmitters: () => emitters,
    },
    {
      window: WINDOW,
      regather: false,
      host: runHost,
      logger: silent,
      signal: new AbortController().signal,
      wait: waitFor,
      elapsed: () => performance.now(),
      onProgress: () => {},
      newId: () => `run-${(ids += 1)}`,
    },
  );
}

function ecosystemOf(world: World): Ecosystem {
  return {
    ...routesOf(world),
    regather: 'always',
    gatherKey: null,
    async *billing(window) {
      yield { window, lines: world.lines, problems: [] };
    },
    async *resources() {
      yield { authoritativeFor: [], resources: world.resources ?? [] };
    },
    async *identities() {
      yield {
        authoritativeFor: [],
        identities: [...(world.identities ?? []), ...Object.values(SENTINELS)],
      };
    },
    metrics: {
      async *usage(queries) {
        const keys = new Set(queries.map(({ key }) => key));
        yield* (world.usage ?? []).filter(({ queryKey }) => keys.has(queryKey));
      },
    },
    identityFromUsage: unlistedIdentity,
    async [Symbol.asyncDispose]() {},
  };
}

async function stored(store: Store): Promise<Omit<Outcome, 'run'>> {
  const rows: StoredRow[] = [];
  let total = 0n;
  for await (const chunk of store.rows(WINDOW, null)) {
    for (const row of chunk) {
      total += row.amount.units;
      rows.push({
        productType: row.productType,
        resourceId: row.resourceId,
        identityId: row.identityId,
        amount: formatMoney(row.amount),
        costType: row.costType,
        method: row.allocationMethod,
        detail: row.allocationDetail,
      });
    }
  }
  const identities = await store.identities(rows.map(({ identityId }) => identityId));
  return { rows, identities, total: formatMoney({ units: total, currency: 'USD' }) };
}

async function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}
