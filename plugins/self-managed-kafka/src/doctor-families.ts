/** What a family calls the metrics that a bill is made of. */
export interface MetricFamily {
  /** Name of the preset that bills from this family. */
  readonly preset: string;
  readonly title: string;
  /** Counters of bytes since the broker started; null where the family counts no bytes. */
  readonly bytesIn: string | null;
  readonly bytesOut: string | null;
  /** Gauge of the bytes on disk, replicas included. */
  readonly logSize: string;
  readonly topicLabel: string;
}

/** The naming families in use, the likeliest first. Names are as the exporters' own rule sets produce them. */
export const METRIC_FAMILIES: readonly MetricFamily[] = [
  {
    preset: 'jmx_exporter',
    title: 'the examples of the Prometheus JMX exporter',
    bytesIn: 'kafka_server_brokertopicmetrics_bytesin_total',
    bytesOut: 'kafka_server_brokertopicmetrics_bytesout_total',
    logSize: 'kafka_log_log_size',
    topicLabel: 'topic',
  },
  {
    preset: 'strimzi',
    title: 'the Strimzi metrics reporter',
    bytesIn: 'kafka_server_brokertopicmetrics_bytesinpersec_total',
    bytesOut: 'kafka_server_brokertopicmetrics_bytesoutpersec_total',
    logSize: 'kafka_log_log_size',
    topicLabel: 'topic',
  },
  {
    preset: 'jmx_monitoring_stacks',
    title: 'the JMX monitoring stacks',
    bytesIn: 'kafka_server_brokertopicmetrics_bytesinpersec',
    bytesOut: 'kafka_server_brokertopicmetrics_bytesoutpersec',
    logSize: 'kafka_log_log_size',
    topicLabel: 'topic',
  },
  {
    preset: 'kminion',
    title: 'kminion',
    bytesIn: null,
    bytesOut: null,
    logSize: 'kminion_kafka_topic_log_dir_size_total_bytes',
    topicLabel: 'topic_name',
  },
];

/** Gauges of bytes per second by user or client: they exist only where a quota applies. */
export const QUOTA_METRICS = [
  'kafka_server_quota_byte_rate',
  'kafka_server_produce_byte_rate',
  'kafka_server_fetch_byte_rate',
] as const;

/** Labels that name who sent or fetched, the most telling first, as rule sets spell them. */
export const PRINCIPAL_LABELS = ['principal', 'user', 'client_id', 'clientId', 'clientid'] as const;

/** Labels that tell one cluster from another. */
export const CLUSTER_LABELS = [
  'cluster',
  'kafka_cluster',
  'kafka_cluster_id',
  'strimzi_io_cluster',
  'namespace',
  'kubernetes_namespace',
  'environment',
  'env',
  'job',
] as const;
