import type { Ecosystem, IdentityBatch, PluginHost, ResourceBatch } from '@chargeback/plugin-api';
import { createMetricsSource, createPrometheusClient } from '@chargeback/prometheus';
import { constructBill } from './billing.ts';
import { examineQueries } from './doctor.ts';
import { principalIdentity, staticIdentities } from './identities.ts';
import { fallbackRoute, routesOf } from './routes.ts';
import type { Settings } from './settings.ts';

/** Connects one tenant to its Prometheus. */
export async function createGenericMetrics(settings: Settings, host: PluginHost): Promise<Ecosystem> {
  const client = createPrometheusClient(settings.metrics, host);
  const metrics = createMetricsSource(client, {
    concurrency: host.concurrency,
    dailySubqueries: settings.metrics.daily_subqueries,
    logger: host.logger,
  });
  const fixed = staticIdentities(settings);
  const fixedIds = new Map(fixed.map((identity) => [identity.identityId, identity]));
  return {
    routes: routesOf(settings),
    fallback: fallbackRoute(),
    regather: 'until_complete',
    gatherKey: gatherKey(settings),
    metrics,
    async *billing(window, signal) {
      yield await constructBill(settings, client, { window, signal });
    },
    async *resources() {
      yield clusterResource(settings);
    },
    async *identities() {
      const batch: IdentityBatch = {
        authoritativeFor: [...new Set(fixed.map(({ identityType }) => identityType))],
        identities: fixed,
        settled: true,
      };
      yield batch;
    },
    identityFromUsage: (name) => fixedIds.get(name) ?? principalIdentity(settings, name),
    doctor: (signal) => examineQueries(settings, client, { time: host.clock(), signal }),
    async [Symbol.asyncDispose]() {
      // Requests end with the run's signal; there is nothing else to release.
    },
  };
}

function clusterResource({ cluster_id, display_name }: Settings): ResourceBatch {
  return {
    // Named by the settings: a slip there must not end what is billed.
    authoritativeFor: [],
    resources: [
      {
        resourceId: cluster_id,
        resourceType: 'cluster',
        displayName: display_name ?? cluster_id,
        parentId: null,
        ownerId: null,
        createdAt: null,
        deletedAt: null,
        metadata: {},
      },
    ],
  };
}

/** Rates, quantities and queries decide what is gathered; teams and strategies do not. */
function gatherKey(settings: Settings): Ecosystem['gatherKey'] {
  const { source, label, discovery_query } = settings.identity_source;
  return {
    cluster: settings.cluster_id,
    currency: settings.currency,
    step: settings.metrics_step_seconds,
    missing: settings.missing_usage === 'estimate',
    discovery: source === 'static' ? null : [label, discovery_query ?? null],
    costs: settings.cost_types.map((costType) => [
      costType.name,
      costType.product_category,
      costType.rate.toString(),
      { ...costType.cost_quantity },
      costType.allocation_strategy === 'usage_ratio'
        ? [costType.allocation_query!, costType.allocation_label!]
        : null,
    ]),
  };
}
