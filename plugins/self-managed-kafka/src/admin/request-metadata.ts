import { compareKeys } from '@chargeback/money';
import {
  type Admin,
  kGetApi,
  kGetBootstrapConnection,
  type metadataV12,
  ResponseError,
} from '@platformatic/kafka';

type MetadataResponse = metadataV12.MetadataResponse;
type MetadataArguments = [
  topics: null,
  allowAutoTopicCreation: boolean,
  includeAuthorizedOperations: boolean,
];

export interface ClusterMetadata {
  /** What the cluster calls itself; null before Kafka 0.10.1. */
  readonly clusterId: string | null;
  readonly brokers: readonly { id: number; host: string; port: number; rack: string | null }[];
  readonly topics: readonly TopicMetadata[];
}

export interface TopicMetadata {
  readonly name: string;
  readonly internal: boolean;
  /** Null where the broker did not say. */
  readonly partitions: number | null;
  readonly replicationFactor: number | null;
}

/**
 * Asks a bootstrap server once for all brokers and topics. The client's own `listTopics` and `metadata` leave
 * internal topics out and fail altogether while a single partition has no leader; hence the request itself.
 */
export async function requestMetadata(client: Admin): Promise<ClusterMetadata> {
  const { brokers, clusterId, topics } = await send(client);
  return {
    clusterId: clusterId ?? null,
    brokers: brokers
      .map(({ nodeId, host, port, rack }) => ({ id: nodeId, host, port, rack: rack ?? null }))
      .toSorted((left, right) => left.id - right.id),
    topics: topics.flatMap(topicOf).toSorted((left, right) => compareKeys(left.name, right.name)),
  };
}

function send(client: Admin): Promise<MetadataResponse> {
  return new Promise((resolve, reject) => {
    client[kGetBootstrapConnection]((noConnection, connection) => {
      if (noConnection || !connection) return reject(noConnection);
      client[kGetApi]<MetadataArguments, MetadataResponse>('Metadata', (noApi, api) => {
        if (noApi || !api) return reject(noApi);
        api(connection, null, false, false, (error, response) => {
          const whole = error instanceof ResponseError ? wholeAnswer(error) : response;
          if (whole) resolve(whole);
          else reject(error);
        });
      });
    });
  });
}

/** Only topics and partitions carry errors in this answer: the rest of it is as good as ever. */
function wholeAnswer(error: ResponseError & { response?: MetadataResponse }): MetadataResponse | undefined {
  return error.response;
}

function topicOf({ name, isInternal, partitions }: MetadataResponse['topics'][number]): TopicMetadata[] {
  if (!name) return [];
  const replicas = partitions.map(({ replicaNodes }) => replicaNodes.length);
  const known = replicas.length > 0;
  return [
    {
      name,
      internal: isInternal,
      partitions: known ? replicas.length : null,
      // A partition that is being moved lists its old and its new replicas: the smallest number is the steady one.
      replicationFactor: known ? replicas.reduce((least, count) => Math.min(least, count)) : null,
    },
  ];
}
