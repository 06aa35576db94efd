import { setTimeout as pause } from 'node:timers/promises';
import { ChargebackError, type Resource, type ResourceBatch } from '@chargeback/plugin-api';
import type { AdminOptions } from '@platformatic/kafka';
import { AdminFailure, withAdminClient } from './admin-client.ts';
import { describeAdminFailure } from './admin-error.ts';
import { adminOptions } from './admin-options.ts';
import { bootstrapServers, type KafkaAdminSettings } from './kafka-admin-settings.ts';
import { type ClusterMetadata, requestMetadata } from './request-metadata.ts';

const ATTEMPTS = 3;
const FIRST_DELAY_MS = 500;

/** The cluster that is listed, and what the host lends. */
export interface AdminContext {
  readonly clusterId: string;
  /** Folder that relative certificate files start from; default: the working directory. */
  readonly configDirectory?: string;
  /** Waits between tries; default: the timers of the process. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/**
 * The cluster, its brokers and its topics as the Kafka Admin API tells them in one answer. Unreachable and slow
 * brokers are tried three times, each time beginning with another bootstrap server.
 * @throws {ChargebackError} `CB_ADMIN_UNREACHABLE`, `CB_ADMIN_TLS`, `CB_ADMIN_AUTH`, `CB_ADMIN_TIMEOUT`,
 *   `CB_CONFIG_READ` for a certificate file, `CB_INVENTORY_GATHER` for anything else; the signal's reason when
 *   it aborts.
 */
export async function listKafkaResources(
  source: KafkaAdminSettings,
  cluster: AdminContext,
  signal: AbortSignal,
): Promise<ResourceBatch> {
  const options = await adminOptions(source, cluster.configDirectory ?? '.');
  const servers = bootstrapServers(source);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const rotated = { ...options, bootstrapBrokers: rotate(servers, attempt - 1) } satisfies AdminOptions;
      return toBatch(cluster.clusterId, await withAdminClient(rotated, signal, requestMetadata));
    } catch (cause) {
      if (!(cause instanceof AdminFailure)) throw cause;
      const error = describeAdminFailure(cause, source, attempt);
      if (attempt >= ATTEMPTS || !mayPass(error)) throw error;
    }
    await (cluster.sleep ?? sleepOnTimers)(FIRST_DELAY_MS * 2 ** (attempt - 1), signal);
  }
}

function rotate(servers: readonly string[], by: number): string[] {
  const first = by % Math.max(1, servers.length);
  return [...servers.slice(first), ...servers.slice(0, first)];
}

function mayPass({ code }: ChargebackError): boolean {
  return code === 'CB_ADMIN_UNREACHABLE' || code === 'CB_ADMIN_TIMEOUT';
}

async function sleepOnTimers(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(milliseconds, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

function toBatch(
  clusterId: string,
  { clusterId: reported, brokers, topics }: ClusterMetadata,
): ResourceBatch {
  const make = (
    resource: Pick<Resource, 'resourceId' | 'resourceType' | 'displayName' | 'metadata'>,
  ): Resource => ({
    ...resource,
    parentId: resource.resourceType === 'cluster' ? null : clusterId,
    ownerId: null,
    createdAt: null,
    deletedAt: null,
  });
  return {
    authoritativeFor: ['cluster', 'broker', 'topic'],
    resources: [
      make({
        resourceId: clusterId,
        resourceType: 'cluster',
        displayName: clusterId,
        metadata: { broker_count: brokers.length, reported_cluster_id: reported },
      }),
      ...brokers.map(({ id, host, port, rack }) =>
        make({
          resourceId: `${clusterId}:broker:${id}`,
          resourceType: 'broker',
          displayName: `${host}:${port}`,
          metadata: { cluster_id: clusterId, broker_id: id, ...(rack === null ? {} : { rack }) },
        }),
      ),
      ...topics.map(({ name, internal, partitions, replicationFactor }) =>
        make({
          resourceId: `${clusterId}:topic:${name}`,
          resourceType: 'topic',
          displayName: name,
          metadata: {
            cluster_id: clusterId,
            partitions,
            replication_factor: replicationFactor,
            ...(internal ? { internal } : {}),
          },
        }),
      ),
    ],
  };
}
