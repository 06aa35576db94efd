import { MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import { noise, seedOf } from '../simulator/random.ts';
import {
  type ConfluentOrganization,
  livesIn,
  type SimulatedCluster,
  type SimulatedConnector,
} from './organization.ts';
import type { CostDraft } from './simulated-cost.ts';

/** Ten-thousandths: what quantities and prices are counted in. */
const UNIT = 10_000;
const HOURS = 24 * UNIT;
/** On every so manieth day a part of the traffic of the first cluster is refunded. */
const REFUND_EVERY_DAYS = 14;

/** What is billed for one day, in the order of the bill. */
export function draftsOf(organization: ConfluentOrganization, start: Date): CostDraft[] {
  const { seed, window, clusters, environments } = organization;
  const end = new Date(start.getTime() + MILLISECONDS_PER_DAY);
  const lives = <Thing extends Parameters<typeof livesIn>[0]>(things: readonly Thing[]): Thing[] =>
    things.filter((thing) => livesIn(thing, { start, end }));
  const day = Math.round((start.getTime() - window.start.getTime()) / MILLISECONDS_PER_DAY);
  // From 0.5 to 1.5 times the mean, whole ten-thousandths.
  const about = (mean: number, name: string): number =>
    Math.round(mean * UNIT * (0.5 + noise(seedOf(seed, name), day)));
  return [
    ...lives(clusters).flatMap((cluster, index) => clusterDrafts(cluster, { isFirst: index === 0, about })),
    ...lives(organization.connectors).flatMap((one, index) => connectorDrafts(one, index === 0, about)),
    ...serviceDrafts(organization, lives, about),
    ...firstClusterDrafts(clusters, about),
    ...orgWideDrafts(environments.length, about),
    ...(day % REFUND_EVERY_DAYS === REFUND_EVERY_DAYS - 1 ? refunds(clusters, about) : []),
  ];
}

type About = (mean: number, name: string) => number;

const line = (
  product: string | null,
  [lineType, unit]: readonly [string, string],
  [quantity, price]: readonly [number, number],
): Omit<CostDraft, 'resource'> => ({ product, lineType, unit, quantity, price: Math.round(price * UNIT) });

const resourceOf = ({
  id,
  displayName,
  environmentId,
}: {
  id: string;
  displayName: string;
  environmentId: string;
}) => ({
  id,
  displayName,
  environmentId,
});

function clusterDrafts(
  cluster: SimulatedCluster,
  { isFirst, about }: { isFirst: boolean; about: About },
): CostDraft[] {
  const resource = resourceOf(cluster);
  const networkAccessType = isFirst ? 'PRIVATE_LINK' : 'INTERNET';
  const kafka = (what: readonly [string, string], cost: readonly [number, number]): CostDraft => ({
    ...line('KAFKA', what, cost),
    resource,
    networkAccessType,
  });
  const written = about(400, `written ${cluster.id}`);
  const write: readonly [string, string] = ['KAFKA_NETWORK_WRITE', 'GB'];
  const network = [
    // The first cluster has tiered prices: two rows for one line.
    ...(isFirst
      ? [
          { ...kafka(write, [Math.round(written * 0.7), 0.0345]), tier: '1' },
          { ...kafka(write, [Math.round(written * 0.3), 0.023]), tier: '2' },
        ]
      : [kafka(write, [written, 0.0345])]),
    kafka(['KAFKA_NETWORK_READ', 'GB'], [about(700, `read ${cluster.id}`), 0.0345]),
    kafka(['KAFKA_STORAGE', 'GB-hour'], [about(24_000, `stored ${cluster.id}`), 0.0001]),
  ];
  if (cluster.kind === 'legacy') {
    return [
      kafka(['KAFKA_BASE', 'Hour'], [HOURS, 1.5]),
      kafka(['KAFKA_PARTITION', 'Partition-hour'], [about(4000, `partitions ${cluster.id}`), 0.0015]),
      ...network,
    ];
  }
  return [kafka(['KAFKA_NUM_CKUS', 'CKU-hour'], [2 * HOURS, 2.1781]), ...network];
}

function connectorDrafts(connector: SimulatedConnector, isFirst: boolean, about: About): CostDraft[] {
  const resource = resourceOf(connector);
  const name = (what: string): string => `${what} ${connector.id}`;
  const drafts = connector.custom
    ? [
        line('CUSTOM_CONNECT', ['CUSTOM_CONNECT_NUM_TASKS', 'Task-hour'], [2 * HOURS, 0.1]),
        line('CUSTOM_CONNECT', ['CUSTOM_CONNECT_THROUGHPUT', 'GB'], [about(3, name('custom')), 0.025]),
      ]
    : [
        line('CONNECT', ['CONNECT_NUM_TASKS', 'Task-hour'], [HOURS, 0.0347]),
        line('CONNECT', ['CONNECT_THROUGHPUT', 'GB'], [about(20, name('throughput')), 0.025]),
      ];
  if (isFirst) {
    drafts.push(
      line('CONNECT', ['CONNECT_CAPACITY', 'Hour'], [HOURS, 0.2]),
      line('CONNECT', ['CONNECT_NUM_RECORDS', 'Record'], [about(90, name('records')), 0.001]),
    );
  }
  return drafts.map((draft) => ({ ...draft, resource }));
}

function serviceDrafts(
  { schemaRegistries, ksqldbClusters, computePools }: ConfluentOrganization,
  lives: <Thing extends Parameters<typeof livesIn>[0]>(things: readonly Thing[]) => Thing[],
  about: About,
): CostDraft[] {
  return [
    ...lives(schemaRegistries).flatMap((registry) =>
      [
        line('STREAM_GOVERNANCE', ['GOVERNANCE_BASE', 'Hour'], [HOURS, 1]),
        line('STREAM_GOVERNANCE', ['SCHEMA_REGISTRY', 'Schema-hour'], [about(2400, registry.id), 0.002]),
        line('STREAM_GOVERNANCE', ['NUM_RULES', 'Rule-hour'], [about(240, `rules ${registry.id}`), 0.01]),
      ].map((draft) => ({ ...draft, resource: resourceOf(registry) })),
    ),
    ...lives(ksqldbClusters).map((one) => ({
      ...line('KSQL', ['KSQL_NUM_CSUS', 'CSU-hour'], [4 * HOURS, 0.23]),
      resource: resourceOf(one),
    })),
    ...lives(computePools).map((pool) => ({
      ...line('FLINK', ['FLINK_NUM_CFUS', 'CFU-minute'], [about(7200, pool.id), 0.0035]),
      resource: resourceOf(pool),
    })),
  ];
}

/** What few have: billed to the first cluster, and to a connected cluster on their own premises. */
function firstClusterDrafts([first]: readonly SimulatedCluster[], about: About): CostDraft[] {
  if (!first) return [];
  const onCluster = [
    line('KAFKA', ['KAFKA_REST_PRODUCE', 'GB'], [about(4, 'rest'), 0.05]),
    line('KAFKA', ['KAFKA_STREAMS', 'Hour'], [HOURS, 0.04]),
    line('CLUSTER_LINK', ['CLUSTER_LINKING_PER_LINK', 'Link-hour'], [HOURS, 0.25]),
    line('CLUSTER_LINK', ['CLUSTER_LINKING_READ', 'GB'], [about(60, 'link read'), 0.05]),
    line('CLUSTER_LINK', ['CLUSTER_LINKING_WRITE', 'GB'], [about(60, 'link write'), 0.05]),
    line('TABLEFLOW', ['TABLEFLOW_NUM_TOPICS', 'Topic-hour'], [HOURS, 0.1]),
    line('TABLEFLOW', ['TABLEFLOW_DATA_PROCESSED', 'GB'], [about(50, 'tableflow'), 0.04]),
    line('TABLEFLOW', ['TABLEFLOW_STORAGE', 'GB-hour'], [about(2400, 'tableflow storage'), 0.0001]),
  ].map((draft) => ({ ...draft, resource: resourceOf(first) }));
  const premises = { id: 'usmk-branch1', displayName: 'branch-office', environmentId: null };
  return [
    ...onCluster,
    { ...line('USM', ['USM_CONNECTED_NODE', 'Node-hour'], [3 * HOURS, 0.02]), resource: premises },
  ];
}

function orgWideDrafts(environments: number, about: About): CostDraft[] {
  return [
    { ...line('AUDIT_LOG', ['AUDIT_LOG_READ', 'GB'], [about(12, 'audit'), 0.05]), resource: null },
    {
      ...line('SUPPORT_CLOUD_BUSINESS', ['SUPPORT', 'Hour'], [HOURS, 1.3699 * environments]),
      resource: null,
    },
    {
      ...line(null, ['PROMO_CREDIT', 'USD'], [about(8, 'promo'), 1]),
      resource: null,
      negative: true,
      description: 'Promotional credit',
    },
  ];
}

function refunds([first]: readonly SimulatedCluster[], about: About): CostDraft[] {
  if (!first) return [];
  const read = line('KAFKA', ['KAFKA_NETWORK_READ', 'GB'], [about(50, 'refund'), 0.0345]);
  return [{ ...read, resource: resourceOf(first), negative: true, description: 'Refund after an incident' }];
}
