import { describe, expect, it } from 'vitest';
import { Decimal, formatMoney, moneyFromDecimal, money, parseMoney } from '../src/index.ts';

const parsed = (text: string): [bigint, boolean] => {
  const { amount, rounded } = parseMoney(text, 'USD');
  return [amount.units, rounded];
};

describe('parseMoney', () => {
  it.each<[string, bigint]>([
    ['12.3456', 1_234_560_000n],
    ['0', 0n],
    ['-0', 0n],
    ['-0.00000001', -1n],
    ['+1.5', 150_000_000n],
    ['.5', 50_000_000n],
    ['5.', 500_000_000n],
    [' 7 ', 700_000_000n],
    ['1e3', 100_000_000_000n],
    ['1.5E-3', 150_000n],
    ['0.1', 10_000_000n],
    ['92233720368.54775807', 2n ** 63n - 1n],
    ['-92233720368.54775807', -(2n ** 63n - 1n)],
    [`1${'0'.repeat(50)}e-50`, 100_000_000n],
  ])('reads %j exactly', (text, units) => {
    expect(parsed(text)).toEqual([units, false]);
  });

  it.each<[string, bigint]>([
    ['1e-12', 0n],
    ['-1e-12', 0n],
    ['1e-9999', 0n],
    ['0.000000005', 0n],
    ['0.000000015', 2n],
    ['0.000000025', 2n],
    ['-0.000000015', -2n],
    ['0.0000000050000000000000000000000000000000000000000000001', 1n],
    ['0.00000000499999999999999999999999999999999999999999999999', 0n],
    ['12345678901.0000000150000000000000000000000000000000000000001', 1_234_567_890_100_000_002n],
    ['12345678901.0000000250000000000000000000000000000000000000001', 1_234_567_890_100_000_003n],
    ['1.0000000000000000000000000000000000000000000000000000001', 100_000_000n],
  ])('rounds %j once, half-even, and says so', (text, units) => {
    expect(parsed(text)).toEqual([units, true]);
  });

  it.each([
    '',
    ' ',
    'abc',
    'NaN',
    'Infinity',
    '-',
    '.',
    'e5',
    '1,5',
    '1 000',
    '0x10',
    '1e',
    '$5',
    '1e99999',
    '٣',
  ])('refuses %j', (text) => {
    expect(() => parseMoney(text, 'USD')).toThrow(expect.objectContaining({ code: 'CB_MONEY_PARSE' }));
  });

  it.each([
    '1e400',
    '-1e400',
    '1e15',
    '92233720368.54775808',
    '-92233720368.547758075000001',
    '9'.repeat(400),
  ])('says that %j is too large', (text) => {
    expect(() => parseMoney(text, 'USD')).toThrow(expect.objectContaining({ code: 'CB_MONEY_TOO_LARGE' }));
  });

  it('quotes no more than the beginning of a bad amount', () => {
    expect(() => parseMoney('x'.repeat(10_000), 'USD')).toThrow(/^not an amount: "x{60}"$/);
  });
});

describe('moneyFromDecimal', () => {
  it('rounds a computed cost once', () => {
    const cost = new Decimal(1).dividedBy(3).times(2);
    expect(moneyFromDecimal(cost, 'EUR')).toEqual({
      amount: { units: 66_666_667n, currency: 'EUR' },
      rounded: true,
    });
    expect(moneyFromDecimal(new Decimal('36'), 'EUR').rounded).toBe(false);
  });

  it.each(['NaN', 'Infinity', '-Infinity'])('refuses %s', (text) => {
    expect(() => moneyFromDecimal(new Decimal(text), 'USD')).toThrow(
      expect.objectContaining({ code: 'CB_MONEY_PARSE' }),
    );
  });
});

describe('formatMoney', () => {
  it.each<[bigint, string]>([
    [0n, '0.0000'],
    [1n, '0.00000001'],
    [-10_000n, '-0.0001'],
    [3_000n, '0.00003'],
    [617_280_000n, '6.1728'],
    [-(2n ** 63n - 1n), '-92233720368.54775807'],
  ])('writes %d units as %s', (units, text) => {
    expect(formatMoney(money(units, 'USD'))).toBe(text);
  });
});
