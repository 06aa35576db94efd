import { chain, directOwner, evenSplit, terminal, usageRatio } from '@chargeback/allocation';
import { formatUnits } from '@chargeback/money';
import type { ProductRoute, UsageQuery, Window } from '@chargeback/plugin-api';
import { identity, resource, type TestTenant, type World } from './support.ts';

export const bytes: UsageQuery = {
  key: 'bytes',
  expression: () => 'bytes',
  stepSeconds: 3600,
  reduce: 'sum',
  identityLabel: 'principal',
  resourceLabel: null,
};

const shared = [evenSplit('mergedActive'), evenSplit('tenantPeriod'), terminal('unallocated')] as const;

export function evenRoute(productType: string, ids: readonly string[]): ProductRoute {
  const resourceActive = ids.map((id) => identity(id));
  return {
    productType,
    usage: [],
    resolve: () => ({ resourceActive, metricsDerived: [] }),
    allocate: chain(...shared),
  };
}

/** Splits among everybody whom the tenant has. */
export function tenantWideRoute(productType: string): ProductRoute {
  return {
    ...usageRoute(productType),
    usage: [],
    allocate: chain(evenSplit('tenantPeriod'), terminal('unallocated')),
  };
}

/** Splits by the usage of `query`. */
export function usageRoute(productType: string, query: UsageQuery = bytes): ProductRoute {
  return {
    productType,
    usage: [query],
    resolve: (context) => ({
      resourceActive: [],
      metricsDerived: [...context.usage(query.key).totals.keys()].map((id) => identity(id)),
    }),
    allocate: chain(usageRatio([query.key]), ...shared),
  };
}

export function world(overrides: Partial<World> = {}): World {
  return {
    lines: [],
    resources: [resource('cluster-1')],
    identities: [],
    usage: [],
    routes: [evenRoute('COMPUTE', ['team-a', 'team-b', 'team-c']), usageRoute('NETWORK')],
    regather: 'always',
    gatherKey: 'settings-1',
    billingCalls: 0,
    fallback: terminal('resource', { detail: 'USING_UNKNOWN_ALLOCATOR' }),
    ...overrides,
  };
}

/** What each identity bears in a window, exactly. */
export async function sharesOf(tenant: TestTenant, window: Window): Promise<Record<string, string>> {
  return tenant.withStore(async (store) => {
    const totals = await store.totals(window, ['identity_id']);
    return Object.fromEntries(totals.map(({ key, units }) => [key[0] ?? '', formatUnits(units)]));
  });
}

/** Billed, allocated, retained, held and difference of a window, exactly. */
export async function reconciled(tenant: TestTenant, window: Window): Promise<Record<string, string>> {
  return tenant.withStore(async (store) => {
    const [row] = await store.reconcile(window, 'month');
    if (!row) return {};
    const { billed, allocated, retained, held, difference } = row;
    const amounts = Object.entries({ billed, allocated, retained, held, difference });
    return Object.fromEntries(amounts.map(([name, units]) => [name, formatUnits(units)]));
  });
}

/** To whoever owns the resource of the line. */
export function ownerRoute(productType: string): ProductRoute {
  return {
    productType,
    usage: [],
    resolve: () => ({ resourceActive: [], metricsDerived: [] }),
    allocate: chain(
      directOwner((context) => context.resource?.ownerId ?? null),
      terminal('unallocated'),
    ),
  };
}
