import { noise, seedOf } from '../simulator/random.ts';
import type { MadeIdentities } from './make-identities.ts';
import type { OrganizationShape } from './organization-shape.ts';
import type { MadePlatform } from './make-platform.ts';
import type { Lived, SimulatedApiKey, SimulatedTraffic } from './organization.ts';
import { apiKeyId } from './vendor-ids.ts';

/** One account in so many has a key of a schema registry, one only reads, and one is idle. */
const REGISTRY_KEY_EVERY = 10;
const READER_EVERY = 5;
const IDLE_EVERY = 17;
const BYTES_PER_MINUTE = 400_000;

interface Made {
  readonly identities: MadeIdentities;
  readonly platform: MadePlatform;
}

/** Who has a key to what, and what passes. */
export function makeTraffic(
  shape: OrganizationShape,
  { identities, platform }: Made,
): { keys: SimulatedApiKey[]; traffic: SimulatedTraffic[] } {
  const { seed } = shape;
  const keys: SimulatedApiKey[] = [];
  const traffic: SimulatedTraffic[] = [];
  const addKey = (owner: Lived, resourceId: string, ownerId: string | null): SimulatedApiKey => {
    const key = {
      id: apiKeyId(seed, keys.length),
      displayName: `key of ${owner.displayName}`,
      createdAt: owner.createdAt,
      deletedAt: owner.deletedAt,
      ownerId,
      resourceId,
    };
    keys.push(key);
    return key;
  };
  const { clusters, schemaRegistries } = platform;
  for (let round = 0; round < shape.clustersPerAccount; round += 1) {
    for (const [index, account] of identities.accounts.entries()) {
      const { id: clusterId } = clusters[(index + round) % clusters.length]!;
      addKey(account, clusterId, account.id);
      if (index % IDLE_EVERY !== IDLE_EVERY - 1) {
        traffic.push(trafficOf(seed, { clusterId, principal: account, index }));
      }
    }
  }
  for (const [index, account] of identities.accounts.entries()) {
    if (index % REGISTRY_KEY_EVERY !== 0) continue;
    const registry = schemaRegistries[(index / REGISTRY_KEY_EVERY) % schemaRegistries.length]!;
    addKey(account, registry.id, account.id);
  }
  const [user] = identities.users;
  const [cluster] = clusters;
  if (user && cluster) {
    addKey(user, cluster.id, user.id);
    traffic.push(trafficOf(seed, { clusterId: cluster.id, principal: user, index: 0 }));
    const named = addKey(user, cluster.id, user.id);
    // The metrics may name the key instead of the one it belongs to.
    traffic.push(trafficOf(seed, { clusterId: cluster.id, principal: named, index: 0 }));
    addKey(user, cluster.id, null);
  }
  return { keys, traffic };
}

interface Working {
  readonly clusterId: string;
  readonly principal: Lived;
  readonly index: number;
}

function trafficOf(seed: number, { clusterId, principal, index }: Working): SimulatedTraffic {
  const own = seedOf(seed, `${clusterId}/${principal.id}`);
  const mean = BYTES_PER_MINUTE * (1 + (index % 11));
  const load = (direction: number) => (hour: number) =>
    Math.floor(mean * (0.5 + noise(own ^ direction, hour)));
  const reads = index % READER_EVERY === READER_EVERY - 1;
  return {
    clusterId,
    principalId: principal.id,
    starts: principal.createdAt,
    ends: principal.deletedAt,
    bytesIn: reads ? () => 0 : load(0),
    bytesOut: load(0x55aa55aa),
  };
}
