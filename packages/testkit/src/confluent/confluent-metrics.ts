import type { Window } from '@chargeback/plugin-api';
import type { Labels, MetricDefinition, SeriesDefinition } from '../simulator/metric-definition.ts';
import { createMetricsModel, type MetricsModel } from '../simulator/metrics-model.ts';
import { noise, seedOf } from '../simulator/random.ts';
import type { ConfluentOrganization, SimulatedStatement } from './organization.ts';

export interface ConfluentMetricsOptions {
  /** Spans in which the metrics server did not scrape. Default: none. */
  readonly outages?: readonly Window[];
  /** Series of a metric beyond this number are missing, without a word, as in the vendor's export. Default: 60,000. */
  readonly pointLimit?: number;
}

/** What the vendor's export says of one minute is a sample of that minute. */
export const SAMPLE_SECONDS = 60;

const SCRAPE = { job: 'confluent-cloud', instance: 'api.telemetry.confluent.cloud:443' };
const RESOURCE_TYPES = ['resource.kafka.id', 'resource.compute_pool.id'];
/** Runs, and no listing knows it. */
const UNLISTED_STATEMENT = 'statement-from-a-notebook';

/** What a Prometheus server knows that scrapes the vendor's export: gauges of what each minute brought. */
export function confluentMetrics(
  organization: ConfluentOrganization,
  { outages = [], pointLimit = 60_000 }: ConfluentMetricsOptions = {},
): MetricsModel {
  const gauge = (name: string, series: readonly SeriesDefinition[]): MetricDefinition => ({
    name,
    kind: 'gauge',
    series: series.slice(0, pointLimit),
  });
  return createMetricsModel({
    window: organization.window,
    outages,
    sampleSeconds: SAMPLE_SECONDS,
    metrics: [
      gauge('confluent_kafka_server_request_bytes', bytes(organization, 'Produce', 'bytesIn')),
      gauge('confluent_kafka_server_response_bytes', bytes(organization, 'Fetch', 'bytesOut')),
      ...flinkMetrics(organization).map(({ name, series }) => gauge(name, series)),
      gauge(
        'confluent_scrape_resource_access_error',
        RESOURCE_TYPES.map((type) => ({ labels: { ...SCRAPE, resource_type: type }, at: () => 0 })),
      ),
    ],
  });
}

function bytes(
  { traffic }: ConfluentOrganization,
  type: string,
  direction: 'bytesIn' | 'bytesOut',
): SeriesDefinition[] {
  return traffic.map((one) => ({
    labels: { ...SCRAPE, kafka_id: one.clusterId, principal_id: one.principalId, type },
    at: one[direction],
    starts: one.starts,
    ...(one.ends === null ? {} : { ends: one.ends }),
  }));
}

/** The second compute pool speaks through the fallback metric only. */
function flinkMetrics(organization: ConfluentOrganization) {
  const { computePools, statements } = organization;
  const running = statements.filter(({ phase }) => phase === 'RUNNING');
  const second = computePools[1]?.id;
  const [first] = computePools;
  return [
    {
      name: 'confluent_flink_num_cfu',
      series: [
        ...running.filter((one) => one.computePoolId !== second).map((one) => cfus(organization, one)),
        ...(first ? [cfus(organization, { computePoolId: first.id, displayName: UNLISTED_STATEMENT })] : []),
      ],
    },
    {
      name: 'confluent_flink_statement_utilization_cfu_minutes_consumed',
      series: running.filter((one) => one.computePoolId === second).map((one) => cfus(organization, one)),
    },
  ];
}

function cfus(
  { seed }: ConfluentOrganization,
  { computePoolId, displayName }: Pick<SimulatedStatement, 'computePoolId' | 'displayName'>,
): SeriesDefinition {
  const own = seedOf(seed, `${computePoolId}/${displayName}`);
  const labels: Labels = {
    ...SCRAPE,
    compute_pool_id: computePoolId,
    flink_statement_name: displayName,
  };
  return { labels, at: (hour) => 1 + Math.floor(3 * noise(own, hour)) };
}
