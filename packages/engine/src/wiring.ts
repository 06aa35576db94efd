import { ChargebackError, type Ecosystem, type ProductRoute, type UsageQuery } from '@chargeback/plugin-api';
import { canonicalJson, digestOf } from './fingerprint.ts';

/** The routing table of one tenant: which resolver and allocator handle which product type. */
export class Wiring {
  readonly fallback: ProductRoute;
  /** Every usage query of the table, each key once. */
  readonly usageQueries: readonly UsageQuery[];
  readonly #routes = new Map<string, ProductRoute>();
  readonly #queries: ReadonlyMap<string, UsageQuery>;
  readonly #definitions = new Map<string, string>();

  /** @throws {ChargebackError} `CB_PLUGIN_DUPLICATE_PRODUCT` when a product type has two routes. */
  constructor(ecosystem: Ecosystem) {
    this.fallback = ecosystem.fallback;
    const queries = new Map<string, UsageQuery>();
    for (const route of ecosystem.routes) {
      if (this.#routes.has(route.productType)) {
        throw new ChargebackError(
          'CB_PLUGIN_DUPLICATE_PRODUCT',
          `product type ${route.productType} has two routes`,
        );
      }
      this.#routes.set(route.productType, route);
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
