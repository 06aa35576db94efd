import { COMPANY_PRINCIPALS } from './company-principals.ts';
import { genericMetricsTenant, type SimulatedPaths } from './generic-metrics-config.ts';
import type { YamlMap } from './yaml-text.ts';

const RECEIVED = 'increase(platform_bytes_received_total[1h])';
const SENT = 'increase(platform_bytes_sent_total[1h])';
const STORED = 'platform_storage_bytes';

const EVENLY: YamlMap = { allocation_strategy: 'even_split' };

const COST_TYPES: readonly YamlMap[] = [
  costType('PLATFORM_COMPUTE', '0.42', { cost_quantity: { type: 'fixed', count: 6 }, ...EVENLY }),
  costType('PLATFORM_STORAGE', '0.00014', measured('storage_gib', STORED)),
  costType('PLATFORM_INGRESS', '0.05', measured('network_gib', RECEIVED)),
  costType('PLATFORM_EGRESS', '0.08', measured('network_gib', SENT)),
  costType('PLATFORM_SUPPORT', '2.50', { cost_quantity: { type: 'fixed', count: 1 }, ...EVENLY }),
];

/** Nordwind Logistics as a tenant. `days`: how many its bill covers. */
export function companyTenant(days: number, url: string, paths: SimulatedPaths): YamlMap {
  const tenant = {
    tenantId: 'nordwind',
    lookbackDays: days + 1,
    cutoffDays: 1,
    clusterId: 'nordwind-platform',
    displayName: 'Nordwind Logistics shared platform',
    identitySource: identitySource(),
    costTypes: COST_TYPES,
  };
  return genericMetricsTenant(tenant, url, paths);
}

function identitySource(): YamlMap {
  const teams = COMPANY_PRINCIPALS.flatMap(({ id, team }) => (team === null ? [] : [[id, team] as const]));
  return {
    source: 'both',
    label: 'principal',
    discovery_query: 'group by (principal) (platform_requests_total)',
    principal_to_team: Object.fromEntries(teams),
    default_team: 'UNASSIGNED',
    // People who use the platform without a service account of their own.
    static_identities: [
      {
        identity_id: 'customs-desk',
        identity_type: 'team',
        display_name: 'Customs desk',
        team: 'Foundation',
      },
    ],
  };
}

function costType(name: string, rate: string, rest: YamlMap): YamlMap {
  return { name, product_category: 'platform', rate, ...rest };
}

/** Billed by the whole of an expression, allocated by its parts. */
function measured(type: 'storage_gib' | 'network_gib', expression: string): YamlMap {
  return {
    cost_quantity: { type, query: `sum(${expression})` },
    allocation_strategy: 'usage_ratio',
    allocation_query: `sum by (principal) (${expression})`,
    allocation_label: 'principal',
  };
}
