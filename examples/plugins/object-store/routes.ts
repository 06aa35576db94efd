import { chain, directOwner, evenSplit, terminal, usageRatio } from '@chargeback/allocation';
import type { Identity, IdentityResolver, RoutingTable } from '@chargeback/plugin-api';
import { principal } from './inventory.ts';
import { REQUESTS } from './requests.ts';

/** The owner of the bucket, and whoever asked something of it. */
const resolve: IdentityResolver = ({ resource, inventory, usage }) => {
  const owner = resource?.ownerId ? inventory.identities.get(resource.ownerId) : undefined;
  const seen = [...usage(REQUESTS.key).totals.keys()];
  return {
    resourceActive: owner ? [owner] : [],
    metricsDerived: seen.map((name): Identity => inventory.identities.get(name) ?? principal(name)),
  };
};

const others = [evenSplit('mergedActive'), evenSplit('tenantPeriod'), terminal('unallocated')] as const;

export function routing(): RoutingTable {
  return {
    routes: [
      {
        productType: 'STORAGE',
        usage: [],
        resolve,
        allocate: chain(
          directOwner(({ resource }) => resource?.ownerId ?? null),
          terminal('unallocated', { detail: 'NO_OWNER_LOCATED' }),
        ),
      },
      {
        productType: 'REQUESTS',
        usage: [REQUESTS],
        resolve,
        allocate: chain(usageRatio([REQUESTS.key]), ...others),
      },
      {
        productType: 'SUPPORT',
        usage: [],
        resolve,
        allocate: chain(
          evenSplit('tenantPeriod', { identityTypes: ['team'], detail: 'EVEN_SPLIT_ALLOCATION' }),
          terminal('unallocated'),
        ),
      },
    ],
    fallback: {
      productType: '*',
      usage: [],
      resolve,
      allocate: terminal('resource', { detail: 'USING_UNKNOWN_ALLOCATOR' }),
    },
  };
}
