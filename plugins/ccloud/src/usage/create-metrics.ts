import type { MetricsSource, PluginHost } from '@chargeback/plugin-api';
import { createPrometheusClient } from '@chargeback/prometheus';
import { createCcloudClient } from '../http/ccloud-client.ts';
import { createMetricsApiSource } from './metrics-api-source.ts';
import type { MetricsApiSettings, MetricsSettings } from './metrics-settings.ts';
import { createExportSource } from './export-source.ts';

export { metricsSettingsSchema } from './metrics-settings.ts';

export interface CreateMetricsSettings {
  readonly metrics: MetricsSettings;
  /** Also opens the Metrics API unless it has a key of its own. */
  readonly ccloud_api: { readonly key: string; readonly secret: string };
}

/** The source of usage that the settings name; undefined when they name none. */
export function createMetrics(
  { metrics, ccloud_api: cloud }: CreateMetricsSettings,
  host: PluginHost,
): MetricsSource | undefined {
  if (metrics === null) return undefined;
  if (metrics.type === 'ccloud_metrics_api') {
    const client = createCcloudClient(connectionOf(metrics, cloud), host);
    return createMetricsApiSource(client, { clock: host.clock });
  }
  return createExportSource(createPrometheusClient(metrics, host), {
    concurrency: host.concurrency,
    dailySubqueries: metrics.daily_subqueries,
    logger: host.logger,
  });
}

function connectionOf(
  metrics: MetricsApiSettings,
  cloud: CreateMetricsSettings['ccloud_api'],
): Parameters<typeof createCcloudClient>[0] {
  const own = metrics.key && metrics.secret ? { key: metrics.key, secret: metrics.secret } : null;
  return {
    baseUrl: metrics.base_url,
    ...(own ?? { key: cloud.key, secret: cloud.secret }),
    settingsPath: own ? 'metrics' : 'ccloud_api',
    ...(metrics.ca_file ? { caFile: metrics.ca_file } : {}),
    timeoutSeconds: metrics.timeout_seconds,
    maxAttempts: metrics.max_attempts,
    maxInFlight: metrics.max_in_flight,
    requestsPerSecond: metrics.requests_per_second,
    maxResponseBytes: metrics.max_response_bytes,
  };
}
