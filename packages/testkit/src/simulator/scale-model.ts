import { MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import { genericMetricsTenant, type SimulatedPaths } from './generic-metrics-config.ts';
import { createMetricsModel, type MetricsModel } from './metrics-model.ts';
import { noise, seedOf } from './random.ts';
import { tenantsYaml } from './yaml-text.ts';

export interface ScaleOptions {
  /** Principals, each seen by every query. Default: 500. */
  readonly identities?: number;
  /** Cost types, of which the first `queries` are billed and allocated by a counter of their own. Default: 5. */
  readonly costTypes?: number;
  /** Cost types with a usage query; the others are fixed and split evenly. Default: all. */
  readonly queries?: number;
  /** Whole days of hourly increases. Default: 30. */
  readonly days?: number;
  /** Principals appear one after another over the days instead of all at once. */
  readonly appearing?: boolean;
  /** Midnight UTC after the last of them. */
  readonly endDate: Date;
  readonly seed?: number;
}

/** The options with their defaults, and what follows from them. */
interface ScaleShape extends Required<ScaleOptions> {}

/**
 * A model for benchmarks: every principal has a positive increase in every hour of every counter, so that each
 * day has `identities × costTypes` rows: 75,000 in 30 days as it stands.
 */
export function scaleModel(options: ScaleOptions): MetricsModel {
  const { identities, queries, days, endDate, seed, appearing } = shapeOf(options);
  const start = endDate.getTime() - days * MILLISECONDS_PER_DAY;
  const starts = (index: number) => new Date(start + (index % days) * MILLISECONDS_PER_DAY);
  return createMetricsModel({
    window: { start: new Date(start), end: endDate },
    metrics: Array.from({ length: Math.max(queries, 1) }, (_, metric) => ({
      name: metricName(metric),
      kind: 'counter' as const,
      series: Array.from({ length: identities }, (_unused, index) => {
        const own = seedOf(seed, `${metric}/${index}`);
        const mean = 1_000_000 * (1 + (index % 7));
        const at = (hour: number): number => Math.floor(mean * (0.5 + noise(own, hour)));
        const labels = { principal: principalId(index) };
        return appearing ? { labels, at, starts: starts(index) } : { labels, at };
      }),
    })),
  });
}

/** The rows that a day has when everything is allocated as the configuration says. */
export function scaleRowsPerDay(options: ScaleOptions): number {
  const { identities, costTypes } = shapeOf(options);
  return identities * costTypes;
}

/** A configuration for {@link scaleModel}; the product's clock stands one day after `endDate`. */
export function scaleConfigYaml(options: ScaleOptions, url: string, paths: SimulatedPaths): string {
  const { costTypes, queries, days } = shapeOf(options);
  const tenant = {
    tenantId: 'scale',
    lookbackDays: days + 1,
    cutoffDays: 1,
    clusterId: 'scale-platform',
    displayName: 'Scale',
    identitySource: {
      source: 'prometheus',
      label: 'principal',
      discovery_query: `group by (principal) (${metricName(0)})`,
    },
    costTypes: Array.from({ length: costTypes }, (_, index) => costType(index, index < queries)),
  };
  return tenantsYaml(genericMetricsTenant(tenant, url, paths));
}

function costType(
  index: number,
  byUsage: boolean,
): { [key: string]: string | { [key: string]: string | number } } {
  const common = { name: `SCALE_${index + 1}`, product_category: 'scale' };
  const increase = `increase(${metricName(index)}[1h])`;
  if (!byUsage) {
    const quantity = { type: 'fixed', count: 100 };
    return { ...common, rate: '1.25', cost_quantity: quantity, allocation_strategy: 'even_split' };
  }
  return {
    ...common,
    rate: '60',
    cost_quantity: { type: 'network_gib', query: `sum(${increase})` },
    allocation_strategy: 'usage_ratio',
    allocation_query: `sum by (principal) (${increase})`,
    allocation_label: 'principal',
  };
}

function shapeOf(options: ScaleOptions): ScaleShape {
  const { identities = 500, costTypes = 5, days = 30, endDate, seed = 1, appearing = false } = options;
  return { identities, costTypes, queries: options.queries ?? costTypes, days, endDate, seed, appearing };
}

function metricName(index: number): string {
  return `scale_bytes_${index + 1}_total`;
}

function principalId(index: number): string {
  return `svc-${String(index + 1).padStart(5, '0')}`;
}
