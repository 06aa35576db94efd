import assert from 'node:assert/strict';
import { compareKeys } from '@chargeback/money';
import {
  type AllocationContext,
  dayWindow,
  type Identity,
  isoDateOf,
  type ProductRoute,
  type ResolveContext,
  type Usage,
} from '@chargeback/plugin-api';
import { assertConserved, assertPlan, weightsOf } from './assert-plan.ts';
import { randomAmounts, shuffled, withAmount } from './canned-contexts.ts';
import { type Collected, collected, type EcosystemFixture } from './ecosystem-world.ts';
import { snapshot, withoutMutation } from './frozen.ts';

type Declare = (title: string, body: (fixture: EcosystemFixture) => Promise<void>) => void;

/** What the resolvers and allocators of a plugin promise, on the lines and the usage of its own world. */
export function testRoutes(test: Declare): void {
  test('has one route per product type, and a fallback', async (fixture) => {
    await fixture.with(async ({ routes, fallback }) => {
      const names = routes.map(({ productType }) => productType);
      assert.equal(new Set(names).size, names.length, `a product type has two routes: ${names.join(', ')}`);
      assert.ok(!names.includes(fallback.productType), 'the fallback has a name of its own, such as *');
    });
  });
  test('tells the same routes without a connection', async (fixture) => {
    const offline = fixture.plugin.routing?.(fixture.settings());
    if (!offline) return;
    await fixture.with(async ({ routes, fallback }) => {
      assert.deepEqual(described([...offline.routes, offline.fallback]), described([...routes, fallback]));
    });
  });
  test('asks usage in steps that divide a day', async (fixture) => {
    await fixture.with(async ({ routes }) => {
      for (const { key, stepSeconds, expression } of routes.flatMap(({ usage }) => usage)) {
        assert.equal(86_400 % stepSeconds, 0, `the step of ${key} divides a day`);
        assert.ok(expression(`${stepSeconds}s`).length > 0, `${key} has an expression`);
      }
    });
  });
  test('resolves and allocates its lines the same twice and in any order, changes nothing, and loses no cent', async (fixture) => {
    await fixture.with(async (ecosystem) => {
      const found = await collected(ecosystem, fixture.window);
      const routes = new Map(ecosystem.routes.map((route) => [route.productType, route]));
      for (const context of contextsOf(found, fixture)) {
        checkRoute(routes.get(context.line.productType) ?? ecosystem.fallback, context);
      }
    });
  });
  test('allocates a product type that nobody knows', async (fixture) => {
    await fixture.with(async (ecosystem) => {
      const [first] = contextsOf(await collected(ecosystem, fixture.window), fixture);
      assert.ok(first, 'the world of this test has a bill');
      checkRoute(ecosystem.fallback, { ...first, line: { ...first.line, productType: 'NEVER_HEARD_OF' } });
    });
  });
}

function checkRoute(route: ProductRoute, context: ResolveContext): void {
  const resolution = withoutMutation(context, (frozen) => route.resolve(frozen));
  assert.equal(snapshot(route.resolve(context)), snapshot(resolution), 'the resolver answers the same twice');
  const known = [...context.inventory.identities.values()];
  const [resourceActive, metricsDerived, tenantPeriod] = [
    resolution.resourceActive,
    resolution.metricsDerived,
    known,
  ].map(sorted);
  const allocation: AllocationContext = {
    ...context,
    identities: {
      resourceActive: resourceActive!,
      metricsDerived: metricsDerived!,
      tenantPeriod: tenantPeriod!,
      mergedActive: sorted([...resourceActive!, ...metricsDerived!]),
    },
    usageOwners: resolution.usageOwners ?? new Map(),
    ...(route.afterOthers
      ? {
          allocatedOfDay: () =>
            new Map(known.map(({ identityId }, index) => [identityId, BigInt(index + 1)])),
        }
      : {}),
  };
  // A plugin may charge whom it likes, as long as it always charges the same.
  const everybody = { has: () => true } as unknown as ReadonlySet<string>;
  const planOf = (from: AllocationContext) =>
    assertPlan(route.allocate(from), from, { identities: everybody });
  const plan = weightsOf(withoutMutation(allocation, planOf));
  assert.deepEqual(weightsOf(planOf(allocation)), plan, 'the allocator answers the same twice');
  assert.deepEqual(
    weightsOf(planOf(shuffled(allocation))),
    plan,
    'the allocator answers the same in another order',
  );
  for (const units of randomAmounts(20)) assertConserved(planOf(withAmount(allocation, units)), units);
}

function contextsOf(
  { batches, resources, identities, usage }: Collected,
  fixture: EcosystemFixture,
): ResolveContext[] {
  const listed = new Map(resources.flatMap((batch) => batch.resources).map((one) => [one.resourceId, one]));
  const people = new Map(identities.flatMap((batch) => batch.identities).map((one) => [one.identityId, one]));
  const params = fixture.settings().allocator_params;
  return batches
    .flatMap(({ lines }) => lines)
    .map((line) => ({
      line,
      resource: line.resourceId === null ? null : (listed.get(line.resourceId) ?? null),
      window: dayWindow(isoDateOf(line.timestamp)),
      inventory: { resources: listed, identities: people },
      usage: (queryKey) =>
        usageOf(usage, { queryKey, date: isoDateOf(line.timestamp), resourceId: line.resourceId }),
      params,
    }));
}

interface Asked {
  readonly queryKey: string;
  readonly date: string;
  readonly resourceId: string | null;
}

function usageOf(days: Collected['usage'], { queryKey, date, resourceId }: Asked): Usage {
  const day = days.find((one) => one.date === date && one.queryKey === queryKey);
  if (!day) {
    return { totals: new Map(), coverage: { samplesSeen: 0, samplesExpected: 0 }, outcome: 'not_configured' };
  }
  const { resourceIds, identityIds, values } = day.totals;
  const totals = new Map<string, number>();
  for (const [index, identityId] of identityIds.entries()) {
    if (resourceIds !== null && resourceIds[index] !== resourceId) continue;
    totals.set(identityId, (totals.get(identityId) ?? 0) + values[index]!);
  }
  return { totals, coverage: day.coverage, outcome: day.outcome };
}

function sorted(identities: readonly Identity[]): Identity[] {
  const byId = new Map(identities.map((identity) => [identity.identityId, identity]));
  return [...byId.values()].toSorted((left, right) => compareKeys(left.identityId, right.identityId));
}

function described(routes: readonly ProductRoute[]): unknown {
  return routes.map(({ productType, usage }) => [productType, usage.map(({ key }) => key)]);
}
