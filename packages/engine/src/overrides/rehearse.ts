import { Decimal, money } from '@chargeback/money';
import {
  type AllocatorParams,
  ChargebackError,
  type CostAllocator,
  dayWindow,
  describeCause,
  type Identity,
  type IdentityResolver,
  type ProductRoute,
  type ResolveContext,
  type Usage,
} from '@chargeback/plugin-api';
import { identitySets } from '../identity-sets.ts';
import { isOvertime, LINE_LIMIT_MILLISECONDS, watched } from '../within-time-limit.ts';
import { guardAllocator, guardResolver } from './guard.ts';

/** What is rehearsed: the handler of a product type, with the parameters that reach it. */
export interface Rehearsal<Handler> {
  readonly handler: Handler;
  readonly route: Pick<ProductRoute, 'productType' | 'usage' | 'afterOthers'>;
  /** `allocator_params` of the tenant. */
  readonly params: AllocatorParams;
  /** See `KnownBesides`. */
  readonly named?: ReadonlySet<string>;
}

/**
 * Tries an allocator on canned lines before any money moves: nobody known, one identity, several that used nothing.
 * Each must give a plan, and the same one again.
 * @throws {ChargebackError} `CB_OVERRIDE_REHEARSAL` naming the case.
 */
export function rehearseAllocator(rehearsal: Rehearsal<CostAllocator>): void {
  const { handler, route, named = new Set() } = rehearsal;
  const allocate = guardAllocator(handler, { label: 'the allocator', queries: route.usage, named });
  for (const [name, context] of cases(rehearsal)) {
    const everybody = [...context.inventory.identities.values()];
    const identities = identitySets({ resourceActive: everybody, metricsDerived: everybody }, everybody);
    const allocation = {
      ...context,
      identities,
      usageOwners: new Map<string, string>(),
      ...(route.afterOthers ? { allocatedOfDay: () => new Map<string, bigint>() } : {}),
    };
    inRehearsal(name, () => allocate(allocation));
  }
}

/** Tries a resolver on the same lines. @throws {ChargebackError} `CB_OVERRIDE_REHEARSAL`. */
export function rehearseResolver(rehearsal: Rehearsal<IdentityResolver>): void {
  const { handler, route } = rehearsal;
  const resolve = guardResolver(handler, { label: 'the resolver', queries: route.usage });
  for (const [name, context] of cases(rehearsal)) inRehearsal(name, () => resolve(context));
}

function inRehearsal(name: string, call: () => unknown): void {
  const answers: string[] = [];
  try {
    for (let time = 0; time < 2; time += 1) watched(() => answers.push(textOf(call())));
  } catch (cause) {
    const what = isOvertime(cause)
      ? `it did not end within ${LINE_LIMIT_MILLISECONDS / 1000} s`
      : describeCause(cause);
    const fix = ChargebackError.isInstance(cause) ? { fix: cause.fix } : {};
    throw new ChargebackError('CB_OVERRIDE_REHEARSAL', `on a line with ${name}: ${what}`, { cause, ...fix });
  }
  if (answers[0] === answers[1]) return;
  throw new ChargebackError(
    'CB_OVERRIDE_REHEARSAL',
    `on a line with ${name}: it answered differently twice`,
    {
      fix: 'Let it depend on the context alone: no clock, no randomness, nothing kept between calls.',
    },
  );
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return inner.toString();
    return inner instanceof Map ? [...inner] : inner;
  });
}

function* cases({ route, params }: Rehearsal<unknown>): Iterable<[name: string, context: ResolveContext]> {
  yield ['no identities', contextOf([], route, params)];
  yield ['one identity', contextOf(['rehearsal-1'], route, params)];
  const several = ['rehearsal-1', 'rehearsal-2', 'rehearsal-3'];
  yield ['several identities without usage', contextOf(several, route, params)];
}

function contextOf(
  identityIds: readonly string[],
  { productType, usage: queries }: Rehearsal<unknown>['route'],
  params: AllocatorParams,
): ResolveContext {
  const window = dayWindow('2026-02-01');
  const known = new Map(identityIds.map((identityId) => [identityId, identity(identityId)]));
  const resource = {
    resourceId: 'rehearsal-resource',
    resourceType: 'cluster',
    displayName: null,
    parentId: null,
    ownerId: null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
  };
  const queryKeys = new Set(queries.map(({ key }) => key));
  return {
    line: {
      lineId: `rehearsal/${productType}`,
      timestamp: window.start,
      granularity: 'daily',
      resourceId: resource.resourceId,
      environmentId: null,
      productCategory: 'rehearsal',
      productType,
      quantity: new Decimal(1),
      unitPrice: new Decimal(100),
      totalCost: money(10_000_000_000n, 'USD'),
      coverage: null,
      metadata: {},
    },
    resource,
    window,
    inventory: { resources: new Map([[resource.resourceId, resource]]), identities: known },
    usage: (queryKey): Usage => ({
      totals: new Map(queryKeys.has(queryKey) ? identityIds.map((identityId) => [identityId, 0]) : []),
      coverage: { samplesSeen: 24, samplesExpected: 24 },
      outcome: queryKeys.has(queryKey) ? 'complete' : 'not_configured',
    }),
    params,
  };
}

function identity(identityId: string): Identity {
  return {
    identityId,
    identityType: 'principal',
    displayName: null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
  };
}
