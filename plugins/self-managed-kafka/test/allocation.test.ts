import { Decimal, money } from '@chargeback/money';
import {
  type AllocationContext,
  type Ecosystem,
  type Identity,
  type IdentitySets,
  isStepAside,
  type Usage,
} from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { connect } from './support.ts';

const DAY = '2026-02-03';

/** What a line is allocated from: totals by query, `failed` for one that could not be asked. */
interface Stored {
  readonly usage?: Readonly<Record<string, Readonly<Record<string, number>> | 'failed'>>;
  /** Names known from the metrics of other days of the period. */
  readonly period?: readonly string[];
}

const NOT_CONFIGURED: Usage = {
  totals: new Map(),
  coverage: { samplesSeen: 0, samplesExpected: 0 },
  outcome: 'not_configured',
};

function usageOf(stored: NonNullable<Stored['usage']>[string] | undefined): Usage {
  if (stored === undefined) return NOT_CONFIGURED;
  const failed = stored === 'failed';
  return {
    totals: new Map(failed ? [] : Object.entries(stored)),
    coverage: { samplesSeen: failed ? 0 : 24, samplesExpected: 24 },
    outcome: failed ? 'failed' : 'complete',
  };
}

const byId = (identities: readonly Identity[]): Identity[] =>
  [...new Map(identities.map((identity) => [identity.identityId, identity])).values()]
    .filter(({ identityType }) => identityType !== 'system')
    .toSorted((left, right) => (left.identityId < right.identityId ? -1 : 1));

/** Resolves and allocates a line of a product as the engine does, up to the weights. */
async function allocate(kafka: Ecosystem, product: string, { usage = {}, period = [] }: Stored) {
  const route = kafka.routes.find(({ productType }) => productType === `SELF_KAFKA_${product}`)!;
  const timestamp = new Date(`${DAY}T00:00:00Z`);
  const context = {
    line: {
      lineId: 'line',
      timestamp,
      granularity: 'daily',
      resourceId: 'kafka-1',
      environmentId: null,
      productCategory: 'kafka',
      productType: route.productType,
      quantity: new Decimal(1),
      unitPrice: new Decimal(1),
      totalCost: money(100_000_000n, 'USD'),
      coverage: null,
      metadata: {},
    },
    resource: null,
    window: { start: timestamp, end: new Date(timestamp.getTime() + 86_400_000) },
    inventory: { resources: new Map(), identities: new Map() },
    usage: (key: string) => usageOf(usage[key]),
    params: {},
  };
  const resolved = route.resolve(context);
  const listed: Identity[] = [];
  for await (const batch of kafka.identities!(context.window, new AbortController().signal)) {
    listed.push(...batch.identities);
  }
  const names = [
    ...period,
    ...Object.values(usage).flatMap((one) => (one === 'failed' ? [] : Object.keys(one))),
  ];
  const identities: IdentitySets = {
    resourceActive: byId(resolved.resourceActive),
    metricsDerived: byId(resolved.metricsDerived),
    mergedActive: byId([...resolved.resourceActive, ...resolved.metricsDerived]),
    tenantPeriod: byId([...listed, ...names.map((name) => kafka.identityFromUsage!(name))]),
  };
  const plan = route.allocate({
    ...context,
    identities,
    usageOwners: resolved.usageOwners ?? new Map(),
  } satisfies AllocationContext);
  if (isStepAside(plan)) throw new Error('stepped aside');
  const [portion] = plan.portions;
  const { recipients, method, costType, detail, chainTier } = portion!;
  return {
    to: Object.fromEntries(recipients.map(({ identityId, weight }) => [identityId, weight])),
    how: `${chainTier} ${method} ${costType} ${detail}`,
    tried: portion!.tiersTried.map(({ because }) => because),
  };
}

const statics = (source: string, ...ids: string[]): object => ({
  identity_source: {
    source,
    static_identities: ids.map((identity_id) => ({ identity_id, identity_type: 'team' })),
  },
});

describe('ingress and egress', () => {
  it('go by bytes, each by its own', async () => {
    await using kafka = await connect({});
    const usage = { bytes_in_per_principal: { a: 3, b: 1, c: 0 }, bytes_out_per_principal: { b: 5 } };
    const ingress = await allocate(kafka, 'NETWORK_INGRESS', { usage });
    expect(ingress.how).toBe('0 usage_ratio USAGE USAGE_RATIO_ALLOCATION');
    expect(Object.keys(ingress.to)).toEqual(['a', 'b']);
    expect(ingress.to['a']).toBe(ingress.to['b']! * 3n);
    expect(Object.keys((await allocate(kafka, 'NETWORK_EGRESS', { usage })).to)).toEqual(['b']);
  });

  it.each([
    ['nothing was measured', {}, 'NO_METRICS_LOCATED'],
    ['the server could not be asked', { bytes_in_per_principal: 'failed' }, 'METRICS_FETCH_FAILED'],
  ] as const)('go to those listed when %s', async (_when, usage, because) => {
    await using kafka = await connect(statics('both', 'x', 'y'));
    const { to, how } = await allocate(kafka, 'NETWORK_INGRESS', { usage });
    expect(to).toEqual({ x: 1n, y: 1n });
    expect(how).toBe(`1 even_split SHARED ${because}`);
  });

  it('go to those seen when all of them were silent', async () => {
    await using kafka = await connect({});
    const usage = { bytes_in_per_principal: { a: 0, b: 0 } };
    const { to, how } = await allocate(kafka, 'NETWORK_INGRESS', { usage });
    expect(to).toEqual({ a: 1n, b: 1n });
    expect(how).toBe('1 even_split SHARED NO_USAGE_FOR_ACTIVE_IDENTITIES');
  });

  it('go to everyone of the period when nobody was seen, and then to UNALLOCATED', async () => {
    await using kafka = await connect({});
    const period = await allocate(kafka, 'NETWORK_EGRESS', { period: ['earlier', 'later'] });
    expect(period.to).toEqual({ earlier: 1n, later: 1n });
    expect(period.how).toBe('2 even_split SHARED NO_ACTIVE_IDENTITIES_LOCATED');
    const nobody = await allocate(kafka, 'NETWORK_EGRESS', {});
    expect(nobody).toMatchObject({ to: { UNALLOCATED: 1n }, how: '3 terminal SHARED NO_IDENTITIES_LOCATED' });
  });
});

describe.each(['COMPUTE', 'STORAGE'])('%s', (product) => {
  it('is shared by those seen that day, else by those listed, else by everyone of the period', async () => {
    await using both = await connect(statics('both', 'x'));
    const seen = await allocate(both, product, { usage: { principals: { b: 1, a: 1 } } });
    expect(seen).toEqual({ to: { a: 1n, b: 1n }, how: '0 even_split USAGE null', tried: [] });
    const listed = await allocate(both, product, {});
    expect(listed.to).toEqual({ x: 1n });
    expect(listed.how).toBe('1 even_split SHARED NO_ACTIVE_IDENTITIES_LOCATED');
    await using metrics = await connect({});
    const period = await allocate(metrics, product, { period: ['earlier'] });
    expect(period.to).toEqual({ earlier: 1n });
    expect(period.how).toBe('2 even_split SHARED NO_ACTIVE_IDENTITIES_LOCATED');
    expect((await allocate(metrics, product, {})).to).toEqual({ UNALLOCATED: 1n });
  });
});

describe('teams', () => {
  const identity_source = { principal_to_team: { a: 'shop', b: 'shop' }, default_team: 'rest' };

  it('are charged once, however many principals they have, also by those of the period', async () => {
    await using kafka = await connect({ charge_to: 'team', identity_source });
    const seen = await allocate(kafka, 'COMPUTE', { usage: { principals: { a: 1, b: 1, c: 1 } } });
    expect(seen.to).toEqual({ rest: 1n, shop: 1n });
    const bytes = await allocate(kafka, 'NETWORK_INGRESS', {
      usage: { bytes_in_per_principal: { a: 1, b: 2, c: 4 } },
    });
    expect(bytes.to['shop']! * 4n).toBe(bytes.to['rest']! * 3n);
    // A team that is only listed as somebody's is not charged for having been listed.
    expect((await allocate(kafka, 'COMPUTE', { period: ['a', 'b'] })).to).toEqual({ shop: 1n });
  });

  it('are not charged for what nobody’s name was on: that stays with UNALLOCATED', async () => {
    await using kafka = await connect({ charge_to: 'team', identity_source });
    const usage = { bytes_in_per_principal: { a: 3, UNALLOCATED: 1 }, principals: { a: 1, UNALLOCATED: 1 } };
    const { to } = await allocate(kafka, 'NETWORK_INGRESS', { usage });
    expect(Object.keys(to).toSorted()).toEqual(['UNALLOCATED', 'shop']);
    expect(to['shop']).toBe(to['UNALLOCATED']! * 3n);
    expect((await allocate(kafka, 'COMPUTE', { usage })).to).toEqual({ shop: 1n });
    expect((await allocate(kafka, 'COMPUTE', { period: ['a', 'UNALLOCATED'] })).to).toEqual({ shop: 1n });
  });

  it('are looked up among what was written, not among what every object has', async () => {
    await using kafka = await connect({ charge_to: 'team', identity_source });
    for (const name of ['constructor', '__proto__', 'toString']) {
      const usage = { principals: Object.fromEntries([[name, 1]]) };
      expect((await allocate(kafka, 'COMPUTE', { usage })).to).toEqual({ rest: 1n });
    }
  });
});

describe('storage by owner', () => {
  const owner_bytes = { storage_allocation: 'owner_bytes' };
  const usage = { bytes_stored_per_topic: { 'topic:orders': 3, 'topic:orders.dlq': 1, 'topic:other': 4 } };

  it('goes by the bytes of the topics of each team; what nobody owns goes to the default team', async () => {
    await using kafka = await connect({ ...owner_bytes, ownership: [{ topic: 'orders*', team: 'shop' }] });
    const { to, how } = await allocate(kafka, 'STORAGE', { usage });
    expect(Object.keys(to).toSorted()).toEqual(['UNASSIGNED', 'shop']);
    expect(to['shop']).toBe(to['UNASSIGNED']);
    expect(how).toBe('0 usage_ratio USAGE USAGE_RATIO_ALLOCATION');
  });

  it('falls to everyone when the ownership map covers none of the topics that day', async () => {
    const ownership = [{ topic: 'orders*', team: 'shop', valid_to: DAY }];
    await using kafka = await connect({ ...owner_bytes, ownership });
    const { to, tried } = await allocate(kafka, 'STORAGE', { usage, period: ['a'] });
    expect(tried[0]).toBe('NO_OWNER_LOCATED');
    // Neither topics nor teams that own nothing are part of everyone.
    expect(to).toEqual({ a: 1n });
  });
});
