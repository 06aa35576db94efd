import { describeModel } from '@chargeback/allocation';
import {
  type AllocatorParams,
  ChargebackError,
  type ProductRoute,
  type RoutingTable,
  type UsageQuery,
} from '@chargeback/plugin-api';
import { canonicalJson, digestOf } from './fingerprint.ts';
import { guardAllocator, guardResolver } from './overrides/guard.ts';
import { NO_OVERRIDES, routeToOverride, type TenantOverrides } from './overrides/tenant-overrides.ts';

export interface WiringOptions {
  readonly overrides?: TenantOverrides;
  /** The plugin's own routes are code of others too: they get inputs that they cannot change. */
  readonly guarded?: boolean;
}

/** Who handles a product type, for people to read. */
export interface WiringRow {
  readonly productType: string;
  readonly resolver: string;
  /** Where the configuration names the resolver; null for the plugin's own. */
  readonly resolverPlace: string | null;
  readonly allocator: string;
  readonly allocatorPlace: string | null;
  /** Keys of the usage queries that allocators may ask for. */
  readonly usage: readonly string[];
}

/** The routing table of one tenant: which resolver and allocator handle which product type. */
export class Wiring {
  readonly fallback: ProductRoute;
  /** Every usage query of the table, each key once. */
  readonly usageQueries: readonly UsageQuery[];
  readonly #routes = new Map<string, ProductRoute>();
  readonly #queries: ReadonlyMap<string, UsageQuery>;
  readonly #definitions = new Map<string, string>();
  readonly #plain: RoutingTable;
  readonly #overrides: TenantOverrides;

  /**
   * @throws {ChargebackError} `CB_PLUGIN_DUPLICATE_PRODUCT` when a product type has two routes,
   *   `CB_OVERRIDE_PRODUCT_TYPE` when an override names none of them.
   */
  constructor(ecosystem: RoutingTable, options: WiringOptions = {}) {
    this.#plain = ecosystem;
    this.#overrides = options.overrides ?? NO_OVERRIDES;
    for (const kind of [this.#overrides.allocators, this.#overrides.resolvers]) {
      for (const productType of kind.keys()) routeToOverride(productType, ecosystem);
    }
    const wired = (route: ProductRoute): ProductRoute => this.#wired(route, options.guarded ?? false);
    this.fallback = wired(ecosystem.fallback);
    const queries = new Map<string, UsageQuery>();
    for (const route of ecosystem.routes) {
      if (this.#routes.has(route.productType)) {
        throw new ChargebackError(
          'CB_PLUGIN_DUPLICATE_PRODUCT',
          `product type ${route.productType} has two routes`,
        );
      }
      this.#routes.set(route.productType, wired(route));
    }
    for (const route of [...ecosystem.routes, ecosystem.fallback]) {
      for (const query of route.usage) queries.set(query.key, query);
    }
    this.#queries = queries;
    this.usageQueries = [...queries.values()];
    for (const query of this.usageQueries) this.#definitions.set(query.key, definitionOf(query));
  }

  /** The route of a product type; undefined when only the fallback is left. */
  route(productType: string): ProductRoute | undefined {
    return this.#routes.get(productType);
  }

  /** Whether the names that a usage query answers with are identities. */
  namesIdentities(queryKey: string): boolean {
    return this.usageQueries.find(({ key }) => key === queryKey)?.namesIdentities ?? true;
  }

  #wired(route: ProductRoute, guarded: boolean): ProductRoute {
    const { productType, usage: queries } = route;
    const allocator = this.#overrides.allocators.get(productType);
    const resolver = this.#overrides.resolvers.get(productType);
    if (!allocator && !resolver && !guarded) return route;
    const own = { label: `the plugin's own handler of ${productType}`, queries, anybody: true };
    const allocate = allocator
      ? guardAllocator(allocator.handler, {
          label: labelOf('allocator', allocator),
          queries,
          ...(allocator.named ? { named: allocator.named } : {}),
        })
      : guarded && guardAllocator(route.allocate, own);
    const resolve = resolver
      ? guardResolver(resolver.handler, { label: labelOf('resolver', resolver), queries })
      : guarded && guardResolver(route.resolve, own);
    return { ...route, allocate: allocate || route.allocate, resolve: resolve || route.resolve };
  }

  /** Whose code handles a product type, as a problem names it. */
  handlersOf(productType: string): string {
    const name = this.#routes.has(productType) ? productType : this.fallback.productType;
    const allocator = this.#overrides.allocators.get(name);
    const resolver = this.#overrides.resolvers.get(name);
    const labels = [
      ...(resolver ? [labelOf('resolver', resolver)] : []),
      ...(allocator ? [labelOf('allocator', allocator)] : []),
    ];
    return labels.length > 0 ? labels.join(' or ') : `the resolver or allocator of ${productType}`;
  }

  /** One row per product type, in order, the fallback last. */
  rows(params: AllocatorParams): WiringRow[] {
    const routes = this.#plain.routes.toSorted((left, right) =>
      left.productType < right.productType ? -1 : 1,
    );
    return [...routes, this.#plain.fallback].map(({ productType, allocate, resolve, usage }) => {
      const allocator = this.#overrides.allocators.get(productType);
      const resolver = this.#overrides.resolvers.get(productType);
      return {
        productType,
        resolver: resolver?.use ?? (resolve.name === 'resolve' ? 'built-in' : resolve.name || 'built-in'),
        resolverPlace: resolver?.place ?? null,
        allocator: allocator ? describedAs(allocator, params) : describeModel(allocate, params),
        allocatorPlace: allocator?.place ?? null,
        usage: usage.map(({ key }) => key),
      };
    });
  }

  productTypes(): string[] {
    return [...this.#routes.keys()].toSorted();
  }

  /** Digest of what a usage query asks, so that answers to different questions are not compared. */
  definitionOf(queryKey: string): string {
    return this.#definitions.get(queryKey) ?? '';
  }

  asksWhoExists(queryKey: string): boolean {
    return this.#queries.get(queryKey)?.expects === 'any_instant';
  }
}

function labelOf(what: string, { use, place }: { readonly use: string; readonly place: string }): string {
  return `${what} ${use} (${place})`;
}

/** The path, and what is behind it where it is composed of known models. */
function describedAs(
  { use, handler }: { readonly use: string; readonly handler: ProductRoute['allocate'] },
  params: AllocatorParams,
): string {
  const model = describeModel(handler, params);
  return model === 'custom' ? use : `${use} = ${model}`;
}

function definitionOf(query: UsageQuery): string {
  const { stepSeconds, reduce, identityLabel, resourceLabel, expects } = query;
  const expression = query.expression(`${stepSeconds}s`);
  return digestOf([
    canonicalJson([
      expression,
      stepSeconds,
      reduce,
      identityLabel,
      resourceLabel,
      expects ?? 'every_instant',
    ]),
  ]);
}
