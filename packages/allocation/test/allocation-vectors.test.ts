import { describe, expect, it } from 'vitest';
import { type AllocationModel, chain, composite, evenSplit, terminal, usageRatio } from '../src/index.ts';
import { amountsOf, rowsOf, totalOf, usage, type World } from './support.ts';

/** The unit model of the existing product, with the details its rows carry, and SHARED where the specification says so. */
function clusterUnits(): AllocationModel {
  return composite([
    {
      ratio: '0.70',
      param: 'usage_ratio',
      model: chain(
        usageRatio(['bytes_in', 'bytes_out']),
        evenSplit('mergedActive', { detail: 'NO_USAGE_FOR_ACTIVE_IDENTITIES' }),
        evenSplit('tenantPeriod', { detail: 'NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED' }),
        terminal('resource'),
      ),
    },
    {
      ratio: '0.30',
      param: 'shared_ratio',
      model: chain(
        evenSplit('mergedActive', { detail: null }),
        evenSplit('tenantPeriod'),
        terminal('resource'),
      ),
    },
  ]);
}

const network = chain(usageRatio(['bytes_in']), evenSplit('mergedActive'), terminal('resource'));

function brief(model: AllocationModel, amount: string, world: World): unknown[] {
  return rowsOf(model, amount, world).map((row) => [row.identityId, row.amount, row.costType, row.detail]);
}

describe('numbers the existing product gives, and the right ones where it errs', () => {
  const nobodyUsed: [string, World][] = [
    ['all zero', { usage: { bytes: usage({ u1: 0, u2: 0 }) } }],
    ['empty', { usage: { bytes: usage({}) } }],
  ];
  it.each(nobodyUsed)('17: usage %s gives one UNALLOCATED row', (_name, world) => {
    const model = chain(
      usageRatio(['bytes']),
      terminal('unallocated', { detail: 'NO_USAGE_FOR_ACTIVE_IDENTITIES' }),
    );
    expect(brief(model, '5.00', world)).toEqual([
      ['UNALLOCATED', '5.0000', 'SHARED', 'NO_USAGE_FOR_ACTIVE_IDENTITIES'],
    ]);
  });

  it('18: nobody is charged a negative amount for near-zero usage', () => {
    const values = { tiny: 1e-9, x0: 1, x1: 1, x2: 1, x3: 1, x4: 1, x5: 1, x6: 1 };
    const amounts = amountsOf(usageRatio(['bytes']), '1', { usage: { bytes: usage(values) } });
    expect(amounts).toEqual({
      tiny: '0.0000',
      x0: '0.1428',
      x1: '0.1428',
      x2: '0.1428',
      x3: '0.1429',
      x4: '0.1429',
      x5: '0.1429',
      x6: '0.1429',
    });
  });

  it('20: 10 by .70 and .30 is 7 and 3, with index and ratio', () => {
    const model = composite([
      { ratio: '0.70', model: terminal(() => 'a') },
      { ratio: '0.30', model: terminal(() => 'b') },
    ]);
    expect(rowsOf(model, '10', {}).map((row) => [row.amount, row.compositionIndex, row.ratio])).toEqual([
      ['7.0000', 0, '0.7'],
      ['3.0000', 1, '0.3'],
    ]);
  });

  it('21: three ratios lose nothing', () => {
    const model = composite(
      ['0.333', '0.333', '0.334'].map((ratio) => ({ ratio, model: terminal('resource') })),
    );
    const rows = rowsOf(model, '10', {});
    expect(rows.map(({ amount }) => amount)).toEqual(['3.3300', '3.3300', '3.3400']);
    expect(totalOf(rows)).toBe('10.0000');
  });

  it('22: ratios that sum to 1.2 are refused, naming the sum', () => {
    const model = terminal('resource');
    expect(() =>
      composite([
        { ratio: '0.6', model },
        { ratio: '0.6', model },
      ]),
    ).toThrow(
      expect.objectContaining({ code: 'CB_ALLOCATION_MODEL', message: expect.stringContaining('1.2') }),
    );
  });

  it('23: a chain that is empty or does not end in a terminal model is refused', () => {
    expect(() => chain()).toThrow(expect.objectContaining({ code: 'CB_ALLOCATION_MODEL' }));
    expect(() => chain(evenSplit('tenantPeriod'))).toThrow(
      expect.objectContaining({ code: 'CB_ALLOCATION_MODEL' }),
    );
  });

  it('24: owners answer for their keys, both directions are added', () => {
    const world: World = {
      active: ['sa-1', 'sa-2', 'sa-3'],
      owners: { K1: 'sa-3' },
      usage: { bytes_in: usage({ K1: 100, 'sa-1': 600 }), bytes_out: usage({ 'sa-2': 300 }) },
    };
    expect(brief(clusterUnits(), '100', world)).toEqual([
      ['sa-1', '42.0000', 'USAGE', 'USAGE_RATIO_ALLOCATION'],
      ['sa-2', '21.0000', 'USAGE', 'USAGE_RATIO_ALLOCATION'],
      ['sa-3', '7.0000', 'USAGE', 'USAGE_RATIO_ALLOCATION'],
      // The existing product writes usage here; the specification says SHARED.
      ['sa-1', '10.0000', 'SHARED', null],
      ['sa-2', '10.0000', 'SHARED', null],
      ['sa-3', '10.0000', 'SHARED', null],
    ]);
  });

  it('25: the usage chain alone on 100', () => {
    const model = chain(
      usageRatio(['bytes_in', 'bytes_out']),
      evenSplit('mergedActive'),
      terminal('resource'),
    );
    const world: World = { usage: { bytes_in: usage({ 'sa-1': 300 }), bytes_out: usage({ 'sa-2': 700 }) } };
    expect(rowsOf(model, '100', world)).toMatchObject([
      { identityId: 'sa-1', amount: '30.0000', costType: 'USAGE', chainTier: 0 },
      { identityId: 'sa-2', amount: '70.0000', costType: 'USAGE', chainTier: 0 },
    ]);
  });

  it.each([
    ['text', { usage_ratio: '0.6', shared_ratio: '0.4' }],
    ['numbers', { usage_ratio: 0.6, shared_ratio: 0.4 }],
  ])('26: ratios from parameters, as %s', (_kind, params) => {
    const world: World = { active: ['sa-1'], params, usage: { bytes_in: usage({ 'sa-1': 1 }) } };
    const rows = rowsOf(clusterUnits(), '100', world);
    expect(rows.map((row) => [row.amount, row.compositionIndex, row.ratio])).toEqual([
      ['60.0000', 0, '0.6'],
      ['40.0000', 1, '0.4'],
    ]);
  });

  it('27: no metrics, both parts evenly', () => {
    expect(brief(clusterUnits(), '100', { active: ['sa-1', 'sa-2', 'sa-3'] })).toEqual([
      ['sa-1', '23.3334', 'SHARED', 'NO_USAGE_FOR_ACTIVE_IDENTITIES'],
      ['sa-2', '23.3333', 'SHARED', 'NO_USAGE_FOR_ACTIVE_IDENTITIES'],
      ['sa-3', '23.3333', 'SHARED', 'NO_USAGE_FOR_ACTIVE_IDENTITIES'],
      ['sa-1', '10.0000', 'SHARED', null],
      ['sa-2', '10.0000', 'SHARED', null],
      ['sa-3', '10.0000', 'SHARED', null],
    ]);
  });

  it('28: only identities of the period', () => {
    expect(brief(clusterUnits(), '100', { period: ['sa-1', 'sa-2'] })).toEqual([
      ['sa-1', '35.0000', 'SHARED', 'NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED'],
      ['sa-2', '35.0000', 'SHARED', 'NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED'],
      ['sa-1', '15.0000', 'SHARED', 'NO_ACTIVE_IDENTITIES_LOCATED'],
      ['sa-2', '15.0000', 'SHARED', 'NO_ACTIVE_IDENTITIES_LOCATED'],
    ]);
  });

  it('29: nobody at all leaves both parts on the resource, 100 together', () => {
    const rows = rowsOf(clusterUnits(), '100', {});
    expect(rows).toMatchObject([
      { identityId: 'lkc-1', amount: '70.0000', method: 'terminal', chainTier: 3, compositionIndex: 0 },
      { identityId: 'lkc-1', amount: '30.0000', method: 'terminal', chainTier: 2, compositionIndex: 1 },
    ]);
    expect(amountsOf(clusterUnits(), '100', {})).toEqual({ 'lkc-1': '100.0000' });
  });

  it('30: digits below 0.0001 are kept and nothing is made up', () => {
    const rows = rowsOf(clusterUnits(), '10.00005', { active: ['sa-1', 'sa-2'] });
    expect(rows.map(({ amount }) => amount)).toEqual(['3.5000', '3.5000', '1.50005', '1.5000']);
    expect(totalOf(rows)).toBe('10.00005');
  });

  it('31: a failed fetch falls to the active identities and says that it failed', () => {
    const world: World = { active: ['b', 'a'], usage: { bytes_in: usage({}, 'failed') } };
    expect(rowsOf(network, '10', world)).toMatchObject([
      { identityId: 'a', amount: '5.0000', costType: 'SHARED', chainTier: 1, detail: 'METRICS_FETCH_FAILED' },
      { identityId: 'b', amount: '5.0000', costType: 'SHARED', chainTier: 1, detail: 'METRICS_FETCH_FAILED' },
    ]);
  });
});
