/**
 * What the exporters call things: one preset for each naming family, one query for each need.
 *
 * Placeholders: `{selector}` the tenant's matchers; `{step}` the step as a range, so that nothing is counted
 * twice or missed; `{instants}` a sub-query range that holds every minute of a step once and
 * `{instant_seconds}` how long each of them stands for; `{label}` the label that names the principal;
 * `{window}` the discovery window as a range, for `principals` at least the day that is billed. In `scrapes` the
 * step is a few minutes long, and the selector is without matchers on topics.
 *
 * Rule sets expose byte counters per topic and, under the same name but without a topic, once more for all
 * topics together: `topic!=""` leaves that aggregate out.
 */
export const QUERY_KEYS = [
  'cluster_bytes_in',
  'cluster_bytes_out',
  'cluster_storage_bytes',
  'bytes_in_per_principal',
  'bytes_out_per_principal',
  'principals',
  'bytes_stored_per_topic',
  'brokers',
  'topics',
  'scrapes',
  'exporter_scrapes',
] as const;

export type QueryKey = (typeof QUERY_KEYS)[number];
/** Queries that not every preset has. */
export type ExtraQueryKey = 'exporter_scrapes';
/** Queries that every preset has. */
export type PresetQueryKey = Exclude<QueryKey, ExtraQueryKey>;

/** The names of the family, in short; also shown by the configuration's schema. */
export interface MetricPreset {
  readonly title: string;
  /** Names who sent or fetched, unless the tenant says another. */
  readonly principalLabel: string;
  /**
   * `counters` answer whenever the exporter does; `quotas` are gauges that exist only while a quota applies to
   * somebody, so that an hour without them is no outage.
   */
  readonly principalsFrom: 'counters' | 'quotas';
  /** The same of the bytes of the whole cluster. */
  readonly trafficFrom: 'counters' | 'quotas';
  readonly brokerLabel: string;
  readonly topicLabel: string;
  readonly queries: Readonly<Record<PresetQueryKey, string> & Partial<Record<ExtraQueryKey, string>>>;
}

/** How often each broker was scraped in a step, by series that are there whenever its exporter answers. */
function scrapesOf(metric: string, brokerLabel: string): string {
  return `max by (${brokerLabel}) (count_over_time(${metric}{{selector}}[{step}]))`;
}

/** Counters of bytes per broker and topic. */
function traffic(bytesIn: string, bytesOut: string, brokerLabel = 'instance') {
  return {
    // The aggregate of all topics is wanted here: it stands for a broker that leads no topic.
    scrapes: scrapesOf(bytesIn, brokerLabel),
    cluster_bytes_in: `sum(increase(${bytesIn}{topic!="",{selector}}[{step}]))`,
    cluster_bytes_out: `sum(increase(${bytesOut}{topic!="",{selector}}[{step}]))`,
  };
}

/** The same counters where something adds who sent or fetched. Brokers do not by themselves. */
export function trafficByPrincipal(bytesIn: string, bytesOut: string) {
  const named = 'topic!="",{label}!="",{selector}';
  return {
    bytes_in_per_principal: `sum by ({label}) (increase(${bytesIn}{${named}}[{step}]))`,
    bytes_out_per_principal: `sum by ({label}) (increase(${bytesOut}{${named}}[{step}]))`,
    // Of the functions over a range this one keeps the name, without which both directions would be one series.
    principals: `group by ({label}) (last_over_time({__name__=~"${bytesIn}|${bytesOut}",${named}}[{window}]))`,
  };
}

/**
 * Gauges of bytes per second by user or client, integrated over time. An average over the step times its seconds
 * would bill a client that was there for ten minutes as if it had gone on for the hour; minutes added up do not.
 */
function quotas(produce: string, fetch: string, either: string) {
  return {
    bytes_in_per_principal: integrated(produce),
    bytes_out_per_principal: integrated(fetch),
    principals: `group by ({label}) (last_over_time({${either},{label}!="",{selector}}[{window}]))`,
  };
}

function integrated(gauge: string): string {
  return `sum_over_time(sum by ({label}) ({${gauge},{label}!="",{selector}})[{instants}]) * {instant_seconds}`;
}

/** Quota gauges as the JMX exporter's example rules name them. */
export const QUOTA_RULES = quotas(
  '__name__="kafka_server_quota_byte_rate",resource="Produce"',
  '__name__="kafka_server_quota_byte_rate",resource="Fetch"',
  '__name__="kafka_server_quota_byte_rate",resource=~"Produce|Fetch"',
);

/** Quota gauges under a name for each direction. */
export const QUOTA_GAUGES = quotas(
  '__name__="kafka_server_produce_byte_rate"',
  '__name__="kafka_server_fetch_byte_rate"',
  '__name__=~"kafka_server_(produce|fetch)_byte_rate"',
);

/** Bytes on disk: a series for each replica of a partition, so replicas are counted. Not divided by anything. */
const LOG_SIZE = {
  cluster_storage_bytes: 'sum(kafka_log_log_size{{selector}})',
  bytes_stored_per_topic: 'sum by (topic) (kafka_log_log_size{topic!="",{selector}})',
};

/** Replicas per partition, and the brokers that hold them. */
function logInventory(brokerLabel: string) {
  return {
    brokers: `group by (${brokerLabel}) (present_over_time(kafka_log_log_size{{selector}}[{window}]))`,
    topics:
      'count by (topic, partition) (present_over_time(kafka_log_log_size{topic!="",{selector}}[{window}]))',
  };
}

const BYTES_IN = 'kafka_server_brokertopicmetrics_bytesin';
const BYTES_OUT = 'kafka_server_brokertopicmetrics_bytesout';

/** As the exporters of JMX name what a broker takes in. */
const BYTE_COUNTERS = ['bytesin_total', 'bytesinpersec_total', 'bytesin', 'bytesinpersec'].map(
  (name) => `kafka_server_brokertopicmetrics_${name}`,
);

export const METRIC_PRESETS = {
  plain: {
    title: 'the names of the cost specification, with a label for the principal on the byte counters',
    principalLabel: 'principal',
    principalsFrom: 'counters',
    trafficFrom: 'counters',
    brokerLabel: 'broker',
    topicLabel: 'topic',
    queries: {
      ...traffic(`${BYTES_IN}_total`, `${BYTES_OUT}_total`, 'broker, instance'),
      ...trafficByPrincipal(`${BYTES_IN}_total`, `${BYTES_OUT}_total`),
      ...LOG_SIZE,
      ...logInventory('broker'),
    },
  },
  jmx_exporter: {
    title: 'the example rules of the Prometheus JMX exporter, principals from quota metrics',
    principalLabel: 'user',
    principalsFrom: 'quotas',
    trafficFrom: 'counters',
    brokerLabel: 'instance',
    topicLabel: 'topic',
    queries: {
      ...traffic(`${BYTES_IN}_total`, `${BYTES_OUT}_total`),
      ...QUOTA_RULES,
      ...LOG_SIZE,
      ...logInventory('instance'),
    },
  },
  strimzi: {
    title: 'the Strimzi metrics reporter, principals from quota metrics',
    principalLabel: 'user',
    principalsFrom: 'quotas',
    trafficFrom: 'counters',
    brokerLabel: 'instance',
    topicLabel: 'topic',
    queries: {
      ...traffic(`${BYTES_IN}persec_total`, `${BYTES_OUT}persec_total`),
      ...QUOTA_GAUGES,
      ...LOG_SIZE,
      ...logInventory('instance'),
    },
  },
  jmx_monitoring_stacks: {
    title: 'the JMX monitoring stacks, principals from quota metrics',
    principalLabel: 'user',
    principalsFrom: 'quotas',
    trafficFrom: 'counters',
    brokerLabel: 'instance',
    topicLabel: 'topic',
    queries: {
      ...traffic(`${BYTES_IN}persec`, `${BYTES_OUT}persec`),
      ...QUOTA_GAUGES,
      ...LOG_SIZE,
      ...logInventory('instance'),
    },
  },
  kminion: {
    title: 'kminion for storage, the JMX exporter’s quota metrics for traffic and principals',
    principalLabel: 'user',
    principalsFrom: 'quotas',
    trafficFrom: 'quotas',
    brokerLabel: 'broker_id',
    topicLabel: 'topic_name',
    queries: {
      // Every byte is metered under exactly one quota, whichever labels that has.
      cluster_bytes_in:
        'sum_over_time(sum(kafka_server_quota_byte_rate{resource="Produce",{selector}})[{instants}]) * {instant_seconds}',
      cluster_bytes_out:
        'sum_over_time(sum(kafka_server_quota_byte_rate{resource="Fetch",{selector}})[{instants}]) * {instant_seconds}',
      ...QUOTA_RULES,
      cluster_storage_bytes: 'sum(kminion_kafka_topic_log_dir_size_total_bytes{{selector}})',
      bytes_stored_per_topic:
        'sum by (topic_name) (kminion_kafka_topic_log_dir_size_total_bytes{topic_name!="",{selector}})',
      // One exporter speaks for all brokers: a broker that it cannot ask is missing here.
      scrapes: scrapesOf('kminion_kafka_broker_log_dir_size_total_bytes', 'broker_id'),
      // And traffic comes from the brokers' own exporters: series that these have even while nobody sends. Other
      // programs have exporters of this kind too; only a broker has metrics of the server beside. One name at a time:
      // without it two series may be the same.
      exporter_scrapes: [
        'max by (instance) (count_over_time(jmx_scrape_duration_seconds{{selector}}[{step}])) and on (instance) group by (instance) (last_over_time({__name__=~"kafka_server_.+",topic="",user="",client_id="",{selector}}[{step}]))',
        ...BYTE_COUNTERS.map((name) => `max by (instance) (count_over_time(${name}{{selector}}[{step}]))`),
      ].join(' or '),
      brokers:
        'group by (broker_id) (present_over_time(kminion_kafka_broker_log_dir_size_total_bytes{{selector}}[{window}]))',
      topics:
        'group by (topic_name, partition_count, replication_factor) (present_over_time(kminion_kafka_topic_info{{selector}}[{window}]))',
    },
  },
} as const satisfies Record<string, MetricPreset>;

export type MetricPresetName = keyof typeof METRIC_PRESETS;

export const METRIC_PRESET_NAMES = Object.keys(METRIC_PRESETS) as readonly MetricPresetName[];
