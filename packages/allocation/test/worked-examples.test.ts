import { describe, expect, it } from 'vitest';
import { chain, composite, evenSplit, terminal, usageRatio } from '../src/index.ts';
import { amountsOf, rowsOf, totalOf, usage, type World } from './support.ts';

const GIB = 1_073_741_824;

describe('worked examples of "How Costs Work"', () => {
  it('Even split: $10.00 across 3 identities', () => {
    const world = { active: ['identity-c', 'identity-a', 'identity-b'] };
    expect(amountsOf(evenSplit('resourceActive'), '10.00', world)).toEqual({
      'identity-a': '3.3334',
      'identity-b': '3.3333',
      'identity-c': '3.3333',
    });
  });

  it('Usage ratio: $100.00 split by bytes', () => {
    const bytes = usage({ 'team-a': 500 * GIB, 'team-b': 300 * GIB, 'team-c': 200 * GIB });
    expect(amountsOf(usageRatio(['bytes']), '100.00', { usage: { bytes } })).toEqual({
      'team-a': '50.0000',
      'team-b': '30.0000',
      'team-c': '20.0000',
    });
  });

  // The page's table has a slip in its last row: 334/1000 of $100.00 is $33.4000. The rule in the text counts.
  it("Usage ratio: when ratios don't divide evenly, by the rule in the text", () => {
    const bytes = usage({ 'team-a': 333, 'team-b': 333, 'team-c': 334 });
    expect(amountsOf(usageRatio(['bytes']), '100.00', { usage: { bytes } })).toEqual({
      'team-a': '33.3000',
      'team-b': '33.3000',
      'team-c': '33.4000',
    });
  });

  it("Usage ratio: the remainder goes to the first identity, when thirds don't divide evenly", () => {
    const bytes = usage({ 'team-c': 333, 'team-b': 333, 'team-a': 333 });
    expect(amountsOf(usageRatio(['bytes']), '100.00', { usage: { bytes } })).toEqual({
      'team-a': '33.3334',
      'team-b': '33.3333',
      'team-c': '33.3333',
    });
  });

  it('Composite allocation (CKU model): 3 identities, $100 CKU cost, 70/30 split', () => {
    const shared = [evenSplit('mergedActive'), evenSplit('tenantPeriod'), terminal('resource')] as const;
    const cku = composite([
      { ratio: '0.70', param: 'usage_ratio', model: chain(usageRatio(['bytes_in', 'bytes_out']), ...shared) },
      { ratio: '0.30', param: 'shared_ratio', model: chain(...shared) },
    ]);
    const world: World = {
      active: ['team-a', 'team-b', 'team-c'],
      usage: {
        bytes_in: usage({ 'team-a': 200, 'team-b': 300, 'team-c': 100 }),
        bytes_out: usage({ 'team-a': 300, 'team-c': 100 }),
      },
    };
    const rows = rowsOf(cku, '100.00', world).map((row) => [
      row.identityId,
      row.amount,
      row.costType,
      row.method,
      row.compositionIndex,
      row.ratio,
      row.chainTier,
    ]);
    expect(rows).toEqual([
      ['team-a', '35.0000', 'USAGE', 'usage_ratio', 0, '0.7', 0],
      ['team-b', '21.0000', 'USAGE', 'usage_ratio', 0, '0.7', 0],
      ['team-c', '14.0000', 'USAGE', 'usage_ratio', 0, '0.7', 0],
      ['team-a', '10.0000', 'SHARED', 'even_split', 1, '0.3', 0],
      ['team-b', '10.0000', 'SHARED', 'even_split', 1, '0.3', 0],
      ['team-c', '10.0000', 'SHARED', 'even_split', 1, '0.3', 0],
    ]);
    expect(amountsOf(cku, '100.00', world)).toEqual({
      'team-a': '45.0000',
      'team-b': '31.0000',
      'team-c': '24.0000',
    });
  });
});

describe('Tiered fallback (ChainModel)', () => {
  const model = chain(
    usageRatio(['bytes']),
    evenSplit('mergedActive'),
    evenSplit('tenantPeriod'),
    terminal('resource'),
  );

  const cases: [string, World, object][] = [
    [
      'Tier 0: usage ratio, USAGE_RATIO_ALLOCATION',
      { active: ['a', 'b'], usage: { bytes: usage({ a: 1, b: 1 }) } },
      {
        costType: 'USAGE',
        method: 'usage_ratio',
        detail: 'USAGE_RATIO_ALLOCATION',
        chainTier: 0,
        tiersTried: [],
      },
    ],
    [
      'Tier 1: even split across active identities, NO_METRICS_LOCATED',
      { active: ['a'], derived: ['b'], period: ['z'] },
      {
        costType: 'SHARED',
        method: 'even_split',
        detail: 'NO_METRICS_LOCATED',
        chainTier: 1,
        tiersTried: [{ tier: 0, because: 'NO_METRICS_LOCATED' }],
      },
    ],
    [
      'Tier 1 with metrics that are all zero, NO_USAGE_FOR_ACTIVE_IDENTITIES',
      { active: ['a', 'b'], usage: { bytes: usage({ a: 0, b: 0 }) } },
      { costType: 'SHARED', detail: 'NO_USAGE_FOR_ACTIVE_IDENTITIES', chainTier: 1 },
    ],
    [
      'Tier 2: even split across all tenant identities, NO_ACTIVE_IDENTITIES_LOCATED',
      { period: ['a', 'b'] },
      {
        costType: 'SHARED',
        method: 'even_split',
        detail: 'NO_ACTIVE_IDENTITIES_LOCATED',
        chainTier: 2,
        tiersTried: [
          { tier: 0, because: 'NO_METRICS_LOCATED' },
          { tier: 1, because: 'NO_ACTIVE_IDENTITIES_LOCATED' },
        ],
      },
    ],
  ];
  it.each(cases)('%s', (_heading, world, why) => {
    const rows = rowsOf(model, '10.00', world);
    expect(rows.map(({ identityId, amount }) => [identityId, amount])).toEqual([
      ['a', '5.0000'],
      ['b', '5.0000'],
    ]);
    for (const row of rows) expect(row).toMatchObject(why);
  });

  it('Tier 3: terminal, allocate to the resource ID itself, NO_IDENTITIES_LOCATED', () => {
    expect(rowsOf(model, '10.00', {})).toEqual([
      {
        identityId: 'lkc-1',
        amount: '10.0000',
        ratio: '1',
        costType: 'SHARED',
        method: 'terminal',
        detail: 'NO_IDENTITIES_LOCATED',
        chainTier: 3,
        compositionIndex: null,
        tiersTried: [
          { tier: 0, because: 'NO_METRICS_LOCATED' },
          { tier: 1, because: 'NO_ACTIVE_IDENTITIES_LOCATED' },
          { tier: 2, because: 'NO_IDENTITIES_LOCATED' },
        ],
      },
    ]);
  });
});

describe('The UNALLOCATED identity', () => {
  it('receives what nobody can be given, whole', () => {
    const model = chain(evenSplit('mergedActive'), evenSplit('tenantPeriod'), terminal('unallocated'));
    const rows = rowsOf(model, '0.00003', {});
    expect(rows).toMatchObject([
      { identityId: 'UNALLOCATED', amount: '0.00003', costType: 'SHARED', detail: 'NO_IDENTITIES_LOCATED' },
    ]);
    expect(totalOf(rows)).toBe('0.00003');
  });

  it('stands in for the resource of a line that has none', () => {
    expect(amountsOf(terminal('resource'), '5.00', { resourceId: null })).toEqual({ UNALLOCATED: '5.0000' });
    expect(amountsOf(terminal('resource'), '5.00', { resourceId: '' })).toEqual({ UNALLOCATED: '5.0000' });
  });

  it('Org-wide costs: is named explicitly', () => {
    const model = terminal('unallocated', { detail: 'USING_DEFAULT_ALLOCATOR' });
    expect(rowsOf(model, '5.00', { active: ['a'], period: ['a'] })).toMatchObject([
      { identityId: 'UNALLOCATED', amount: '5.0000', detail: 'USING_DEFAULT_ALLOCATOR' },
    ]);
  });

  it('takes no part in an even split while somebody is known', () => {
    const model = chain(evenSplit('tenantPeriod'), terminal('unallocated'));
    expect(amountsOf(model, '5.00', { period: ['a', 'b'] })).toEqual({ a: '2.5000', b: '2.5000' });
  });
});
