import { chain, directOwner, evenSplit, terminal } from '@chargeback/allocation';
import type { IdentityResolver, ProductRoute, RoutingTable } from '@chargeback/plugin-api';

/** Who could have caused a line: the owner of its resource. Pure, from stored inputs. */
const owner: IdentityResolver = ({ resource, inventory }) => {
  const identity = resource?.ownerId ? inventory.identities.get(resource.ownerId) : undefined;
  return { resourceActive: identity ? [identity] : [], metricsDerived: [] };
};

const toOwner: Pick<ProductRoute, 'usage' | 'resolve' | 'allocate'> = {
  usage: [],
  resolve: owner,
  allocate: chain(
    directOwner(({ resource }) => resource?.ownerId ?? null),
    evenSplit('tenantPeriod'),
    terminal('unallocated'),
  ),
};

const shared: typeof toOwner = {
  usage: [],
  resolve: owner,
  allocate: chain(evenSplit('tenantPeriod'), terminal('unallocated')),
};

/** Which resolver and allocator handle which product type. */
export function routing(): RoutingTable {
  return {
    routes: [
      { productType: 'COMPUTE', ...toOwner },
      { productType: 'SUPPORT', ...toOwner },
      { productType: 'NETWORK', ...shared },
    ],
    // A product type that nobody has heard of yet goes to its resource: it is never dropped.
    fallback: {
      productType: '*',
      usage: [],
      resolve: owner,
      allocate: terminal('resource', { detail: 'USING_UNKNOWN_ALLOCATOR' }),
    },
  };
}
