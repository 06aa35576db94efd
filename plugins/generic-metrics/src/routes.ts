import { chain, evenSplit, terminal, usageRatio } from '@chargeback/allocation';
import type {
  CostAllocator,
  Identity,
  IdentityResolver,
  ProductRoute,
  UsageQuery,
} from '@chargeback/plugin-api';
import { stepOf } from '@chargeback/prometheus';
import { principalIdentity, staticIdentities } from './identities.ts';
import type { CostType, Settings } from './settings.ts';

const DISCOVERY_KEY = 'discovery';

/** Which resolver, allocator and queries handle which cost type. */
export function routesOf(settings: Settings): ProductRoute[] {
  const identities = identityLookup(settings);
  return settings.cost_types.map((costType) => {
    const usage = usageQueries(settings, costType);
    return {
      productType: costType.name,
      usage,
      resolve: resolver(usage, identities),
      allocate: allocatorOf(costType),
    };
  });
}

/** Lines of a cost type that is no longer configured go to their resource. */
export function fallbackRoute(): ProductRoute {
  return {
    productType: '*',
    usage: [],
    resolve: () => ({ resourceActive: [], metricsDerived: [] }),
    allocate: terminal('resource', { detail: 'USING_UNKNOWN_ALLOCATOR' }),
  };
}

function allocatorOf(costType: CostType): CostAllocator {
  const shared = [evenSplit('mergedActive'), evenSplit('tenantPeriod'), terminal('unallocated')] as const;
  if (costType.allocation_strategy === 'even_split') return chain(...shared);
  return chain(usageRatio([usageKey(costType)]), ...shared);
}

function usageKey({ name }: CostType): string {
  return `alloc_${name}`;
}

function usageQueries(settings: Settings, costType: CostType): UsageQuery[] {
  const step = settings.metrics_step_seconds;
  const queries: UsageQuery[] = [];
  const { allocation_query: query, allocation_label: label } = costType;
  if (costType.allocation_strategy === 'usage_ratio' && query && label) {
    queries.push({
      key: usageKey(costType),
      expression: () => query,
      stepSeconds: stepOf(query, step),
      reduce: 'sum',
      identityLabel: label,
      resourceLabel: null,
    });
  }
  const { discovery_query: discovery, label: identityLabel, source } = settings.identity_source;
  if (source !== 'static' && discovery) {
    queries.push({
      key: DISCOVERY_KEY,
      expression: () => discovery,
      stepSeconds: step,
      reduce: 'max',
      identityLabel,
      resourceLabel: null,
      expects: 'any_instant',
    });
  }
  return queries;
}

interface IdentityLookup {
  readonly fixed: readonly Identity[];
  readonly find: (name: string) => Identity;
}

function identityLookup(settings: Settings): IdentityLookup {
  const fixed = staticIdentities(settings);
  const byId = new Map(fixed.map((identity) => [identity.identityId, identity]));
  return { fixed, find: (name) => byId.get(name) ?? principalIdentity(settings, name) };
}

/** Who was seen in the stored metrics of the window, and who is listed in the configuration. */
function resolver(usage: readonly UsageQuery[], identities: IdentityLookup): IdentityResolver {
  return (context) => {
    const names = new Set<string>();
    for (const { key } of usage) for (const name of context.usage(key).totals.keys()) names.add(name);
    return {
      resourceActive: identities.fixed,
      metricsDerived: [...names].map(
        (name) => context.inventory.identities.get(name) ?? identities.find(name),
      ),
    };
  };
}
