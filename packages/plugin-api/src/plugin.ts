import type { z } from 'zod';
import type { ProductRoute } from './allocation.ts';
import type { BillingBatch } from './billing.ts';
import type { Finding } from './finding.ts';
import type { Identity, IdentityBatch, ResourceBatch } from './inventory.ts';
import type { Json } from './json.ts';
import type { Logger } from './logger.ts';
import type { PlainFetch } from './plain-fetch.ts';
import type { PluginSettingsBase } from './plugin-settings.ts';
import type { MetricsSource } from './usage.ts';
import type { Window } from './window.ts';

/** The version of this contract that plugins name. */
export const API_VERSION = 1;

/** The standard `fetch`, or something that behaves like it. */
export type Fetch = typeof globalThis.fetch;

/** Options of a connection that differs from the process-wide one. */
export interface FetchOptions {
  /** PEM file of certificate authorities to trust besides the system's; relative to the configuration file. */
  readonly caFile?: string;
}

/** What the engine hands a plugin instead of globals. */
export interface PluginHost {
  readonly logger: Logger;
  readonly clock: () => Date;
  /** For what is asked now and then. */
  readonly fetch: Fetch;
  /** For a server that bills or measures: it takes half the CPU where answers are large. */
  readonly createFetch: (options: FetchOptions) => PlainFetch;
  /** The absolute path of a file that settings name, relative to the configuration file. */
  readonly resolvePath: (path: string) => string;
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number;
  /** Resolves after the delay, rejects when the signal aborts. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Aborts when the tenant's run must stop. */
  readonly signal: AbortSignal;
  readonly tenantId: string;
  /** Requests that may be in flight at once (`metrics_prefetch_workers`). */
  readonly concurrency: number;
}

/** Which resolver, allocator and usage queries handle which product type. */
export interface RoutingTable {
  readonly routes: readonly ProductRoute[];
  /** Handles product types that have no route: they are never dropped. Overridden by its own name, such as `*`. */
  readonly fallback: ProductRoute;
}

/** A live connection to one tenant's world. Disposed of in every path. */
export interface Ecosystem extends RoutingTable, AsyncDisposable {
  /**
   * `until_complete`: a day whose inputs are complete never changes at its source (metrics).
   * `always`: the source restates days inside the lookback (a vendor's bill); usage that was stored whole is
   * not asked for again.
   */
  readonly regather: 'until_complete' | 'always';
  /** The settings that decide what is gathered. When they change, the source is asked again. No secrets. */
  readonly gatherKey: Json;
  /**
   * The bill of a window of whole UTC days, in batches of one or more whole days, ascending. Together the
   * batches cover the window; a window that failed is a batch with a problem of severity `error`.
   */
  billing(window: Window, signal: AbortSignal): AsyncIterable<BillingBatch>;
  /**
   * A batch names the types it is authoritative for. A listing that failed is a problem of its batch, so that
   * the others go on; what throws ends the iteration.
   */
  resources?(window: Window, signal: AbortSignal): AsyncIterable<ResourceBatch>;
  identities?(window: Window, signal: AbortSignal): AsyncIterable<IdentityBatch>;
  readonly metrics?: MetricsSource;
  /** Describes a name that was found in the metrics; it exists from the first day it was seen. */
  identityFromUsage?(identityId: string): Identity;
  /** Looks at the source and says what works, what does not, and what to write. Changes nothing. */
  doctor?(signal: AbortSignal): Promise<readonly Finding[]>;
}

/** An ecosystem: a vendor's world, or a way to construct a bill. */
export interface EcosystemPlugin<Settings extends PluginSettingsBase = PluginSettingsBase> {
  readonly apiVersion: number;
  /** Kebab-case key that tenants name. */
  readonly ecosystem: string;
  readonly aliases?: readonly string[];
  /** Changes when the plugin allocates differently: stored days are then calculated again from what is stored. */
  readonly version?: string;
  /** Strict: an unknown key is an error. Extends the shape of `pluginSettingsBaseSchema`. */
  readonly settings: z.ZodType<Settings>;
  /** Top-level settings that say only where and how the source is reached: changing them calculates nothing anew. */
  readonly connectionSettings?: readonly string[];
  /**
   * The routing table without a connection, so that overrides are checked and wiring is printed offline. Pure,
   * and the same as that of the ecosystem. Without it both wait until there is a connection.
   */
  routing?(settings: Settings): RoutingTable;
  /** Connects. The settings have been parsed by the schema above. */
  create(settings: Settings, host: PluginHost): Promise<Ecosystem>;
}

/** What a plugin's module exports. Pure: no I/O, no globals, called once. */
export type Register = () => EcosystemPlugin;
