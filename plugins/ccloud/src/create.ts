import type { Ecosystem, Identity, PluginHost, Resource, RoutingTable } from '@chargeback/plugin-api';
import { type BillSource, gatherBill } from './billing/gather-bill.ts';
import { connectApi, connectFlink } from './connect.ts';
import { examineOrganization } from './doctor.ts';
import { listIdentities } from './inventory/list-identities.ts';
import type { InventorySource } from './inventory/inventory-source.ts';
import { listResources } from './inventory/list-resources.ts';
import { productRoutes } from './products/product-table.ts';
import { identitiesBesidesListings, unlistedIdentity } from './resolution/sentinels.ts';
import type { Settings } from './settings.ts';
import { createMetrics } from './usage/create-metrics.ts';

/** Connects one tenant to its organization. */
export async function createCcloud(settings: Settings, host: PluginHost): Promise<Ecosystem> {
  const client = connectApi(settings, host);
  /** What the run's listing of resources brought: it names owners that no listing of identities may know. */
  let listed: Resource[] = [];
  const bill: BillSource = {
    client,
    daysPerQuery: settings.billing_api.days_per_query,
    currency: settings.currency,
    now: host.clock,
  };
  const inventory: InventorySource = {
    client,
    flink: connectFlink(settings, host),
    skip: new Set(settings.skip_listings),
  };
  const metrics = createMetrics(settings, host);
  const { routes, fallback } = routingOf(settings);
  return {
    routes,
    fallback,
    regather: 'always',
    gatherKey: gatherKey(settings),
    ...(metrics === undefined ? {} : { metrics }),
    billing: (window, signal) => gatherBill(bill, window, signal),
    async *resources(_window, signal) {
      listed = [];
      for await (const batch of listResources(inventory, signal)) {
        listed.push(...batch.resources);
        yield batch;
      }
    },
    async *identities(_window, signal) {
      const known: Identity[] = [];
      for await (const batch of listIdentities(inventory, signal)) {
        known.push(...batch.identities);
        yield batch;
      }
      yield { authoritativeFor: [], identities: [], mentioned: identitiesBesidesListings(listed, known) };
    },
    identityFromUsage: unlistedIdentity,
    doctor: (signal) => {
      const queries = [
        ...new Map(routes.flatMap(({ usage }) => usage).map((query) => [query.key, query])).values(),
      ];
      return examineOrganization({ bill, inventory, metrics, queries }, host.clock(), signal);
    },
    async [Symbol.asyncDispose]() {
      // Requests end with the run's signal; there is nothing else to release.
    },
  };
}

/** Which resolver, allocator and usage handle which line type. */
export function routingOf(settings: Settings): RoutingTable {
  return productRoutes({
    metricsStepSeconds: settings.metrics_step_seconds,
    metricsSource: settings.metrics?.type ?? 'none',
    allocatorParams: settings.allocator_params,
    orgWide: settings.org_wide,
  });
}

/** What decides which lines and which usage are stored; not how they are reached or split. */
function gatherKey({ currency, metrics, metrics_step_seconds }: Settings): Ecosystem['gatherKey'] {
  return { currency, metrics: metrics?.type ?? null, step: metrics_step_seconds };
}
