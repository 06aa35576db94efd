import type { Resource, ResourceBatch } from '@chargeback/plugin-api';
import { listAll } from '../http/ccloud-client.ts';
import type { CcloudRequest } from '../http/ccloud-request.ts';
import type { InventorySource } from './inventory-source.ts';
import { listStatements } from './list-statements.ts';
import { type Listing, listOptional, runListing } from './listing.ts';
import { RESOURCE_TYPES, type ResourceType } from './names.ts';
import {
  readComputePool,
  readConnectors,
  readEnvironment,
  readKafkaCluster,
  readKsqldbCluster,
  type ReadResource,
  readSchemaRegistry,
  readTableflowTopic,
  type ResourceScope,
} from './read-resources.ts';

/** Listings that take the environment as a parameter. The page sizes are those that the vendor accepts. */
const PER_ENVIRONMENT: readonly {
  readonly type: ResourceType;
  readonly path: string;
  readonly pageSize: number;
  readonly read: ReadResource;
}[] = [
  { type: RESOURCE_TYPES.kafkaCluster, path: '/cmk/v2/clusters', pageSize: 99, read: readKafkaCluster },
  { type: RESOURCE_TYPES.schemaRegistry, path: '/srcm/v3/clusters', pageSize: 50, read: readSchemaRegistry },
  {
    type: RESOURCE_TYPES.ksqldbCluster,
    path: '/ksqldbcm/v2/clusters',
    pageSize: 99,
    read: readKsqldbCluster,
  },
  {
    type: RESOURCE_TYPES.flinkComputePool,
    path: '/fcpm/v2/compute-pools',
    pageSize: 50,
    read: readComputePool,
  },
];

/** Request of the environments; everything else is asked for by environment. */
export const ENVIRONMENTS: CcloudRequest = { path: '/org/v2/environments', query: { page_size: 99 } };

/**
 * Every type in a batch of its own, authoritative only when its whole listing succeeded. A listing that is
 * forbidden or broken is a problem of its type; the others go on.
 */
export async function* listResources(
  source: InventorySource,
  signal: AbortSignal,
): AsyncGenerator<ResourceBatch> {
  const environments = await listEnvironments(source, signal);
  yield batchOf(environments);
  const scoped = await Promise.all(
    PER_ENVIRONMENT.map((listing) => listPerEnvironment(source, { ...listing, environments }, signal)),
  );
  for (const listing of scoped) yield batchOf(listing);
  const clusters = scoped.find(({ type }) => type === RESOURCE_TYPES.kafkaCluster)!;
  const pools = scoped.find(({ type }) => type === RESOURCE_TYPES.flinkComputePool)!;
  const dependent = await Promise.all([
    listConnectors(source, clusters, signal),
    listTableflowTopics(source, clusters, signal),
    listStatements(source, { environments, pools }, signal),
  ]);
  for (const listing of dependent) yield batchOf(listing);
}

function listEnvironments({ client }: InventorySource, signal: AbortSignal): Promise<Listing<Resource>> {
  const list = async () => (await listAll(client, ENVIRONMENTS, signal)).map(readEnvironment);
  return runListing(RESOURCE_TYPES.environment, [{ where: '', list }], { signal });
}

function batchOf({ type, items, complete, problems }: Listing<Resource>): ResourceBatch {
  return { authoritativeFor: complete ? [type] : [], resources: items, problems };
}

/** A type that is not asked for: nothing is known, nothing is gone. */
function skipped(type: ResourceType): Listing<Resource> {
  return { type, items: [], complete: false, problems: [] };
}

type PerEnvironment = (typeof PER_ENVIRONMENT)[number] & { readonly environments: Listing<Resource> };

async function listPerEnvironment(
  { client, skip }: InventorySource,
  { type, path, pageSize, read, environments }: PerEnvironment,
  signal: AbortSignal,
): Promise<Listing<Resource>> {
  if (skip.has(type)) return skipped(type);
  const parts = environments.items.map(({ resourceId: environmentId }) => ({
    where: `environment ${environmentId}`,
    list: async () => {
      const query = { environment: environmentId, page_size: pageSize };
      const items = await listAll(client, { path, query }, signal);
      return items.map((item) => read(item, { environmentId }));
    },
  }));
  return runListing(type, parts, { signal, wholeBefore: environments.complete });
}

async function listConnectors(
  { client, skip }: InventorySource,
  clusters: Listing<Resource>,
  signal: AbortSignal,
): Promise<Listing<Resource>> {
  if (skip.has(RESOURCE_TYPES.connector)) return skipped(RESOURCE_TYPES.connector);
  const parts = perCluster(clusters, async (scope) => {
    const { environmentId, clusterId } = scope;
    const path = `/connect/v1/environments/${encodeURIComponent(environmentId)}/clusters/${encodeURIComponent(clusterId)}/connectors`;
    return readConnectors(await client.get({ path, query: { expand: 'info,status,id' } }, signal), scope);
  });
  return runListing(RESOURCE_TYPES.connector, parts, { signal, wholeBefore: clusters.complete });
}

/** Most organisations have no Tableflow, and some of their clusters cannot have it. */
async function listTableflowTopics(
  { client, skip }: InventorySource,
  clusters: Listing<Resource>,
  signal: AbortSignal,
): Promise<Listing<Resource>> {
  if (skip.has(RESOURCE_TYPES.tableflowTopic)) return skipped(RESOURCE_TYPES.tableflowTopic);
  const parts = perCluster(clusters, async (scope) => {
    const { environmentId: environment, clusterId } = scope;
    const query = { environment, 'spec.kafka_cluster': clusterId, page_size: 99 };
    const items = await listOptional(client, { path: '/tableflow/v1/tableflow-topics', query }, signal);
    return items.map((item) => readTableflowTopic(item, scope));
  });
  return runListing(RESOURCE_TYPES.tableflowTopic, parts, { signal, wholeBefore: clusters.complete });
}

type ClusterScope = Required<ResourceScope>;

function perCluster(
  clusters: Listing<Resource>,
  list: (scope: ClusterScope) => Promise<readonly (Resource | null)[]>,
) {
  return clusters.items.map(({ resourceId: clusterId, parentId }) => ({
    where: `cluster ${clusterId}`,
    list: () => list({ environmentId: parentId ?? '', clusterId }),
  }));
}
