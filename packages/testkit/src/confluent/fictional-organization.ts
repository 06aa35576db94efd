import { csvEmitters, type SimulatedPaths } from '../simulator/generic-metrics-config.ts';
import type { YamlMap } from '../simulator/yaml-text.ts';
import { confluentOrganization } from './make-organization.ts';
import type { ConfluentOrganization } from './organization.ts';
import { PROMETHEUS_PREFIX } from './routes.ts';

export interface FictionalOrganizationOptions {
  readonly seed: number;
  /** Billed days. */
  readonly days: number;
  /** Midnight UTC after the last of them. */
  readonly endDate: Date;
}

/** Lindqvist Outfitters: a small company that buys two clusters and all that comes with them. */
export interface FictionalOrganization {
  readonly organization: ConfluentOrganization;
  /**
   * The company as a tenant. Its bill begins with the first billed day when the product's clock stands anywhere
   * on the UTC day that begins at `endDate` plus one day, and ends with the last that is final by then.
   * `url`: where the simulator serves.
   */
  tenant(url: string, paths: SimulatedPaths): YamlMap;
}

const TENANT_ID = 'lindqvist';
/** Days until the vendor changes a day's bill no more, with one to spare. */
const CUTOFF_DAYS = 4;

/** The same seed and dates always give the same company, down to the byte. Throws RangeError. */
export function fictionalOrganization(options: FictionalOrganizationOptions): FictionalOrganization {
  const organization = confluentOrganization({
    ...options,
    clusters: 2,
    environments: 2,
    serviceAccounts: 14,
    clustersPerAccount: 1,
  });
  return { organization, tenant: (url, paths) => tenantOf(organization, options.days, { url, paths }) };
}

function tenantOf(
  { computePools }: ConfluentOrganization,
  days: number,
  { url, paths }: { url: string; paths: SimulatedPaths },
): YamlMap {
  const credentials = { key: 'DEMO', secret: 'no-secret' };
  const places = new Map(computePools.map(({ cloud, region }) => [region, cloud.toLowerCase()]));
  return {
    [TENANT_ID]: {
      ecosystem: 'ccloud',
      tenant_id: TENANT_ID,
      lookback_days: days + 1,
      cutoff_days: CUTOFF_DAYS,
      storage: { connection_string: `sqlite:///${paths.database}` },
      plugin_settings: {
        // What asks a simulator need not be polite.
        ccloud_api: { ...credentials, base_url: url, requests_per_second: 100 },
        flink: [...places].map(([region_id, cloud]) => ({
          ...credentials,
          region_id,
          base_url: `${url}/flink/${cloud}/${region_id}`,
        })),
        metrics: { type: 'prometheus', url: `${url}${PROMETHEUS_PREFIX}` },
        partial_period: 'allocate_full',
        org_wide: {
          support: 'even_split',
          audit_log_read: 'even_split',
          promo_credit: 'proportional_to_allocated',
        },
        emitters: csvEmitters(paths),
      },
    },
  };
}
