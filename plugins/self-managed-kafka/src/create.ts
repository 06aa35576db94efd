import {
  type Ecosystem,
  type Identity,
  isoDateOf,
  type PluginHost,
  type ResourceBatch,
} from '@chargeback/plugin-api';
import { createMetricsSource, createPrometheusClient } from '@chargeback/prometheus';
import type { KafkaAdminSettings } from './admin/kafka-admin-settings.ts';
import { constructBill } from './billing.ts';
import { doctor } from './doctor.ts';
import { createDirectory } from './identities.ts';
import { idleDaysOf } from './idle-days.ts';
import { PRODUCTS } from './products.ts';
import { queriesOf } from './queries.ts';
import { listFromMetrics } from './resources.ts';
import { fallbackRoute, routesOf } from './routes.ts';
import { brokerLabels, brokerScrapes } from './scrapes.ts';
import { matchersOf } from './selector-schema.ts';
import type { Settings } from './settings.ts';
import { changesKey, rateOn, termsOn } from './terms.ts';

/** How far back the doctor looks for scrapes. */
const RECENT_SECONDS = 300;
/** A day that no change is valid on. */
const BEFORE_ALL = '0000-00-00';

/** Connects one tenant to the metrics of its cluster and, where that is configured, to its brokers. */
export async function createSelfManagedKafka(settings: Settings, host: PluginHost): Promise<Ecosystem> {
  const client = createPrometheusClient(settings.metrics, host);
  const queries = queriesOf(settings);
  const directory = createDirectory(settings);
  const routes = routesOf(settings, queries, directory);
  const admin = adminSource(settings, host);
  const scrapes = brokerScrapes(settings, queries, client);
  return {
    routes,
    fallback: fallbackRoute(),
    regather: 'until_complete',
    gatherKey: gatherKey(settings, routes),
    metrics: createMetricsSource(client, {
      concurrency: host.concurrency,
      dailySubqueries: settings.metrics.daily_subqueries,
      logger: host.logger,
      scrapes,
      idleDays: idleDaysOf({ client, queries, scrapes, stepSeconds: settings.metrics_step_seconds }),
    }),
    async *billing(window, signal) {
      yield await constructBill(settings, { client, queries, scrapes, window, signal });
    },
    async *resources(_window, signal) {
      yield admin
        ? await admin(signal)
        : await listFromMetrics(settings, { client, queries, time: host.clock() }, signal);
    },
    async *identities() {
      const { listed } = directory;
      yield { authoritativeFor: typesOf(listed), identities: listed, settled: true };
    },
    identityFromUsage: (name) => directory.describe(name),
    doctor: (signal) =>
      doctor({
        client,
        selector: matchersOf(settings.selector),
        clock: host.clock,
        signal,
        preset: settings.metric_preset,
        brokers: {
          count: termsOn(settings, isoDateOf(host.clock())).brokerCount,
          scrapes: queries.text('scrapes', RECENT_SECONDS),
          labels: brokerLabels(queries),
        },
        ...(admin ? { adminSource: admin } : {}),
      }),
    async [Symbol.asyncDispose]() {
      // Requests end with the run's signal, and the Kafka client is closed with each listing.
    },
  };
}

function adminSource(
  { resource_source: source, cluster_id: clusterId }: Settings,
  { sleep, resolvePath }: PluginHost,
): ((signal: AbortSignal) => Promise<ResourceBatch>) | null {
  const { source: from, bootstrap_servers: servers, ...rest } = source;
  if (from !== 'admin_api' || !servers) return null;
  const settings: KafkaAdminSettings = { ...rest, bootstrap_servers: servers };
  const configDirectory = resolvePath('.');
  return async (signal) => {
    // Loaded late: the client is large, and most tenants list their cluster from metrics.
    const { listKafkaResources } = await import('./admin/list-kafka-resources.ts');
    return listKafkaResources(settings, { clusterId, configDirectory, sleep }, signal);
  };
}

function typesOf(identities: readonly Identity[]): string[] {
  return [...new Set(identities.map(({ identityType }) => identityType))];
}

/** Rates, brokers and queries decide what is gathered; teams and owners do not. */
function gatherKey(settings: Settings, routes: Ecosystem['routes']): Ecosystem['gatherKey'] {
  const queries = queriesOf(settings);
  const step = settings.metrics_step_seconds;
  const exporters = queries.extraText('exporter_scrapes', step);
  const usage = routes.flatMap((route) => route.usage);
  return {
    cluster: settings.cluster_id,
    currency: settings.currency,
    brokers: settings.broker_count,
    step,
    missing: settings.missing_usage === 'estimate',
    scrapes: queries.text('scrapes', step),
    ...(exporters === null ? {} : { exporters }),
    ...(settings.changes.length > 0 ? { changes: changesKey(settings) } : {}),
    costs: Object.values(PRODUCTS).map(({ productType, rate, query }) => [
      productType,
      rateOn(settings, BEFORE_ALL, rate).toString(),
      query === null ? null : queries.text(query, step),
    ]),
    usage: [...new Map(usage.map((query) => [query.key, query])).values()].map(
      ({ key, expression, identityLabel, stepSeconds }) => [
        key,
        expression(`${stepSeconds}s`),
        identityLabel,
      ],
    ),
  };
}
