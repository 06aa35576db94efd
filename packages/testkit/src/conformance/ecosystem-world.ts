import assert from 'node:assert/strict';
import type {
  BillingBatch,
  Ecosystem,
  EcosystemPlugin,
  Fetch,
  IdentityBatch,
  PluginHost,
  Register,
  ResourceBatch,
  UsageDay,
  UsageQuery,
  Window,
} from '@chargeback/plugin-api';
import { allowed, withOnlyGivenNetwork } from './only-given-network.ts';
import { silentLogger } from './silent-logger.ts';

/** What the plugin under test is to find. */
export interface EcosystemWorld {
  /** Settings as they are written under `plugin_settings`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The network: a simulator, or recorded replies. Without one there is none. */
  readonly fetch?: Fetch;
  /** Whole UTC days that have a bill, two or more. */
  readonly window: Window;
  /** Default: noon of the third day after the window. */
  readonly now?: Date;
  /** Further members of the host, for plugins that need them. */
  readonly host?: Partial<PluginHost>;
}

export interface EcosystemOptions {
  /** Names the tests; default: the ecosystem. */
  readonly name?: string;
  /** The plugin opens sockets of its own, for a protocol that is not HTTP. Default: it may not. */
  readonly ownSockets?: boolean;
}

/** The plugin in its world, as the tests use it. */
export class EcosystemFixture {
  readonly window: Window;
  readonly plugin: EcosystemPlugin;
  readonly world: EcosystemWorld;
  readonly #options: EcosystemOptions;

  constructor(register: Register, world: EcosystemWorld, options: EcosystemOptions) {
    this.plugin = register();
    this.world = world;
    this.window = world.window;
    this.#options = options;
  }

  settings(): ReturnType<EcosystemPlugin['settings']['parse']> {
    return this.plugin.settings.parse(this.world.settings);
  }

  /** Connects, with another network or tenant where one is given. */
  create(changes: Partial<PluginHost> = {}): Promise<Ecosystem> {
    const fetch = changes.fetch ?? this.world.fetch ?? (() => Promise.reject(new Error('no network')));
    const given = allowed(fetch);
    const day = 86_400_000;
    const now = this.world.now ?? new Date(this.window.end.getTime() + 2.5 * day);
    return this.plugin.create(this.settings(), {
      logger: silentLogger,
      clock: () => new Date(now),
      createFetch: () => given,
      resolvePath: (file) => file,
      random: () => 0.5,
      sleep: async (_milliseconds, signal) => signal.throwIfAborted(),
      signal: new AbortController().signal,
      tenantId: 'tenant-1',
      concurrency: 4,
      ...this.world.host,
      ...changes,
      fetch: given,
    });
  }

  /** Connects, does something, and disconnects, with no network but the given one. */
  async with<Result>(
    work: (ecosystem: Ecosystem) => Promise<Result>,
    changes: Partial<PluginHost> = {},
  ): Promise<Result> {
    const run = async (): Promise<Result> => {
      await using ecosystem = await this.create(changes);
      return await work(ecosystem);
    };
    return this.#options.ownSockets ? run() : withOnlyGivenNetwork(run);
  }
}

/** Asks for everything once. */
export async function collected(ecosystem: Ecosystem, window: Window): Promise<Collected> {
  const signal = new AbortController().signal;
  const batches = await all(ecosystem.billing(window, signal));
  const resources = ecosystem.resources ? await all(ecosystem.resources(window, signal)) : [];
  const identities = ecosystem.identities ? await all(ecosystem.identities(window, signal)) : [];
  const queries = [...ecosystem.routes, ecosystem.fallback].flatMap(({ usage }) => usage);
  const unique = [...new Map(queries.map((query) => [query.key, query])).values()];
  const usage = ecosystem.metrics ? await all(ecosystem.metrics.usage(unique, window, signal)) : [];
  assert.ok(batches.length > 0, 'a window has at least one batch, with or without lines');
  return { batches, resources, identities, usage, queries: unique };
}

/** Everything that an ecosystem says about a window. */
export interface Collected {
  readonly batches: readonly BillingBatch[];
  readonly resources: readonly ResourceBatch[];
  readonly identities: readonly IdentityBatch[];
  readonly usage: readonly UsageDay[];
  readonly queries: readonly UsageQuery[];
}

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}
