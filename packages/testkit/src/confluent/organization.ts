import type { Window } from '@chargeback/plugin-api';

/** A thing with a life: what is listed depends on when it is asked. */
export interface Lived {
  readonly id: string;
  readonly displayName: string;
  readonly createdAt: Date;
  /** Null: it still lives. */
  readonly deletedAt: Date | null;
}

export interface SimulatedEnvironment extends Lived {}

export interface SimulatedCluster extends Lived {
  readonly environmentId: string;
  readonly cloud: string;
  readonly region: string;
  /** Dedicated clusters are billed by CKU, legacy ones by base and partitions. */
  readonly kind: 'dedicated' | 'legacy';
}

export interface SimulatedConnector extends Lived {
  readonly environmentId: string;
  readonly clusterId: string;
  readonly connectorClass: string;
  readonly custom: boolean;
  /** What of its configuration says who it works for. */
  readonly credentials: Readonly<Record<string, string>>;
}

/** Schema registries, ksqlDB clusters and compute pools. */
export interface SimulatedService extends Lived {
  readonly environmentId: string;
  readonly cloud: string;
  readonly region: string;
}

export interface SimulatedKsqldb extends SimulatedService {
  readonly clusterId: string;
  /** Null: the vendor does not say. */
  readonly ownerId: string | null;
}

export interface SimulatedStatement extends Lived {
  readonly environmentId: string;
  readonly computePoolId: string;
  readonly cloud: string;
  readonly region: string;
  /** Null: the vendor does not say. */
  readonly principal: string | null;
  readonly phase: string;
}

export interface SimulatedTopic extends Lived {
  readonly environmentId: string;
  readonly clusterId: string;
}

export interface SimulatedApiKey extends Lived {
  /** Null: the vendor does not say. */
  readonly ownerId: string | null;
  readonly resourceId: string;
}

/** An identity pool of an identity provider, or of a certificate authority. */
export interface SimulatedPool extends Lived {
  readonly providerId: string;
}

/** A principal that works on a cluster. */
export interface SimulatedTraffic {
  readonly clusterId: string;
  /** As the metrics name it: a service account, a user, or an API key. */
  readonly principalId: string;
  readonly starts: Date;
  readonly ends: Date | null;
  /** Bytes of a minute; each 0 or more, whole. */
  readonly bytesIn: (hour: number) => number;
  readonly bytesOut: (hour: number) => number;
}

/** An organisation of Confluent Cloud, as far as its interfaces show it. Every list is in listing order. */
export interface ConfluentOrganization {
  readonly id: string;
  readonly seed: number;
  /** The days that are billed. */
  readonly window: Window;
  readonly environments: readonly SimulatedEnvironment[];
  readonly clusters: readonly SimulatedCluster[];
  readonly connectors: readonly SimulatedConnector[];
  readonly schemaRegistries: readonly SimulatedService[];
  readonly ksqldbClusters: readonly SimulatedKsqldb[];
  readonly computePools: readonly SimulatedService[];
  readonly statements: readonly SimulatedStatement[];
  readonly tableflowTopics: readonly SimulatedTopic[];
  readonly serviceAccounts: readonly Lived[];
  readonly users: readonly Lived[];
  readonly apiKeys: readonly SimulatedApiKey[];
  readonly identityProviders: readonly Lived[];
  readonly identityPools: readonly SimulatedPool[];
  readonly certificateAuthorities: readonly Lived[];
  readonly certificatePools: readonly SimulatedPool[];
  readonly groupMappings: readonly Lived[];
  readonly traffic: readonly SimulatedTraffic[];
}

/** Whether a thing is listed at an instant. */
export function livesAt({ createdAt, deletedAt }: Lived, instant: Date): boolean {
  return createdAt <= instant && (deletedAt === null || deletedAt > instant);
}

/** Whether a thing lives at some time of a window. */
export function livesIn({ createdAt, deletedAt }: Lived, { start, end }: Window): boolean {
  return createdAt < end && (deletedAt === null || deletedAt > start);
}
