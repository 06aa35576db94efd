import type { PluginHost } from '@chargeback/plugin-api';
import { type CcloudClient, createCcloudClient } from './http/ccloud-client.ts';
import type { FlinkRegions } from './inventory/inventory-source.ts';
import { PUBLIC_API_URL, type Settings } from './settings.ts';

/** A client of the organization's API. */
export function connectApi({ ccloud_api: api }: Settings, host: PluginHost): CcloudClient {
  return createCcloudClient(
    { baseUrl: api.base_url, knownOrigins: [PUBLIC_API_URL], settingsPath: 'ccloud_api', ...requestsOf(api) },
    host,
  );
}

/** Clients of the regional Flink APIs, one for each region of a cloud, made when they are first needed. */
export function connectFlink({ ccloud_api: api, flink }: Settings, host: PluginHost): FlinkRegions {
  const clients = new Map<string, CcloudClient>();
  return {
    clientOf({ cloud, region }) {
      const index = flink.findIndex(({ region_id }) => region_id.toLowerCase() === region);
      const credentials = flink[index];
      // A pool that does not say where it runs can be reached only at an address that is configured.
      if (!credentials || (cloud === '' && !credentials.base_url)) return null;
      const publicUrl = `https://flink.${region}.${cloud}.confluent.cloud`;
      let client = clients.get(publicUrl);
      if (!client) {
        client = createCcloudClient(
          {
            ...requestsOf(api),
            key: credentials.key,
            secret: credentials.secret,
            baseUrl: credentials.base_url ?? publicUrl,
            knownOrigins: [publicUrl],
            settingsPath: `flink[${index}]`,
          },
          host,
        );
        clients.set(publicUrl, client);
      }
      return client;
    },
  };
}

function requestsOf(api: Settings['ccloud_api']) {
  return {
    key: api.key,
    secret: api.secret,
    timeoutSeconds: api.timeout_seconds,
    maxAttempts: api.max_attempts,
    maxInFlight: api.max_in_flight,
    requestsPerSecond: api.requests_per_second,
    maxResponseBytes: api.max_response_bytes,
    ...(api.ca_file ? { caFile: api.ca_file } : {}),
  };
}
