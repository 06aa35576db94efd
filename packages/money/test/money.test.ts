import { describe, expect, it } from 'vitest';
import {
  addMoney,
  addTotals,
  fractionOfMoney,
  isZeroMoney,
  MAX_UNITS,
  money,
  MoneyError,
  negateMoney,
  subtractMoney,
  sumMoney,
  zeroMoney,
} from '../src/index.ts';

describe('money', () => {
  it('is added exactly within one currency', () => {
    expect(addMoney(money(1n, 'USD'), money(2n, 'USD'))).toEqual(money(3n, 'USD'));
    expect(subtractMoney(money(1n, 'USD'), money(2n, 'USD'))).toEqual(money(-1n, 'USD'));
    expect(sumMoney([money(10_000_000n, 'USD'), money(20_000_000n, 'USD')], 'USD')).toEqual(
      money(30_000_000n, 'USD'),
    );
    expect(sumMoney([], 'EUR')).toEqual(zeroMoney('EUR'));
    expect(isZeroMoney(addMoney(money(5n, 'USD'), negateMoney(money(5n, 'USD'))))).toBe(true);
  });

  it('never mixes currencies', () => {
    const mixed = [
      () => addMoney(money(1n, 'USD'), money(1n, 'EUR')),
      () => subtractMoney(money(1n, 'USD'), zeroMoney('EUR')),
      () => sumMoney([money(1n, 'USD'), money(1n, 'EUR')], 'USD'),
      () => sumMoney([money(1n, 'USD')], 'EUR'),
    ];
    for (const mix of mixed) {
      expect(mix).toThrow(MoneyError);
      expect(mix).toThrow(expect.objectContaining({ code: 'CB_MONEY_CURRENCY' }));
    }
  });

  it('fits a signed 64-bit column or is refused', () => {
    expect(money(MAX_UNITS, 'USD').units).toBe(9_223_372_036_854_775_807n);
    for (const units of [MAX_UNITS + 1n, -MAX_UNITS - 1n]) {
      expect(() => money(units, 'USD')).toThrow(expect.objectContaining({ code: 'CB_MONEY_TOO_LARGE' }));
    }
    expect(() => addMoney(money(MAX_UNITS, 'USD'), money(1n, 'USD'))).toThrow(MoneyError);
    expect(() => sumMoney([money(MAX_UNITS, 'USD'), money(1n, 'USD')], 'USD')).toThrow(MoneyError);
  });
});

describe('addTotals', () => {
  it('adds to what is there, each currency by itself, in whatever order they come', () => {
    const totals = new Map([['EUR', 5n]]);
    const amounts = [
      money(MAX_UNITS, 'USD'),
      money(1n, 'USD'),
      money(-7n, 'EUR'),
      money(0n, 'GBP'),
      money(2n, 'USD'),
    ];
    addTotals(
      totals,
      amounts.map((amount) => ({ amount })),
    );
    expect(Object.fromEntries(totals)).toEqual({ EUR: -2n, USD: MAX_UNITS + 3n, GBP: 0n });
  });
});

describe('fractionOfMoney', () => {
  it.each<[bigint, bigint, bigint, bigint]>([
    [100n, 1n, 2n, 50n],
    [1n, 1n, 2n, 0n],
    [3n, 1n, 2n, 2n],
    [5n, 1n, 2n, 2n],
    [-3n, 1n, 2n, -2n],
    [-1n, 1n, 2n, 0n],
    [100n, 0n, 24n, 0n],
    [100n, 24n, 24n, 100n],
    [2n, 2n, 3n, 1n],
    [MAX_UNITS, 86_399_999n, 86_400_000n, 9_223_371_930_102_784_640n],
  ])('takes of %d the part %d/%d, half-even: %d', (units, numerator, denominator, part) => {
    expect(fractionOfMoney(money(units, 'USD'), numerator, denominator)).toEqual(money(part, 'USD'));
  });

  it.each<[bigint, bigint]>([
    [1n, 0n],
    [-1n, 2n],
    [3n, 2n],
    [1n, -2n],
  ])('refuses the fraction %d/%d', (numerator, denominator) => {
    expect(() => fractionOfMoney(money(1n, 'USD'), numerator, denominator)).toThrow(
      expect.objectContaining({ code: 'CB_MONEY_WEIGHT' }),
    );
  });
});
