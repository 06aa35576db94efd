import type { UsageQuery } from '@chargeback/plugin-api';

/** Names of what is measured, in storage and in allocators. */
export const USAGE_KEYS = {
  /** Bytes that principals sent to a cluster. */
  bytesIn: 'bytes_in',
  /** Bytes that principals read from a cluster. */
  bytesOut: 'bytes_out',
  /** CFU-minutes of the statements of a compute pool. */
  flinkCfu: 'flink_cfu',
} as const;

export type UsageKey = (typeof USAGE_KEYS)[keyof typeof USAGE_KEYS];

/** A metric of Confluent Cloud under both of its names. */
export interface MetricName {
  /** In Confluent's Prometheus export: a gauge with one sample a minute, which says what that minute brought. */
  readonly exportName: string;
  /** In the Metrics API. */
  readonly apiName: string;
}

/** A measure that tells who used what. */
export interface UsageMetric {
  readonly key: UsageKey;
  /** Metrics of this measure, the best first. The next is for resources that those before say nothing about. */
  readonly names: readonly [MetricName, ...MetricName[]];
  /** The label of the one who is charged, without the prefix that the Metrics API puts before it. */
  readonly identityLabel: 'principal_id' | 'flink_statement_name';
  readonly identityField: string;
  readonly resourceLabel: 'kafka_id' | 'compute_pool_id';
  readonly resourceField: 'resource.kafka.id' | 'resource.compute_pool.id';
  /** Whether the label names identities or things that belong to one. */
  readonly namesIdentities: boolean;
}

const KAFKA = {
  identityLabel: 'principal_id',
  identityField: 'metric.principal_id',
  resourceLabel: 'kafka_id',
  resourceField: 'resource.kafka.id',
  namesIdentities: true,
} as const;

export const USAGE_METRICS: readonly UsageMetric[] = [
  { key: USAGE_KEYS.bytesIn, names: [kafkaServer('request_bytes')], ...KAFKA },
  { key: USAGE_KEYS.bytesOut, names: [kafkaServer('response_bytes')], ...KAFKA },
  {
    key: USAGE_KEYS.flinkCfu,
    names: [
      flink('num_cfu'),
      flink('statement_utilization/cfu_minutes_consumed'),
      flink('statement_utilization/current_cfus'),
    ],
    identityLabel: 'flink_statement_name',
    identityField: 'resource.flink_statement.name',
    resourceLabel: 'compute_pool_id',
    resourceField: 'resource.compute_pool.id',
    namesIdentities: false,
  },
];

function kafkaServer(name: string): MetricName {
  return { exportName: `confluent_kafka_server_${name}`, apiName: `io.confluent.kafka.server/${name}` };
}

function flink(name: string): MetricName {
  const exportName = `confluent_flink_${name.replace('/', '_')}`;
  return { exportName, apiName: `io.confluent.flink/${name}` };
}

export function usageMetric(key: string): UsageMetric | undefined {
  return USAGE_METRICS.find((metric) => metric.key === key);
}

/** All resources of a metric in one query: the number of requests does not grow with their number. */
export function usageQueryOf(metric: UsageMetric, stepSeconds: number): UsageQuery {
  return {
    key: metric.key,
    expression: sumOverTime(metric, metric.names[0]),
    stepSeconds,
    reduce: 'sum',
    identityLabel: metric.identityLabel,
    resourceLabel: metric.resourceLabel,
    namesIdentities: metric.namesIdentities,
  };
}

/** Each sample is what one minute brought, so that a range must be summed: a sample by itself is that minute. */
export function sumOverTime(
  { resourceLabel, identityLabel }: UsageMetric,
  { exportName }: MetricName,
): (range: string) => string {
  return (range) =>
    `sum by (${resourceLabel}, ${identityLabel}) (sum_over_time(${exportName}[${leftOpen(range)}]))`;
}

/**
 * A range of whole seconds less one millisecond. Up to version 2 a Prometheus server counts a sample at either
 * end of a range: the minute that ends with an hour would be counted in both hours.
 */
export function leftOpen(range: string): string {
  return `${Number.parseInt(range, 10) * 1000 - 1}ms`;
}
