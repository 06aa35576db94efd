import type { Resource } from '@chargeback/plugin-api';
import type { JsonValue } from '../http/parse-json.ts';
import { CONNECTOR_AUTH_MODES, METADATA, RESOURCE_TYPES, type ResourceType } from './names.ts';
import { lifetimeAt, metadataOf, textAt, valueAt } from './read-fields.ts';

/** Reads an item of a listing; null when it has no id. `scope` is what the listing was asked for. */
export type ReadResource = (item: JsonValue, scope: ResourceScope) => Resource | null;

export interface ResourceScope {
  readonly environmentId: string;
  readonly clusterId?: string;
}

type Differences = Pick<Resource, 'parentId'> &
  Partial<Pick<Resource, 'resourceId' | 'ownerId' | 'metadata' | 'displayName'>>;

function resourceOf(item: JsonValue, resourceType: ResourceType, differences: Differences): Resource | null {
  const resourceId = differences.resourceId ?? textAt(item, 'id');
  if (resourceId === null) return null;
  return {
    resourceId,
    resourceType,
    displayName: textAt(item, 'spec', 'display_name'),
    ownerId: null,
    ...lifetimeAt(item),
    metadata: {},
    ...differences,
  };
}

export function readEnvironment(item: JsonValue): Resource | null {
  return resourceOf(item, RESOURCE_TYPES.environment, {
    parentId: null,
    displayName: textAt(item, 'display_name'),
    metadata: metadataOf({ [METADATA.crn]: textAt(item, 'metadata', 'resource_name') }),
  });
}

export const readKafkaCluster: ReadResource = (item, scope) =>
  resourceOf(item, RESOURCE_TYPES.kafkaCluster, {
    parentId: environmentOf(item, scope),
    metadata: metadataOf({
      ...placeOf(item),
      [METADATA.bootstrapEndpoint]: textAt(item, 'spec', 'kafka_bootstrap_endpoint'),
    }),
  });

export const readSchemaRegistry: ReadResource = (item, scope) =>
  resourceOf(item, RESOURCE_TYPES.schemaRegistry, {
    parentId: environmentOf(item, scope),
    metadata: metadataOf({
      ...placeOf(item),
      [METADATA.httpEndpoint]: textAt(item, 'spec', 'http_endpoint'),
    }),
  });

export const readKsqldbCluster: ReadResource = (item, scope) =>
  resourceOf(item, RESOURCE_TYPES.ksqldbCluster, {
    parentId: environmentOf(item, scope),
    ownerId: textAt(item, 'spec', 'credential_identity', 'id'),
    metadata: metadataOf({
      [METADATA.kafkaClusterId]: textAt(item, 'spec', 'kafka_cluster', 'id'),
      [METADATA.csuCount]: plainAt(item, 'spec', 'csu'),
    }),
  });

export const readComputePool: ReadResource = (item, scope) =>
  resourceOf(item, RESOURCE_TYPES.flinkComputePool, {
    parentId: environmentOf(item, scope),
    metadata: placeOf(item),
  });

const STOPPED = new Set(['COMPLETED', 'FAILED', 'STOPPED']);

/** Names are unique within an environment and region only: without an id these two are part of it. */
export function readStatement(
  item: JsonValue,
  { environmentId, region }: Pick<ResourceScope, 'environmentId'> & { readonly region: string },
): Resource | null {
  const name = textAt(item, 'name');
  const principal = textAt(item, 'spec', 'principal');
  const phase = textAt(item, 'status', 'phase');
  const named = name === null ? null : `${environmentId}:${region}:statement:${name}`;
  const resourceId = textAt(item, 'metadata', 'uid') ?? named;
  if (resourceId === null) return null;
  return resourceOf(item, RESOURCE_TYPES.flinkStatement, {
    resourceId,
    displayName: name,
    parentId: environmentId,
    ownerId: principal,
    metadata: metadataOf({
      [METADATA.statementName]: name,
      [METADATA.computePoolId]:
        textAt(item, 'spec', 'compute_pool_id') ?? textAt(item, 'spec', 'compute_pool', 'id'),
      [METADATA.principal]: principal,
      [METADATA.phase]: phase,
      [METADATA.isStopped]: phase !== null && STOPPED.has(phase.toUpperCase()),
    }),
  });
}

/** A topic has no id of its own everywhere: its cluster and name tell it then. */
export const readTableflowTopic: ReadResource = (item, scope) => {
  const name = textAt(item, 'spec', 'display_name') ?? textAt(item, 'spec', 'topic_name');
  const clusterId = textAt(item, 'spec', 'kafka_cluster', 'id') ?? scope.clusterId ?? null;
  const resourceId = textAt(item, 'id') ?? (name === null ? null : `${clusterId}:tableflow:${name}`);
  if (resourceId === null) return null;
  return resourceOf(item, RESOURCE_TYPES.tableflowTopic, {
    resourceId,
    displayName: name,
    parentId: clusterId,
    metadata: metadataOf({ [METADATA.environmentId]: environmentOf(item, scope) }),
  });
};

/** Reads the connectors of a cluster: an object by name, with what `expand=info,status,id` adds. */
export function readConnectors(answer: JsonValue, scope: Required<ResourceScope>): (Resource | null)[] {
  const entries = Object.entries(typeof answer === 'object' && answer !== null ? answer : {});
  return entries.map(([name, connector]) => readConnector(name, connector as JsonValue, scope));
}

/** Its name is unique within its cluster only: without an id both are its id. */
function readConnector(name: string, connector: JsonValue, scope: Required<ResourceScope>): Resource | null {
  const setting = (key: string): string | null => textAt(connector, 'info', 'config', key);
  const apiKey = setting('kafka.api.key');
  const serviceAccountId = setting('kafka.service.account.id');
  const authMode = setting('kafka.auth.mode') ?? impliedMode(apiKey, serviceAccountId);
  return resourceOf(connector, RESOURCE_TYPES.connector, {
    resourceId:
      textAt(connector, 'id', 'id') ?? textAt(connector, 'id') ?? `${scope.clusterId}:connector:${name}`,
    displayName: setting('name') ?? name,
    parentId: scope.clusterId,
    ownerId: authMode === CONNECTOR_AUTH_MODES.serviceAccount ? serviceAccountId : null,
    metadata: metadataOf({
      [METADATA.authMode]: authMode,
      [METADATA.kafkaApiKey]: apiKey,
      [METADATA.kafkaServiceAccountId]: serviceAccountId,
      [METADATA.connectorClass]: setting('connector.class'),
      [METADATA.environmentId]: scope.environmentId,
    }),
  });
}

function impliedMode(apiKey: string | null, serviceAccountId: string | null): string {
  if (apiKey !== null) return CONNECTOR_AUTH_MODES.apiKey;
  return serviceAccountId === null ? CONNECTOR_AUTH_MODES.unknown : CONNECTOR_AUTH_MODES.serviceAccount;
}

function environmentOf(item: JsonValue, { environmentId }: ResourceScope): string {
  return textAt(item, 'spec', 'environment', 'id') ?? environmentId;
}

/** Where a thing runs. The vendor writes clouds and regions in either case. */
function placeOf(item: JsonValue): Resource['metadata'] {
  return metadataOf({
    [METADATA.cloud]: textAt(item, 'spec', 'cloud')?.trim().toLowerCase(),
    [METADATA.region]: textAt(item, 'spec', 'region')?.trim().toLowerCase(),
    [METADATA.crn]: textAt(item, 'metadata', 'resource_name'),
  });
}

function plainAt(item: JsonValue, ...path: readonly string[]): string | number | undefined {
  const value = valueAt(item, ...path);
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}
