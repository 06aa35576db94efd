import { evenSplit } from '@chargeback/allocation';
import { Decimal } from '@chargeback/money';
import type {
  AllocationContext,
  AllocationPlan,
  CostAllocator,
  Identity,
  IdentityResolver,
} from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TenantOverrides, TenantRun } from '../src/index.ts';
import { FEBRUARY_FIRST, identity, line, TestTenant } from './support.ts';
import { evenRoute, reconciled, sharesOf, world } from './worlds.ts';

const DATE = '2026-02-01';
/** The line that misbehaves; its siblings of the same product type and of another must not notice. */
const BAD = 'bad-line';

function planOf(recipients: readonly { identityId: string; weight: unknown }[]): AllocationPlan {
  return {
    portions: [
      {
        ratio: new Decimal(1),
        recipients: recipients as AllocationPlan['portions'][number]['recipients'],
        costType: 'SHARED',
        method: 'weighted_team',
        detail: null,
        chainTier: null,
        compositionIndex: null,
        tiersTried: [],
      },
    ],
  };
}

const good = planOf([
  { identityId: 'team-a', weight: 3n },
  { identityId: 'team-b', weight: 1n },
]);

/** Allocates 3:1, but for the bad line. */
const badOn =
  (misbehave: (context: AllocationContext) => unknown): CostAllocator =>
  (context) =>
    context.line.lineId === BAD ? (misbehave(context) as AllocationPlan) : good;

const overridden = (allocate: CostAllocator): TenantOverrides => ({
  allocators: new Map([['COMPUTE', { use: 'teams.weighted', place: 'config.yaml:14', handler: allocate }]]),
  resolvers: new Map(),
  digest: 'test',
});

const forget = (identities: readonly Identity[]): void => {
  (identities as Identity[]).length = 0;
};

describe('an override that', () => {
  let tenant: TestTenant;

  beforeEach(async () => {
    tenant = await TestTenant.create(
      world({
        lines: [
          line(DATE, '10', { lineId: 'first' }),
          line(DATE, '20', { lineId: BAD }),
          line(DATE, '30', { lineId: 'last' }),
          line(DATE, '5', { lineId: 'other', productType: 'OTHER' }),
        ],
        identities: ['team-a', 'team-b'].map((id) => identity(id, 'team')),
        routes: [evenRoute('COMPUTE', ['team-a', 'team-b']), evenRoute('OTHER', ['team-a', 'team-b'])],
      }),
    );
  });
  afterEach(() => tenant.dispose());

  /** Only the bad line is held, coded, naming override and line; every cent is accounted for. */
  const oneBadLine = async (run: TenantRun, why: RegExp): Promise<void> => {
    expect(run.problems).toHaveLength(1);
    const [problem] = run.problems;
    expect(problem).toMatchObject({ code: 'CB_ALLOCATION_FAILED', severity: 'error', path: BAD, date: DATE });
    expect(problem!.message).toContain(BAD);
    expect(problem!.message).toContain('teams.weighted (config.yaml:14)');
    expect(problem!.message).toMatch(why);
    // 40 by 3:1 and 5 by 1:1; the 20 of the bad line are held.
    expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual({ 'team-a': '32.5000', 'team-b': '12.5000' });
    expect(await reconciled(tenant, FEBRUARY_FIRST)).toMatchObject({
      billed: '65.0000',
      allocated: '45.0000',
      held: '20.0000',
      difference: '0.0000',
    });
  };

  it.each<[string, (context: AllocationContext) => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no such team');
      },
      /no such team/,
    ],
    [
      'throws what is no error',
      () => {
        // eslint-disable-next-line no-throw-literal
        throw 'text';
      },
      /text/,
    ],
    ['returns nothing', () => undefined, /got undefined/],
    ['returns null', () => null, /got null/],
    ['returns a promise', () => Promise.resolve(good), /got a promise/],
    ['returns a promise that is rejected later', () => Promise.reject(new Error('later')), /got a promise/],
    ['returns no portions', () => ({ portions: [] }), /must return a plan/],
    ['returns a portion that is no object', () => ({ portions: [null] }), /no object/],
    ['returns no recipients', () => planOf([]), /without recipients/],
    ['returns a recipient that is no object', () => planOf([null as never]), /no object/],
    [
      'returns a negative weight',
      () => planOf([{ identityId: 'team-a', weight: -1n }]),
      /negative weight -1/,
    ],
    ['returns NaN', () => planOf([{ identityId: 'team-a', weight: Number.NaN }]), /weight of type number/],
    ['returns only zero weights', () => planOf([{ identityId: 'team-a', weight: 0n }]), /positive weight/],
    [
      'names an identity twice',
      () => planOf([good.portions[0]!.recipients[0]!, good.portions[0]!.recipients[0]!]),
      /twice/,
    ],
    ['names an unknown identity', () => planOf([{ identityId: 'team-z', weight: 1n }]), /"team-z"/],
    [
      'returns ratios that are NaN',
      () => ({ portions: [{ ...good.portions[0]!, ratio: new Decimal(Number.NaN) }] }),
      /ratio/i,
    ],
    [
      'returns ratios beyond 1',
      () => ({ portions: [good.portions[0]!, good.portions[0]!] }),
      /ratio|add up/i,
    ],
    ['steps aside', evenSplit('metricsDerived'), /stepped aside/],
    [
      'overflows the stack',
      () => {
        const recurse = (): number => recurse() + 1;
        return recurse();
      },
      /call stack/i,
    ],
    ['mutates the line', ({ line: billed }) => void Object.assign(billed, { totalCost: 1 }), /read.only/i],
    ['mutates a decimal', ({ line: billed }) => void Object.assign(billed.quantity, { s: -1 }), /read.only/i],
    ['mutates a date', ({ window }) => window.start.setUTCFullYear(1999), /cannot be changed/],
    [
      'mutates an identity',
      ({ identities }) => void Object.assign(identities.tenantPeriod[0]!, { identityId: 'x' }),
      /read.only/i,
    ],
    ['empties a set of identities', ({ identities }) => forget(identities.tenantPeriod), /read.only|assign/i],
    [
      'empties the inventory',
      ({ inventory }) => (inventory.identities as Map<string, Identity>).clear(),
      /cannot be changed/,
    ],
    [
      'empties the usage',
      ({ usage }) => (usage('bytes').totals as Map<string, number>).set('team-a', 1),
      /cannot be changed/,
    ],
  ])('%s costs its own line only', async (_what, misbehave, why) => {
    tenant.overrides = overridden(badOn(misbehave));
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.status).toBe('failed');
    await oneBadLine(run, why);
  });

  it.each<[string, () => unknown]>([
    [
      'loops for ever',
      () => {
        for (;;);
      },
    ],
    [
      'loops for ever and would catch whatever stops it',
      () => {
        for (;;) {
          try {
            for (;;);
          } catch {
            // Goes on.
          }
        }
      },
    ],
    ['backtracks for ever', () => /^(?:a+)+$/u.test(`${'a'.repeat(60)}b`)],
    [
      'loops for a minute',
      () => {
        const until = performance.now() + 60_000;
        while (performance.now() < until);
        return good;
      },
    ],
  ])('%s is cut off after 2 seconds and costs its own line only', async (_what, loop) => {
    tenant.overrides = overridden(badOn(loop));
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.datesHeld).toBe(1);
    await oneBadLine(run, /did not end within 2 s and was cut off/);
  });

  it('throws on the thousandth line only costs that line only, and after the last try it goes to UNALLOCATED', async () => {
    tenant.world.lines = Array.from({ length: 1200 }, (_, index) =>
      line(DATE, '4', { lineId: `line-${String(index + 1).padStart(4, '0')}` }),
    );
    let calls = 0;
    tenant.overrides = overridden(() => {
      calls += 1;
      if (calls % 1200 === 1000) throw new Error('one thousand');
      return good;
    });
    for (const attempt of [1, 2]) {
      const run = await tenant.run(FEBRUARY_FIRST);
      expect(run.problems).toMatchObject([{ path: 'line-1000', code: 'CB_ALLOCATION_FAILED' }]);
      expect(run.problems[0]!.message).toContain(`failed ${attempt} of 3 times`);
      expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual({
        'team-a': '3597.0000',
        'team-b': '1199.0000',
      });
    }
    await tenant.run(FEBRUARY_FIRST);
    expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual({
      'team-a': '3597.0000',
      'team-b': '1199.0000',
      UNALLOCATED: '4.0000',
    });
    expect(await reconciled(tenant, FEBRUARY_FIRST)).toMatchObject({
      billed: '4800.0000',
      difference: '0.0000',
    });
  });

  it.each<[string, (...args: Parameters<IdentityResolver>) => unknown, RegExp]>([
    ['a promise', () => Promise.reject(new Error('later')), /got a promise/],
    ['nothing', () => null, /got null/],
    ['no lists', () => ({ resourceActive: 'team-a', metricsDerived: [] }), /resourceActive is no list/],
    [
      'identities without an id',
      () => ({ resourceActive: [{}], metricsDerived: [] }),
      /no list of identities/,
    ],
    [
      'owners that are no map',
      () => ({ resourceActive: [], metricsDerived: [], usageOwners: {} }),
      /usageOwners/,
    ],
  ])('resolves to %s costs its own line only', async (_what, resolve, why) => {
    const resolver: IdentityResolver = (context) =>
      (context.line.lineId === BAD
        ? resolve(context)
        : {
            resourceActive: [identity('team-a', 'team')],
            metricsDerived: [],
          }) as ReturnType<IdentityResolver>;
    tenant.overrides = {
      ...overridden(() => good),
      resolvers: new Map([
        ['COMPUTE', { use: 'teams.weighted', place: 'config.yaml:14', handler: resolver }],
      ]),
    };
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.status).toBe('failed');
    await oneBadLine(run, why);
  });

  it('replaces the fallback by its name handles product types that nobody knows', async () => {
    tenant.world.lines = [line(DATE, '8', { productType: 'BRAND_NEW' })];
    tenant.overrides = {
      ...overridden(() => good),
      allocators: new Map([['*', { use: 'teams.weighted', place: 'config.yaml:14', handler: () => good }]]),
    };
    await tenant.run(FEBRUARY_FIRST);
    expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual({ 'team-a': '6.0000', 'team-b': '2.0000' });
  });

  it('names a product type that the connected plugin does not have stops the tenant before anything is stored', async () => {
    tenant.overrides = {
      ...overridden(() => good),
      allocators: new Map([
        ['COMPUT', { use: 'teams.weighted', place: 'config.yaml:14', handler: () => good }],
      ]),
    };
    const run = await tenant.run(FEBRUARY_FIRST);
    expect(run.problems).toMatchObject([{ code: 'CB_OVERRIDE_PRODUCT_TYPE' }]);
    expect(run.problems[0]!.message).toContain('did you mean COMPUTE?');
    expect(tenant.world.billingCalls).toBe(0);
  });

  it('changes calculates the days again, and one that does not leaves them alone', async () => {
    tenant.overrides = overridden(() => good);
    await tenant.run(FEBRUARY_FIRST);
    expect((await tenant.run(FEBRUARY_FIRST)).datesUnchanged).toBe(1);
    tenant.overrides = { ...overridden(() => good), digest: 'edited' };
    expect((await tenant.run(FEBRUARY_FIRST)).datesUnchanged).toBe(0);
  });
});

describe('a plugin that did not come with the application', () => {
  it('may charge somebody whom no inventory lists', async () => {
    const tenant = await TestTenant.create(world({ lines: [line(DATE, '10')] }));
    try {
      tenant.thirdParty = true;
      const [route] = tenant.world.routes;
      tenant.world.routes = [
        { ...route!, allocate: () => planOf([{ identityId: 'cost-centre-9', weight: 1n }]) },
      ];
      expect((await tenant.run(FEBRUARY_FIRST)).problems).toEqual([]);
      expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual({ 'cost-centre-9': '10.0000' });
    } finally {
      await tenant.dispose();
    }
  });

  it('cannot change its inputs either, nor hang the run', async () => {
    const tenant = await TestTenant.create(
      world({
        lines: [line(DATE, '10', { lineId: 'first' }), line(DATE, '20', { lineId: BAD })],
        identities: ['team-a', 'team-b'].map((id) => identity(id, 'team')),
      }),
    );
    try {
      tenant.thirdParty = true;
      const [route] = tenant.world.routes;
      tenant.world.routes = [
        { ...route!, allocate: badOn(({ identities }) => forget(identities.tenantPeriod)) },
      ];
      const run = await tenant.run(FEBRUARY_FIRST);
      expect(run.problems).toMatchObject([{ path: BAD, code: 'CB_ALLOCATION_FAILED' }]);
      expect(await sharesOf(tenant, FEBRUARY_FIRST)).toEqual({ 'team-a': '7.5000', 'team-b': '2.5000' });
    } finally {
      await tenant.dispose();
    }
  });
});
