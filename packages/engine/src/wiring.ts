import { ChargebackError, type Ecosystem, type ProductRoute, type UsageQuery } from '@chargeback/plugin-api';

/** The routing table of one tenant: which resolver and allocator handle which product type. */
export class Wiring {
  readonly fallback: ProductRoute;
  /** Every usage query of the table, each key once. */
  readonly usageQueries: readonly UsageQuery[];
  readonly #routes = new Map<string, ProductRoute>();

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
    this.usageQueries = [...queries.values()];
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
}
