import { crnRoot, type Item, itemBase } from './item-base.ts';
import type {
  ConfluentOrganization,
  Lived,
  SimulatedCluster,
  SimulatedConnector,
  SimulatedKsqldb,
  SimulatedService,
  SimulatedStatement,
  SimulatedTopic,
} from './organization.ts';

/** Writes the resources of the organisation with this id as its interfaces show them. */
export interface ResourceItems {
  readonly environment: (one: Lived) => Item;
  readonly cluster: (one: SimulatedCluster) => Item;
  readonly schemaRegistry: (one: SimulatedService) => Item;
  readonly ksqldb: (one: SimulatedKsqldb) => Item;
  readonly computePool: (one: SimulatedService) => Item;
  readonly statement: (one: SimulatedStatement) => Item;
  readonly topic: (one: SimulatedTopic) => Item;
}

export function resourceItems(organizationId: string): ResourceItems {
  const root = crnRoot(organizationId);
  const inEnvironment = (segment: string, version: string, one: SimulatedService) => ({
    ...itemBase(segment === 'flink-region' ? 'ComputePool' : 'Cluster', version, {
      ...one,
      crn: `${root}/environment=${one.environmentId}/${segment}=${one.id}`,
    }),
    spec: {
      display_name: one.displayName,
      environment: { id: one.environmentId },
      cloud: one.cloud,
      region: one.region,
    },
  });
  const withSpec = (item: ReturnType<typeof inEnvironment>, more: Item): Item => ({
    ...item,
    spec: { ...item.spec, ...more },
  });
  return {
    environment: (one) => ({
      ...itemBase('Environment', 'org/v2', { ...one, crn: `${root}/environment=${one.id}` }),
      display_name: one.displayName,
    }),
    cluster: (one) =>
      withSpec(inEnvironment('cloud-cluster', 'cmk/v2', one), {
        config: one.kind === 'dedicated' ? { kind: 'Dedicated', cku: 2 } : { kind: 'Standard' },
        kafka_bootstrap_endpoint: `SASL_SSL://${one.id}.${one.region}.example.invalid:9092`,
      }),
    schemaRegistry: (one) =>
      withSpec(inEnvironment('schema-registry', 'srcm/v3', one), {
        package: 'ADVANCED',
        http_endpoint: `https://${one.id}.${one.region}.example.invalid`,
      }),
    ksqldb: (one) =>
      withSpec(inEnvironment('ksql', 'ksqldbcm/v2', one), {
        csu: 4,
        kafka_cluster: { id: one.clusterId },
        ...(one.ownerId === null ? {} : { credential_identity: { id: one.ownerId } }),
      }),
    computePool: (one) => withSpec(inEnvironment('flink-region', 'fcpm/v2', one), { max_cfu: 10 }),
    statement: (one) => statementItem(organizationId, one),
    topic: (one) => ({
      api_version: 'tableflow/v1',
      kind: 'TableflowTopic',
      metadata: { created_at: one.createdAt.toISOString() },
      spec: {
        display_name: one.displayName,
        environment: { id: one.environmentId },
        kafka_cluster: { id: one.clusterId },
      },
    }),
  };
}

export function organizationItem({ id, window }: ConfluentOrganization): Item {
  const life = { id, displayName: '', createdAt: window.start, deletedAt: null, crn: crnRoot(id) };
  return { ...itemBase('Organization', 'org/v2', life), display_name: 'Simulated organization' };
}

/** The connectors of a cluster: an object by name. */
export function connectorsAnswer(connectors: readonly SimulatedConnector[]): Item {
  return Object.fromEntries(
    connectors.map((one) => [
      one.displayName,
      {
        id: { id: one.id, id_type: 'ID' },
        info: {
          name: one.displayName,
          type: one.connectorClass.endsWith('SINK') ? 'sink' : 'source',
          config: { name: one.displayName, 'connector.class': one.connectorClass, ...one.credentials },
          tasks: [{ connector: one.displayName, task: 0 }],
        },
        status: { name: one.displayName, connector: { state: 'RUNNING', worker_id: one.id }, tasks: [] },
      },
    ]),
  );
}

function statementItem(organizationId: string, one: SimulatedStatement): Item {
  return {
    api_version: 'sql/v1',
    kind: 'Statement',
    name: one.displayName,
    organization_id: organizationId,
    environment_id: one.environmentId,
    metadata: { uid: one.id, created_at: one.createdAt.toISOString() },
    spec: {
      statement: 'SELECT 1;',
      compute_pool_id: one.computePoolId,
      ...(one.principal === null ? {} : { principal: one.principal }),
      stopped: one.phase === 'STOPPED',
    },
    status: { phase: one.phase },
  };
}
