import type { ConfluentEndpoint } from './api-answer.ts';

interface Route {
  readonly endpoint: ConfluentEndpoint;
  readonly method: 'GET' | 'POST';
  readonly pattern: RegExp;
}

const route = (endpoint: ConfluentEndpoint, path: string, method: Route['method'] = 'GET'): Route => ({
  endpoint,
  method,
  pattern: new RegExp(`^${path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
});

const STATEMENTS = '/sql/v1/organizations/{organization}/environments/{environment}/statements';

const ROUTES: readonly Route[] = [
  route('costs', '/billing/v1/costs'),
  route('organizations', '/org/v2/organizations'),
  route('environments', '/org/v2/environments'),
  route('clusters', '/cmk/v2/clusters'),
  route('connectors', '/connect/v1/environments/{environment}/clusters/{cluster}/connectors'),
  route('schema_registries', '/srcm/v3/clusters'),
  route('ksqldb_clusters', '/ksqldbcm/v2/clusters'),
  route('compute_pools', '/fcpm/v2/compute-pools'),
  route('statements', STATEMENTS),
  // The regional hosts, where all is served from one.
  route('statements', `/flink/{cloud}/{region}${STATEMENTS}`),
  route('tableflow_topics', '/tableflow/v1/tableflow-topics'),
  route('service_accounts', '/iam/v2/service-accounts'),
  route('users', '/iam/v2/users'),
  route('api_keys', '/iam/v2/api-keys'),
  route('identity_providers', '/iam/v2/identity-providers'),
  route('identity_pools', '/iam/v2/identity-providers/{provider}/identity-pools'),
  route('certificate_authorities', '/iam/v2/certificate-authorities'),
  route('certificate_pools', '/iam/v2/certificate-authorities/{authority}/identity-pools'),
  route('group_mappings', '/iam/v2/sso/group-mappings'),
  route('metrics_api', '/v2/metrics/cloud/query', 'POST'),
];

export interface Routed {
  readonly endpoint: ConfluentEndpoint;
  readonly method: string;
  readonly names: Readonly<Record<string, string>>;
}

/** What stands before `/api/v1` of the metrics server, as {@link routeOf} knows it. */
export const PROMETHEUS_PREFIX = '/prometheus';

/** Which interface a path belongs to, and the method it takes. */
export function routeOf(path: string): Routed {
  if (path.startsWith(`${PROMETHEUS_PREFIX}/`)) return { endpoint: 'prometheus', method: '', names: {} };
  for (const { endpoint, method, pattern } of ROUTES) {
    const found = pattern.exec(path);
    if (!found) continue;
    const names = Object.entries(found.groups ?? {}).map(([name, text]) => [name, decodeURIComponent(text)]);
    return { endpoint, method, names: Object.fromEntries(names) as Record<string, string> };
  }
  return { endpoint: 'unknown', method: '', names: {} };
}
