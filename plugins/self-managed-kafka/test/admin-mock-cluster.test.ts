import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { list, type MockCluster, requireProgram, startMockCluster } from './admin-support.ts';

const available = requireProgram('kcat', '-V', 'the Admin API against the mock cluster of librdkafka');

interface KcatListing {
  readonly brokers: readonly { id: number; name: string }[];
  readonly topics: readonly {
    topic: string;
    partitions: readonly { replicas: readonly { id: number }[] }[];
  }[];
}

describe.skipIf(!available)("the mock cluster of librdkafka in a broker's place", () => {
  let cluster: MockCluster;
  beforeAll(async () => {
    cluster = await startMockCluster(3);
    // The mock creates a topic when it is asked about it.
    for (const topic of ['orders', 'payments.v1', 'räume-ß'.normalize().replace(/[^\w.-]/g, '_')]) {
      execFileSync('kcat', ['-b', cluster.servers[0]!, '-L', '-t', topic]);
    }
  });
  afterAll(async () => cluster?.stop());

  it('lists the brokers and topics that kcat lists', async () => {
    const told = execFileSync('kcat', ['-b', cluster.servers[0]!, '-L', '-J'], { encoding: 'utf8' });
    const { brokers, topics } = JSON.parse(told) as KcatListing;
    const { batch, error } = await list({ bootstrap_servers: cluster.servers.join(' , ') });
    expect(error).toBeNull();
    expect(batch!.authoritativeFor).toEqual(['cluster', 'broker', 'topic']);
    const of = (type: string) => batch!.resources.filter(({ resourceType }) => resourceType === type);
    expect(of('cluster')).toEqual([
      {
        resourceId: 'kafka-1',
        resourceType: 'cluster',
        displayName: 'kafka-1',
        parentId: null,
        ownerId: null,
        createdAt: null,
        deletedAt: null,
        metadata: { broker_count: 3, reported_cluster_id: expect.stringMatching(/^mockCluster/) },
      },
    ]);
    expect(of('broker').map(({ resourceId, displayName }) => [resourceId, displayName])).toEqual(
      brokers.map(({ id, name }) => [`kafka-1:broker:${id}`, name]).toSorted(),
    );
    expect(of('topic').map(({ resourceId, metadata }) => [resourceId, metadata])).toEqual(
      topics
        .map(({ topic, partitions }) => [
          `kafka-1:topic:${topic}`,
          {
            cluster_id: 'kafka-1',
            partitions: partitions.length,
            replication_factor: partitions[0]!.replicas.length,
          },
        ])
        .toSorted(),
    );
    expect(of('topic')).toHaveLength(3);
    expect(of('topic').every(({ parentId }) => parentId === 'kafka-1')).toBe(true);
  });

  it('goes on to the next bootstrap server when one is down', async () => {
    const { batch, error, waits } = await list({ bootstrap_servers: ['127.0.0.1:1', ...cluster.servers] });
    expect(error).toBeNull();
    expect(batch!.resources.filter(({ resourceType }) => resourceType === 'broker')).toHaveLength(3);
    expect(waits).toEqual([]);
  });
});
