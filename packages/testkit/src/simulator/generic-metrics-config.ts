import type { YamlMap, YamlValue } from './yaml-text.ts';

/** Where a run of the product may write. */
export interface SimulatedPaths {
  /** File of the SQLite database. */
  readonly database: string;
  /** Directory of the CSV files. */
  readonly outputDirectory: string;
}

export interface GenericMetricsTenant {
  readonly tenantId: string;
  readonly lookbackDays: number;
  readonly cutoffDays: number;
  readonly clusterId: string;
  readonly displayName: string;
  readonly identitySource: YamlValue;
  readonly costTypes: readonly YamlValue[];
}

/** A tenant of the ecosystem `generic-metrics` with its CSV emitters, by its name. */
export function genericMetricsTenant(
  tenant: GenericMetricsTenant,
  url: string,
  paths: SimulatedPaths,
): YamlMap {
  const { tenantId } = tenant;
  return {
    [tenantId]: {
      ecosystem: 'generic-metrics',
      tenant_id: tenantId,
      lookback_days: tenant.lookbackDays,
      cutoff_days: tenant.cutoffDays,
      storage: { connection_string: `sqlite:///${paths.database}` },
      plugin_settings: {
        cluster_id: tenant.clusterId,
        display_name: tenant.displayName,
        metrics: { url },
        identity_source: tenant.identitySource,
        cost_types: tenant.costTypes,
        emitters: csvEmitters(paths),
      },
    },
  };
}

/** A file for each day, and one for each month. */
export function csvEmitters({ outputDirectory }: SimulatedPaths): readonly YamlValue[] {
  const output = { output_dir: outputDirectory };
  return [
    {
      type: 'csv',
      aggregation: 'daily',
      params: { ...output, filename_template: '{tenant_id}_{date}.csv' },
    },
    {
      type: 'csv',
      name: 'csv-monthly',
      aggregation: 'monthly',
      params: { ...output, filename_template: '{tenant_id}_{date}_monthly.csv' },
    },
  ];
}
