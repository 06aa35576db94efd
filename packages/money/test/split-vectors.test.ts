import { describe, expect, it } from 'vitest';
import {
  assertRatios,
  Decimal,
  formatUnits,
  parseMoney,
  splitByWeight,
  splitPortions,
  weightFromSample,
} from '../src/index.ts';

const usd = (text: string): ReturnType<typeof parseMoney>['amount'] => parseMoney(text, 'USD').amount;

function evenly(total: string, count: number): string[] {
  const recipients = Array.from({ length: count }, (_, index) => ({
    key: `u${String(index).padStart(4, '0')}`,
    weight: 1n,
  }));
  return splitByWeight(usd(total), recipients).map(({ units }) => formatUnits(units));
}

function byUsage(total: string, usage: Record<string, number>): Record<string, string> {
  const recipients = Object.entries(usage).map(([key, value]) => ({ key, weight: weightFromSample(value) }));
  return Object.fromEntries(
    splitByWeight(usd(total), recipients).map(({ key, units }) => [key, formatUnits(units)]),
  );
}

describe('even splits', () => {
  const vectors: [string, string, number, string[]][] = [
    ['1', '10', 3, ['3.3334', '3.3333', '3.3333']],
    ['2', '3.00', 3, ['1.0000', '1.0000', '1.0000']],
    ['3', '0.0001', 999, ['0.0001', ...Array<string>(998).fill('0.0000')]],
    // The existing product gives 0.5000 and 0.5001, which is more than the total.
    ['4', '1.00005', 2, ['0.50005', '0.5000']],
    // The existing product makes 0.0001 of it.
    ['5', '0.00009', 2, ['0.00009', '0.0000']],
    ['6', '0.0002', 3, ['0.0000', '0.0001', '0.0001']],
    ['7', '100', 7, ['14.2858', ...Array<string>(6).fill('14.2857')]],
    ['8', '-10', 3, ['-3.3334', '-3.3333', '-3.3333']],
    ['9', '0', 2, ['0.0000', '0.0000']],
    ['10', '1.00005', 1, ['1.00005']],
  ];
  it.each(vectors)('%s: %s over %i', (_number, total, count, shares) => {
    expect(evenly(total, count)).toEqual(shares);
  });
});

describe('splits by usage', () => {
  const vectors: [string, string, Record<string, number>, Record<string, string>][] = [
    ['11', '10', { u1: 60, u2: 40 }, { u1: '6.0000', u2: '4.0000' }],
    ['12', '100', { a: 33, b: 33, c: 34 }, { a: '33.0000', b: '33.0000', c: '34.0000' }],
    ['13', '10', { a: 1, b: 1, c: 1 }, { a: '3.3334', b: '3.3333', c: '3.3333' }],
    ['14', '100', { a: 1, b: 2, c: 4 }, { a: '14.2857', b: '28.5714', c: '57.1429' }],
    ['15', '-10', { a: 2, b: 1 }, { a: '-6.6667', b: '-3.3333' }],
    ['16', '0.01', { a: 1e9, b: 1, c: 0 }, { a: '0.0100', b: '0.0000', c: '0.0000' }],
    [
      '18, where the existing product charges tiny -0.0001',
      '1',
      { tiny: 1e-9, x0: 1, x1: 1, x2: 1, x3: 1, x4: 1, x5: 1, x6: 1 },
      {
        tiny: '0.0000',
        x0: '0.1428',
        x1: '0.1428',
        x2: '0.1428',
        x3: '0.1429',
        x4: '0.1429',
        x5: '0.1429',
        x6: '0.1429',
      },
    ],
    ['54', '10.00', { a: 80, b: 20 }, { a: '8.0000', b: '2.0000' }],
    ['55', '10.00', { a: 0, b: 1, c: 2 }, { a: '0.0000', b: '3.3333', c: '6.6667' }],
    [
      '58, where the existing product charges the first -0.0001',
      '1.0000',
      { t0: 0, t1: 1, t2: 1, t3: 1, t4: 1, t5: 1, t6: 1, t7: 1 },
      {
        t0: '0.0000',
        t1: '0.1428',
        t2: '0.1428',
        t3: '0.1428',
        t4: '0.1429',
        t5: '0.1429',
        t6: '0.1429',
        t7: '0.1429',
      },
    ],
  ];
  it.each(vectors)('%s: %s by %j', (_number, total, usage, shares) => {
    expect(byUsage(total, usage)).toEqual(shares);
  });

  it('17: nobody to give it to is an error, not a row', () => {
    expect(() => splitByWeight(usd('5.00'), [])).toThrow(
      expect.objectContaining({ code: 'CB_MONEY_WEIGHT' }),
    );
    expect(() => splitByWeight(usd('5.00'), [{ key: 'a', weight: 0n }])).toThrow(
      expect.objectContaining({ code: 'CB_MONEY_WEIGHT' }),
    );
  });

  it.each([Number.NaN, Infinity, -Infinity, -4, -1e-300])('19: the sample %d is rejected', (sample) => {
    expect(() => weightFromSample(sample)).toThrow(expect.objectContaining({ code: 'CB_MONEY_WEIGHT' }));
  });

  it('refuses a negative weight and a recipient named twice', () => {
    const negative = [
      { key: 'a', weight: 5n },
      { key: 'b', weight: -4n },
    ];
    expect(() => splitByWeight(usd('10'), negative)).toThrow(/"b" is negative/);
    const twice = ['b', 'a', 'b'].map((key) => ({ key, weight: 1n }));
    expect(() => splitByWeight(usd('10'), twice)).toThrow(/"b" occurs twice/);
  });

  it.each([10n ** 19n, -(10n ** 30n)])('refuses %d ledger units, which nothing can store', (units) => {
    const amount = { units, currency: 'USD' };
    expect(() => splitByWeight(amount, [{ key: 'a', weight: 1n }])).toThrow(
      expect.objectContaining({ code: 'CB_MONEY_TOO_LARGE' }),
    );
  });

  it('gives what is set aside to the first who has a weight', () => {
    expect(byUsage('1.00005', { a: 0, b: 1, c: 1 })).toEqual({ a: '0.0000', b: '0.50005', c: '0.5000' });
  });

  it('sorts by code units, not by locale', () => {
    expect(Object.keys(byUsage('10', { ä: 1, a: 1, Z: 1, '10': 1, '9': 1 }))).toEqual(
      expect.arrayContaining(['10', '9', 'Z', 'a', 'ä']),
    );
    const keys = ['ä', 'a', 'Z', '9', '10', '😀', '\uFFFD'].map((key) => ({ key, weight: 1n }));
    expect(splitByWeight(usd('10'), keys).map(({ key }) => key)).toEqual([
      '10',
      '9',
      'Z',
      'a',
      'ä',
      '😀',
      '\uFFFD',
    ]);
  });
});

describe('weights of samples', () => {
  it('keep the proportion of small samples and of large ones', () => {
    expect(byUsage('5.00', { a: 0.000_03, b: 0.000_02 })).toEqual({ a: '3.0000', b: '2.0000' });
    expect(byUsage('5.00', { a: 3e-9, b: 2e-9 })).toEqual({ a: '3.0000', b: '2.0000' });
    expect(byUsage('5.00', { a: 3e300, b: 2e300 })).toEqual({ a: '3.0000', b: '2.0000' });
    expect(byUsage('6.00', { a: 1e300, b: 5e299, c: 0.5 })).toEqual({
      a: '4.0000',
      b: '2.0000',
      c: '0.0000',
    });
  });

  it('are exact for every sample of at least 2⁻¹¹', () => {
    for (const sample of [2 ** -11, 0.1, 1 / 3, 1, 2 ** 52 + 0.5, 1e300]) {
      const next = sample + Number.EPSILON * 2 ** Math.floor(Math.log2(sample));
      expect(weightFromSample(next)).toBeGreaterThan(weightFromSample(sample));
      expect(weightFromSample(sample / 2) * 2n).toBe(weightFromSample(sample));
    }
  });

  it('can be made of the smallest and the largest sample there is', () => {
    expect(weightFromSample(Number.MAX_VALUE)).toBe(BigInt(Number.MAX_VALUE) * 2n ** 64n);
    expect(weightFromSample(Number.MIN_VALUE)).toBe(0n);
    expect(weightFromSample(0)).toBe(0n);
    expect(weightFromSample(-0)).toBe(0n);
  });
});

describe('portions', () => {
  const portions = (total: string, ...ratios: string[]): string[] =>
    splitPortions(
      usd(total),
      ratios.map((ratio) => new Decimal(ratio)),
    ).map(({ units }) => formatUnits(units));

  it.each([
    ['20', '10', ['.70', '.30'], ['7.0000', '3.0000']],
    ['21', '10', ['.333', '.333', '.334'], ['3.3300', '3.3300', '3.3400']],
    [
      '30, what is smaller than 0.0001 stays with the last',
      '10.00005',
      ['.70', '.30'],
      ['7.0000', '3.00005'],
    ],
    ['a negative total', '-10.00005', ['.70', '.30'], ['-7.0000', '-3.00005']],
    ['ties go away from zero', '0.0003', ['.5', '.5'], ['0.0002', '0.0001']],
    ['ties go away from zero', '-0.0003', ['.5', '.5'], ['-0.0002', '-0.0001']],
    ['one ratio within the tolerance', '0.00003', ['.9999'], ['0.00003']],
    ['ratios a little above 1', '1', ['1', '.0001', '0'], ['1.0000', '0.0000', '0.0000']],
  ])('%s: %s by %j', (_number, total, ratios, expected) => {
    expect(portions(total, ...ratios)).toEqual(expected);
  });

  it.each(['0.0005', '-0.0005'])('of %s never have the wrong sign, however many there are', (total) => {
    const tenths = Array<string>(10).fill('0.1');
    const sign = total.startsWith('-') ? '-' : '';
    expect(portions(total, ...tenths)).toEqual([
      ...Array<string>(5).fill(`${sign}0.0001`),
      ...Array<string>(5).fill('0.0000'),
    ]);
  });

  it('22: ratios that do not sum to 1 are refused, naming the sum', () => {
    expect(() => portions('10', '.6', '.6')).toThrow(/1\.2/);
    expect(() => portions('10', '.9998')).toThrow(/0\.9998/);
    expect(() => portions('10', '1.5', '-0.5')).toThrow(expect.objectContaining({ code: 'CB_MONEY_WEIGHT' }));
    expect(() => portions('10', 'NaN')).toThrow(expect.objectContaining({ code: 'CB_MONEY_WEIGHT' }));
    expect(() => assertRatios([])).toThrow(expect.objectContaining({ code: 'CB_MONEY_WEIGHT' }));
    expect(() => assertRatios([new Decimal('.9999')])).not.toThrow();
  });
});
