import { MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import { bornBefore, type MadeIdentities } from './make-identities.ts';
import type { OrganizationShape } from './organization-shape.ts';
import type {
  ConfluentOrganization,
  SimulatedCluster,
  SimulatedConnector,
  SimulatedEnvironment,
  SimulatedService,
} from './organization.ts';
import { apiKeyId, uuidOf, vendorId } from './vendor-ids.ts';

export type MadePlatform = Pick<
  ConfluentOrganization,
  | 'environments'
  | 'clusters'
  | 'connectors'
  | 'schemaRegistries'
  | 'ksqldbClusters'
  | 'computePools'
  | 'statements'
  | 'tableflowTopics'
>;

const PLACES = [
  { cloud: 'AWS', region: 'eu-central-1' },
  { cloud: 'AWS', region: 'us-east-1' },
  { cloud: 'GCP', region: 'europe-west4' },
];
const ENVIRONMENT_NAMES = ['production', 'staging', 'analytics', 'development'];
const CONNECTORS_PER_CLUSTER = 2;
const STATEMENTS_PER_POOL = 4;

/** API keys beyond those that anything lists: a connector may still name them. */
export const VANISHED_KEY = 1_000_000;

/** What there is to pay for. */
export function makePlatform(shape: OrganizationShape, identities: MadeIdentities): MadePlatform {
  const { seed } = shape;
  const environments = Array.from({ length: shape.environments }, (_, index): SimulatedEnvironment => {
    const name = ENVIRONMENT_NAMES[index] ?? `environment-${index + 1}`;
    return { id: vendorId('env', seed, index), displayName: name, ...bornBefore(shape, 300) };
  });
  const clusters = Array.from({ length: shape.clusters }, (_, index): SimulatedCluster => ({
    id: vendorId('lkc', seed, index),
    displayName: `cluster-${index + 1}`,
    ...bornBefore(shape, 250),
    environmentId: environments[index % environments.length]!.id,
    ...PLACES[index % PLACES.length]!,
    // The last of several is of the kind that is no longer sold.
    kind: index > 0 && index === shape.clusters - 1 ? 'legacy' : 'dedicated',
  }));
  const service = (prefix: string, environment: SimulatedEnvironment, index: number): SimulatedService => ({
    id: vendorId(prefix, seed, index),
    displayName: `${environment.displayName}-${prefix}`,
    ...bornBefore(shape, 240),
    environmentId: environment.id,
    ...PLACES[0]!,
  });
  const pools = environments.map((environment, index) => service('lfcp', environment, index));
  const owner = (index: number): string => identities.accounts[index % identities.accounts.length]!.id;
  return {
    environments,
    clusters,
    connectors: clusters.flatMap((cluster, index) => connectorsOf(cluster, index, { shape, owner })),
    schemaRegistries: environments.map((environment, index) => service('lsrc', environment, index)),
    ksqldbClusters: environments.slice(0, 2).map((environment, index) => ({
      ...service('lksqlc', environment, index),
      clusterId: clusters[index % clusters.length]!.id,
      ownerId: index === 0 ? owner(4) : null,
    })),
    computePools: pools,
    statements: pools.flatMap((pool, index) => statementsOf(pool, index, { shape, owner })),
    tableflowTopics: clusters.slice(0, 1).map(({ id, environmentId }) => ({
      id: `${id}:orders`,
      displayName: 'orders',
      ...bornBefore(shape, 100),
      environmentId,
      clusterId: id,
    })),
  };
}

interface Making {
  readonly shape: OrganizationShape;
  readonly owner: (index: number) => string;
}

function connectorsOf(cluster: SimulatedCluster, clusterIndex: number, making: Making): SimulatedConnector[] {
  const { shape } = making;
  return Array.from({ length: CONNECTORS_PER_CLUSTER }, (_, place) => {
    const index = clusterIndex * CONNECTORS_PER_CLUSTER + place;
    const custom = index % 7 === 6;
    return {
      id: vendorId('lcc', shape.seed, index),
      displayName: `${custom ? 'custom' : place === 0 ? 's3-sink' : 'postgres-source'}-${index + 1}`,
      ...bornBefore(shape, 90),
      environmentId: cluster.environmentId,
      clusterId: cluster.id,
      connectorClass: custom ? 'com.example.OwnConnector' : place === 0 ? 'S3_SINK' : 'PostgresCdcSource',
      custom,
      credentials: credentialsOf(index, making),
    };
  });
}

const byKey = (key: string) => ({ 'kafka.auth.mode': 'KAFKA_API_KEY', 'kafka.api.key': key });

/** Every way in which the vendor tells, or does not tell, who a connector works for. */
function credentialsOf(index: number, { shape, owner }: Making): Readonly<Record<string, string>> {
  switch (index % 10) {
    case 1:
      // The first keys belong to the accounts in their order, see `makeTraffic`.
      return byKey(apiKeyId(shape.seed, index));
    case 3:
      return byKey('****************');
    case 5:
      return byKey(apiKeyId(shape.seed, VANISHED_KEY + index));
    case 7:
      return {};
    case 9:
      // The mode follows from what is there.
      return { 'kafka.service.account.id': owner(index) };
    default:
      return { 'kafka.auth.mode': 'SERVICE_ACCOUNT', 'kafka.service.account.id': owner(index * 3) };
  }
}

function statementsOf(pool: SimulatedService, poolIndex: number, { shape, owner }: Making) {
  const { environmentId, cloud, region } = pool;
  return Array.from({ length: STATEMENTS_PER_POOL }, (_, place) => {
    const index = poolIndex * STATEMENTS_PER_POOL + place;
    const stopped = place === STATEMENTS_PER_POOL - 1;
    const createdAt = new Date(shape.window.start.getTime() - (20 - place) * MILLISECONDS_PER_DAY);
    return {
      id: uuidOf(shape.seed, `statement ${index}`),
      displayName: `statement-${index + 1}`,
      createdAt,
      deletedAt: null,
      environmentId,
      computePoolId: pool.id,
      cloud,
      region,
      principal: place === 2 && poolIndex === 0 ? null : owner(index * 2),
      phase: stopped ? 'STOPPED' : 'RUNNING',
    };
  });
}
