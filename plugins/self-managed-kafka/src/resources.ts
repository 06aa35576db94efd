import {
  type IsoDate,
  isoDateOf,
  type Metadata,
  type Resource,
  type ResourceBatch,
} from '@chargeback/plugin-api';
import type { PrometheusClient, RangeAnswer, RangeSeries } from '@chargeback/prometheus';
import type { Queries } from './queries.ts';
import type { Settings } from './settings.ts';
import { termsOn } from './terms.ts';

/** The cluster as it is configured, on a day. */
export function clusterResource(settings: Settings, today: IsoDate): Resource {
  const { cluster_id: id, region } = settings;
  return resource({
    id,
    type: 'cluster',
    name: id,
    parent: null,
    metadata: { broker_count: termsOn(settings, today).brokerCount, region: region ?? null },
  });
}

/**
 * The cluster, and the brokers and topics whose logs the metrics server saw within the discovery window.
 * @throws {ChargebackError} with a `CB_METRICS_` code when it cannot be asked.
 */
export async function listFromMetrics(
  settings: Settings,
  { client, queries, time }: { client: PrometheusClient; queries: Queries; time: Date },
  signal: AbortSignal,
): Promise<ResourceBatch> {
  const ask = async (key: 'brokers' | 'topics'): Promise<RangeAnswer> => {
    const expression = queries.text(key, settings.metrics_step_seconds);
    return client.query({ expression, time }, signal);
  };
  const [brokers, topics] = await Promise.all([ask('brokers'), ask('topics')]);
  const { cluster_id: clusterId } = settings;
  const { brokerLabel, topicLabel } = queries.preset;
  const names = new Set(
    brokers.series.map(({ labels }) => labels[brokerLabel] ?? '').filter((name) => name !== ''),
  );
  const shapes = shapesOf(topics.series, topicLabel);
  return {
    // An exporter that is down, or half an answer, is no reason to call brokers or topics deleted.
    authoritativeFor: [
      'cluster',
      ...(names.size > 0 && brokers.warnings.length === 0 ? ['broker'] : []),
      ...(shapes.size > 0 && topics.warnings.length === 0 ? ['topic'] : []),
    ],
    resources: [
      clusterResource(settings, isoDateOf(time)),
      ...[...names].toSorted().map((name) =>
        resource({
          id: `${clusterId}:broker:${name}`,
          type: 'broker',
          name,
          parent: clusterId,
          metadata: { cluster_id: clusterId },
        }),
      ),
      ...[...shapes].map(([name, { partitions, replicas }]) =>
        resource({
          id: `${clusterId}:topic:${name}`,
          type: 'topic',
          name,
          parent: clusterId,
          metadata: { cluster_id: clusterId, partitions, replication_factor: replicas },
        }),
      ),
    ],
  };
}

interface TopicShape {
  readonly partitions: number;
  readonly replicas: number;
}

/** A series tells either of one partition, its value being the replicas, or in labels of the whole topic. */
function shapesOf(series: readonly RangeSeries[], topicLabel: string): Map<string, TopicShape> {
  const shapes = new Map<string, TopicShape>();
  for (const { labels, values } of series) {
    const name = labels[topicLabel];
    if (!name) continue;
    const { partitions, replicas } = shapes.get(name) ?? { partitions: 0, replicas: 0 };
    const { partition_count: count, replication_factor: factor } = labels;
    shapes.set(name, {
      partitions: count === undefined ? partitions + 1 : Number(count),
      replicas: Math.max(replicas, factor === undefined ? (values[0] ?? 0) : Number(factor)),
    });
  }
  return new Map([...shapes].toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function resource({
  id,
  type,
  name,
  parent,
  metadata,
}: {
  id: string;
  type: string;
  name: string;
  parent: string | null;
  metadata: Metadata;
}): Resource {
  return {
    resourceId: id,
    resourceType: type,
    displayName: name,
    parentId: parent,
    ownerId: null,
    createdAt: null,
    deletedAt: null,
    metadata,
  };
}
