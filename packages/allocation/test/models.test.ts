import { readFileSync } from 'node:fs';
import { isStepAside } from '@chargeback/plugin-api';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALLOCATION_MODELS,
  allocationModel,
  chain,
  checkCompositeParams,
  composite,
  describeModel,
  directOwner,
  evenSplit,
  modelOf,
  terminal,
  usageRatio,
} from '../src/index.ts';
import {
  amountsOf,
  contextOf,
  identity,
  planOf,
  rowsOf,
  stepAsideOf,
  totalOf,
  usage,
  type World,
} from './support.ts';

const code = (name: string): unknown => expect.objectContaining({ code: name });

describe('evenSplit', () => {
  it('steps aside with the reason that fits the set it looked at', () => {
    expect(stepAsideOf(evenSplit('resourceActive'), {})).toBe('NO_ACTIVE_IDENTITIES_LOCATED');
    expect(stepAsideOf(evenSplit('metricsDerived'), {})).toBe('NO_ACTIVE_IDENTITIES_LOCATED');
    expect(stepAsideOf(evenSplit('mergedActive'), {})).toBe('NO_ACTIVE_IDENTITIES_LOCATED');
    expect(stepAsideOf(evenSplit('tenantPeriod'), {})).toBe('NO_IDENTITIES_LOCATED');
  });

  it('is SHARED and says EVEN_SPLIT_ALLOCATION at the first place', () => {
    expect(
      planOf(chain(evenSplit('resourceActive'), terminal('resource')), { active: ['a'] }).portions,
    ).toMatchObject([
      { costType: 'SHARED', method: 'even_split', detail: 'EVEN_SPLIT_ALLOCATION', chainTier: 0 },
    ]);
    expect(planOf(evenSplit('resourceActive'), { active: ['a'] }).portions).toMatchObject([
      { detail: 'EVEN_SPLIT_ALLOCATION', chainTier: null, compositionIndex: null, tiersTried: [] },
    ]);
  });

  it('takes an explicit detail, none included, at any tier, and another cost type', () => {
    const quiet = evenSplit('tenantPeriod', { detail: null, costType: 'USAGE' });
    const model = chain(usageRatio(['bytes']), quiet, terminal('resource'));
    expect(planOf(model, { period: ['a'] }).portions).toMatchObject([{ detail: null, costType: 'USAGE' }]);
  });

  it('can be kept to identities of some types', () => {
    const model = evenSplit('tenantPeriod', { identityTypes: ['user', 'service_account'] });
    const period = ['sa-1', identity('u-1', 'user'), identity('pool-1', 'identity_pool')];
    expect(amountsOf(model, '1.00', { period })).toEqual({ 'sa-1': '0.5000', 'u-1': '0.5000' });
    expect(stepAsideOf(model, { period: [identity('pool-1', 'identity_pool')] })).toBe(
      'NO_IDENTITIES_LOCATED',
    );
  });
});

describe('usageRatio', () => {
  const model = usageRatio(['in', 'out']);

  it('steps aside with what was wrong with the metrics', () => {
    expect(stepAsideOf(model, {})).toBe('NO_METRICS_LOCATED');
    expect(stepAsideOf(model, { usage: { in: usage({}) } })).toBe('NO_METRICS_LOCATED');
    expect(stepAsideOf(model, { usage: { in: usage({ a: 0 }), out: usage({}) } })).toBe(
      'NO_USAGE_FOR_ACTIVE_IDENTITIES',
    );
    expect(stepAsideOf(model, { usage: { in: usage({}, 'failed') } })).toBe('METRICS_FETCH_FAILED');
    expect(stepAsideOf(model, { usage: { in: usage({}, 'partial', 0) } })).toBe('NO_METRICS_LOCATED');
  });

  it('does not take half of the usage for all of it', () => {
    const world = { usage: { in: usage({ a: 5 }), out: usage({}, 'failed') } };
    expect(stepAsideOf(model, world)).toBe('METRICS_FETCH_FAILED');
  });

  it('goes by what there is when samples are missing in part or a query is not configured', () => {
    const partial = { usage: { in: usage({ a: 5 }, 'partial', 20), out: usage({ b: 5 }) } };
    expect(amountsOf(model, '1.00', partial)).toEqual({ a: '0.5000', b: '0.5000' });
    expect(amountsOf(model, '1.00', { usage: { in: usage({ a: 5 }) } })).toEqual({ a: '1.0000' });
  });

  it('leaves out zero totals and charges names that are in no identity set', () => {
    const world = { active: ['a'], usage: { in: usage({ a: 0, stranger: 3 }) } };
    expect(amountsOf(model, '9.00', world)).toEqual({ stranger: '9.0000' });
  });

  it('adds what several names of one owner used', () => {
    const world = {
      owners: { k1: 'o', k2: 'o' },
      usage: { in: usage({ k1: 1, k2: 1, p: 2 }), out: usage({ k1: 4 }) },
    };
    expect(amountsOf(model, '8.00', world)).toEqual({ o: '6.0000', p: '2.0000' });
  });

  it('leaves what names nobody with UNALLOCATED, whoever a resolver names for it', () => {
    const stored = { bytes: usage({ UNALLOCATED: 1, b: 3 }) };
    const plan = planOf(usageRatio(['bytes']), { usage: stored, owners: { UNALLOCATED: 'team', b: 'team' } });
    const weights = new Map(
      plan.portions[0]!.recipients.map(({ identityId, weight }) => [identityId, weight]),
    );
    expect([...weights.keys()].toSorted()).toEqual(['UNALLOCATED', 'team']);
    expect(weights.get('team')).toBe(weights.get('UNALLOCATED')! * 3n);
  });

  it('keeps the proportion of small samples', () => {
    const world = { usage: { in: usage({ a: 0.000_03, b: 0.000_02 }) } };
    expect(amountsOf(model, '5.00', world)).toEqual({ a: '3.0000', b: '2.0000' });
  });

  it('gives the same weights whatever the order of queries and names', () => {
    const entry = fc.tuple(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.double({ min: 0, max: 1e15, noNaN: true }),
    );
    const totals = fc.uniqueArray(entry, { selector: ([name]) => name });
    fc.assert(
      fc.property(totals, totals, (left, right) => {
        const weightsOf = (one: typeof left, other: typeof right, keys: string[]): unknown => {
          const outcome = usageRatio(keys)(
            contextOf({
              usage: { in: usage(Object.fromEntries(one)), out: usage(Object.fromEntries(other)) },
            }),
          );
          if (isStepAside(outcome)) return outcome.because;
          return new Map(
            outcome.portions[0]!.recipients.map(({ identityId, weight }) => [identityId, weight]),
          );
        };
        expect(weightsOf(left.toReversed(), right.toReversed(), ['out', 'in'])).toEqual(
          weightsOf(left, right, ['in', 'out']),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('needs query keys, each once', () => {
    expect(() => usageRatio([])).toThrow(code('CB_ALLOCATION_MODEL'));
    expect(() => usageRatio(['in', 'in'])).toThrow(code('CB_ALLOCATION_MODEL'));
  });
});

describe('directOwner', () => {
  it('gives everything to the owner', () => {
    expect(rowsOf(directOwner('sa-1'), '5.00', {})).toMatchObject([
      {
        identityId: 'sa-1',
        amount: '5.0000',
        costType: 'USAGE',
        method: 'direct_owner',
        detail: 'DIRECT_OWNER_ALLOCATION',
      },
    ]);
    expect(
      amountsOf(
        directOwner((context) => context.line.resourceId),
        '5.00',
        {},
      ),
    ).toEqual({ 'lkc-1': '5.0000' });
  });

  it('steps aside without one, and the next tier says why', () => {
    const byResource = directOwner((context) => context.resource?.ownerId ?? null);
    expect(stepAsideOf(byResource, {})).toBe('NO_OWNER_LOCATED');
    expect(stepAsideOf(directOwner(''), {})).toBe('NO_OWNER_LOCATED');
    const model = chain(byResource, evenSplit('tenantPeriod'), terminal('resource'));
    expect(planOf(model, { period: ['a'] }).portions).toMatchObject([
      { chainTier: 1, detail: 'NO_OWNER_LOCATED' },
    ]);
  });
});

describe('terminal', () => {
  it('goes to whoever a function names, to UNALLOCATED when it names nobody', () => {
    expect(
      amountsOf(
        terminal((context) => `owner of ${context.line.resourceId}`),
        '1.00',
        {},
      ),
    ).toEqual({
      'owner of lkc-1': '1.0000',
    });
    expect(
      amountsOf(
        terminal(() => ''),
        '1.00',
        {},
      ),
    ).toEqual({ UNALLOCATED: '1.0000' });
  });

  it('can carry another cost type, method and detail', () => {
    const linking = terminal('resource', {
      costType: 'USAGE',
      method: 'cluster_linking',
      detail: 'CLUSTER_LINKING_COST',
    });
    expect(planOf(linking, {}).portions).toMatchObject([
      { costType: 'USAGE', method: 'cluster_linking', detail: 'CLUSTER_LINKING_COST' },
    ]);
  });
});

describe('chain', () => {
  it('refuses tiers that can never be reached', () => {
    expect(() => chain(terminal('resource'), terminal('unallocated'))).toThrow(
      expect.objectContaining({
        code: 'CB_ALLOCATION_MODEL',
        message: expect.stringContaining('tier 1 can never'),
      }),
    );
    const nested = chain(terminal('resource'));
    expect(() => chain(nested, terminal('unallocated'))).toThrow(code('CB_ALLOCATION_MODEL'));
  });

  it('refuses what is no model, naming the place', () => {
    const plain = (() => ({ portions: [] })) as never;
    for (const stranger of [plain, undefined as never, 'even_split' as never]) {
      expect(() => chain(stranger, terminal('resource'))).toThrow(
        expect.objectContaining({ code: 'CB_ALLOCATION_MODEL', message: expect.stringContaining('tier 0') }),
      );
    }
  });

  it('takes an allocator of an author, wrapped as a model', () => {
    const own = allocationModel({ name: 'my_rule', terminal: false }, () => ({
      stepAside: true,
      because: 'NO_OWNER_LOCATED',
    }));
    const model = chain(own, evenSplit('tenantPeriod'), terminal('resource'));
    expect(planOf(model, { period: ['a'] }).portions).toMatchObject([
      { chainTier: 1, detail: 'NO_OWNER_LOCATED', tiersTried: [{ tier: 0, because: 'NO_OWNER_LOCATED' }] },
    ]);
  });

  it('says so when a model that is described as terminal steps aside', () => {
    const liar = allocationModel({ name: 'liar', terminal: true }, () => ({
      stepAside: true,
      because: 'NO_OWNER_LOCATED',
    }));
    expect(() => chain(liar)(contextOf({}))).toThrow(code('CB_ALLOCATION_FAILED'));
  });

  it('lets a nested chain keep its own tiers and tells what the outer one tried first', () => {
    const model = chain(
      usageRatio(['in']),
      chain(evenSplit('mergedActive'), evenSplit('tenantPeriod'), terminal('resource')),
    );
    expect(planOf(model, { active: ['a'] }).portions).toMatchObject([
      {
        chainTier: 0,
        detail: 'NO_METRICS_LOCATED',
        tiersTried: [{ tier: 0, because: 'NO_METRICS_LOCATED' }],
      },
    ]);
    expect(planOf(model, { period: ['a'] }).portions).toMatchObject([
      {
        chainTier: 1,
        detail: 'NO_ACTIVE_IDENTITIES_LOCATED',
        tiersTried: [
          { tier: 0, because: 'NO_METRICS_LOCATED' },
          { tier: 0, because: 'NO_ACTIVE_IDENTITIES_LOCATED' },
        ],
      },
    ]);
  });

  it('takes a composite that may step aside as a tier', () => {
    const both = composite([
      { ratio: '0.5', model: usageRatio(['in']) },
      { ratio: '0.5', model: usageRatio(['out']) },
    ]);
    const model = chain(both, evenSplit('tenantPeriod'), terminal('resource'));
    const used = { period: ['z'], usage: { in: usage({ a: 1 }), out: usage({ b: 1 }) } };
    expect(planOf(model, used).portions).toMatchObject([
      { compositionIndex: 0, chainTier: 0 },
      { compositionIndex: 1, chainTier: 0 },
    ]);
    expect(planOf(model, { period: ['z'] }).portions).toMatchObject([
      { compositionIndex: null, chainTier: 1, detail: 'NO_METRICS_LOCATED' },
    ]);
  });
});

describe('composite', () => {
  const shared = terminal('resource');
  const byParams = composite([
    { ratio: '0.70', param: 'usage_ratio', model: chain(usageRatio(['in']), shared) },
    { ratio: '0.30', param: 'shared_ratio', model: shared },
  ]);

  it('fails when one component steps aside and another does not', () => {
    const model = composite([
      { ratio: '0.7', model: usageRatio(['in']) },
      { ratio: '0.3', model: shared },
    ]);
    expect(() => model(contextOf({}))).toThrow(
      expect.objectContaining({
        code: 'CB_ALLOCATION_FAILED',
        message: expect.stringContaining('component 0 (usage_ratio)'),
      }),
    );
  });

  it('may not end a chain unless every component ends in a terminal model', () => {
    const loose = composite([
      { ratio: '0.7', model: usageRatio(['in']) },
      { ratio: '0.3', model: shared },
    ]);
    expect(() => chain(evenSplit('tenantPeriod'), loose)).toThrow(code('CB_ALLOCATION_MODEL'));
    expect(modelOf(chain(evenSplit('tenantPeriod'), byParams))?.terminal).toBe(true);
  });

  it.each([
    [{ usage_ratio: '0.6' }, ['0.9', 'usage_ratio 0.6', 'shared_ratio 0.3 (default)']],
    [{ shared_ratio: 0.5 }, ['1.2', 'usage_ratio 0.7 (default)', 'shared_ratio 0.5']],
    [
      { usage_ratio: '1.5', shared_ratio: '-0.5' },
      ['between 0 and 1', 'usage_ratio 1.5', 'shared_ratio -0.5'],
    ],
    [{ usage_ratio: 'most' }, ['usage_ratio', 'most']],
    [{ usage_ratio: true }, ['usage_ratio', 'true']],
    [{ usage_ratio: 'Infinity' }, ['usage_ratio', 'Infinity']],
  ])('refuses parameters %j when it runs and when it is checked, naming both', (params, words) => {
    const errors = checkCompositeParams(chain(byParams), params);
    expect(errors).toHaveLength(1);
    for (const word of words) expect(errors[0]!.message).toContain(word);
    expect(errors[0]).toMatchObject({
      code: 'CB_CONFIG_VALUE',
      path: expect.stringMatching(/^allocator_params\./),
    });
    expect(() => byParams(contextOf({ params }))).toThrow(errors[0]!.message);
  });

  it('takes ratios that are 1 within 0.0001, the last one with the exact rest', () => {
    const thirds = composite(['0.3333', '0.3333', '0.3333'].map((ratio) => ({ ratio, model: shared })));
    expect(planOf(thirds, {}).portions.map(({ ratio }) => ratio.toString())).toEqual([
      '0.3333',
      '0.3333',
      '0.3334',
    ]);
    expect(checkCompositeParams(byParams, { usage_ratio: '0.65', shared_ratio: 0.35 })).toEqual([]);
    expect(checkCompositeParams(() => ({ portions: [] }), { usage_ratio: 'x' })).toEqual([]);
    expect(() => composite([{ ratio: '0.9998', model: shared }])).toThrow(code('CB_ALLOCATION_MODEL'));
    expect(() => composite([])).toThrow(code('CB_ALLOCATION_MODEL'));
  });

  it('leaves out a component whose ratio is zero', () => {
    const world: World = { params: { usage_ratio: 0, shared_ratio: 1 } };
    expect(planOf(byParams, world).portions).toMatchObject([{ compositionIndex: 1 }]);
    expect(totalOf(rowsOf(byParams, '10.00005', world))).toBe('10.00005');
  });

  it('multiplies ratios when composites are nested', () => {
    const nested = composite([
      { ratio: '0.5', model: byParams },
      { ratio: '0.5', model: shared },
    ]);
    const { portions } = planOf(nested, {});
    expect(portions.map(({ ratio, compositionIndex }) => [ratio.toString(), compositionIndex])).toEqual([
      ['0.35', 0],
      ['0.15', 0],
      ['0.5', 1],
    ]);
  });
});

describe('the models', () => {
  it('print how they are wired, with the ratios that count', () => {
    const model = composite([
      { ratio: '0.70', param: 'usage', model: chain(usageRatio(['in', 'out']), terminal('resource')) },
      { ratio: '0.30', param: 'shared', model: evenSplit('tenantPeriod', { identityTypes: ['user'] }) },
    ]);
    expect(describeModel(model)).toBe(
      'composite(0.70 × chain(usage_ratio(in + out) → terminal(resource)) + 0.30 × even_split(tenantPeriod: user))',
    );
    expect(describeModel(model, { usage: 0.6, shared: '0.4' })).toContain('0.6 × chain');
    expect(describeModel(() => ({ portions: [] }))).toBe('custom');
  });

  it('are all in the table of the README', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8').replaceAll(/ +/g, ' ');
    for (const [name, meaning] of Object.entries(ALLOCATION_MODELS)) {
      expect(readme).toContain(`| \`${name}\` | ${meaning} |`);
    }
  });

  it('give the same plan every time', () => {
    const world: World = { active: ['a', 'b'], usage: { in: usage({ a: 1, b: 2 }) } };
    const model = chain(usageRatio(['in']), evenSplit('mergedActive'), terminal('resource'));
    expect(planOf(model, world)).toEqual(planOf(model, world));
  });
});
