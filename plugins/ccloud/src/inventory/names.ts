/** Names that the inventory is stored under and that identity resolution reads: one spelling, in one file. */

export const RESOURCE_TYPES = {
  environment: 'environment',
  kafkaCluster: 'kafka_cluster',
  connector: 'connector',
  schemaRegistry: 'schema_registry',
  ksqldbCluster: 'ksqldb_cluster',
  flinkComputePool: 'flink_compute_pool',
  flinkStatement: 'flink_statement',
  tableflowTopic: 'tableflow_topic',
} as const;

export type ResourceType = (typeof RESOURCE_TYPES)[keyof typeof RESOURCE_TYPES];

export const IDENTITY_TYPES = {
  serviceAccount: 'service_account',
  user: 'user',
  apiKey: 'api_key',
  identityProvider: 'identity_provider',
  identityPool: 'identity_pool',
  certificatePool: 'certificate_pool',
  groupMapping: 'group_mapping',
  /** A name found in the metrics that no listing knows. */
  principal: 'principal',
  /** Named sentinels of this plugin, besides the engine's UNALLOCATED. */
  system: 'system',
} as const;

export type IdentityType = (typeof IDENTITY_TYPES)[keyof typeof IDENTITY_TYPES];

/** How a connector authenticates to its cluster: the value of `metadata.auth_mode`. */
export const CONNECTOR_AUTH_MODES = {
  serviceAccount: 'SERVICE_ACCOUNT',
  apiKey: 'KAFKA_API_KEY',
  unknown: 'UNKNOWN',
} as const;

/**
 * Keys of `metadata`. Where an entry names a type, only things of that type carry the key; a key whose
 * value the vendor did not give is absent.
 */
export const METADATA = {
  /** connector: a value of {@link CONNECTOR_AUTH_MODES}, or the vendor's own word. */
  authMode: 'auth_mode',
  /** connector: id of the API key it uses; only asterisks where the vendor masks it. */
  kafkaApiKey: 'kafka_api_key',
  /** connector: id of its service account. Also `ownerId`. */
  kafkaServiceAccountId: 'kafka_service_account_id',
  connectorClass: 'connector_class',
  /** flink_statement: id of its compute pool. `parentId` is the environment. */
  computePoolId: 'compute_pool_id',
  /** flink_statement: the user or service account that it runs as. Also `ownerId`. */
  principal: 'principal',
  /** flink_statement: the name that the metrics know it by. Also `displayName`. */
  statementName: 'statement_name',
  /** flink_statement: true when its phase says that it no longer runs. */
  isStopped: 'is_stopped',
  phase: 'phase',
  /** api_key: what it opens, such as a cluster id. */
  resourceId: 'resource_id',
  /** api_key: the user or service account that it belongs to. */
  ownerId: 'owner_id',
  /** identity_pool: its identity provider. */
  providerId: 'provider_id',
  /** ksqldb_cluster: the cluster that it works on. `ownerId` is its credential identity. */
  kafkaClusterId: 'kafka_cluster_id',
  csuCount: 'csu_count',
  environmentId: 'environment_id',
  bootstrapEndpoint: 'bootstrap_endpoint',
  httpEndpoint: 'http_endpoint',
  cloud: 'cloud',
  region: 'region',
  crn: 'crn',
  description: 'description',
} as const;
