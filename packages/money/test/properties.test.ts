import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Decimal,
  formatUnits,
  fractionOfMoney,
  MAX_UNITS,
  money,
  parseMoney,
  splitByWeight,
  splitPortions,
  weightFromSample,
  type WeightedRecipient,
} from '../src/index.ts';
import { runs } from './runs.ts';

const LIMIT = 300_000;
const QUANTUM = 10_000n;

const units = fc.oneof(
  fc.bigInt({ min: -1_000_000n, max: 1_000_000n }),
  fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n }),
  fc.bigInt({ min: -MAX_UNITS, max: MAX_UNITS }),
);
const weight = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 10n }) },
  { weight: 2, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 100n }) },
  { weight: 2, arbitrary: fc.constant(1n) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 1e18, noNaN: true }).map(weightFromSample) },
);
const recipients = fc
  .uniqueArray(fc.record({ key: fc.string({ maxLength: 4 }), weight }), {
    selector: ({ key }) => key,
    minLength: 1,
    maxLength: 24,
  })
  .filter((list) => list.some((recipient) => recipient.weight > 0n));

const absolute = (value: bigint): bigint => (value < 0n ? -value : value);
const isOpposite = (value: bigint, total: bigint): boolean => value !== 0n && value > 0n !== total > 0n;
const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

function shares(total: bigint, list: readonly WeightedRecipient[]): { key: string; units: bigint }[] {
  return splitByWeight(money(total, 'USD'), list);
}

describe('splitByWeight, whatever the amount and the weights', () => {
  it('conserves the sum to the last digit', { timeout: LIMIT }, () => {
    fc.assert(
      fc.property(units, recipients, (total, list) => {
        expect(sum(shares(total, list).map((share) => share.units))).toBe(total);
      }),
      runs(0.2),
    );
  });

  it('gives the same shares whatever the order of the input', { timeout: LIMIT }, () => {
    const shuffled = recipients.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(units, shuffled, (total, [list, other]) => {
        expect(shares(total, other)).toEqual(shares(total, list));
      }),
      runs(0.15),
    );
  });

  it('gives nobody a share of the wrong sign, and nothing to a weight of zero', { timeout: LIMIT }, () => {
    fc.assert(
      fc.property(units, recipients, (total, list) => {
        const weights = new Map(list.map((recipient) => [recipient.key, recipient.weight]));
        const wrong = shares(total, list).filter(
          (share) => isOpposite(share.units, total) || (weights.get(share.key) === 0n && share.units !== 0n),
        );
        expect(wrong).toEqual([]);
      }),
      runs(0.2),
    );
  });

  it('stays within two quanta of the exact share', { timeout: LIMIT }, () => {
    fc.assert(
      fc.property(units, recipients, (total, list) => {
        const weights = new Map(list.map((recipient) => [recipient.key, recipient.weight]));
        const weightSum = sum([...weights.values()]);
        for (const share of shares(total, list)) {
          // |share - total × weight / sum| ≤ 2 quanta, multiplied through by the sum.
          const distance = absolute(share.units * weightSum - total * weights.get(share.key)!);
          expect(distance <= 2n * QUANTUM * weightSum).toBe(true);
        }
      }),
      runs(0.15),
    );
  });

  it(
    'rounds as integers of any size do, also next to the middle between two quanta',
    { timeout: LIMIT },
    () => {
      // Of two, the first has half a quantum more than a whole number of them, or as little more or less as can be.
      const nextToHalf = fc
        .record({
          quanta: fc.bigInt({ min: 1n, max: 10n ** 13n }),
          scale: fc.bigInt({ min: 1n, max: 2n ** 100n }),
          part: fc.bigInt({ min: 0n, max: 10n ** 13n }),
          off: fc.bigInt({ min: -2n, max: 2n }),
        })
        .map(({ quanta, scale, part, off }) => {
          const weightSum = 2n * quanta * scale;
          const half = (2n * (part % quanta) + 1n) * scale + off;
          const first = half < 0n ? 0n : half > weightSum ? weightSum : half;
          return { quanta, first, second: weightSum - first };
        });
      fc.assert(
        fc.property(nextToHalf, ({ quanta, first, second }) => {
          const rounded = (part: bigint): bigint =>
            (2n * quanta * part + first + second) / (2n * (first + second));
          const [a, b] = shares(quanta * QUANTUM, [
            { key: 'a', weight: first },
            { key: 'b', weight: second },
          ]);
          // What both are rounded up by is taken from the first of them that has something.
          const over = rounded(first) + rounded(second) - quanta;
          const [less, lessOther] = first > 0n && rounded(first) >= over ? [over, 0n] : [0n, over];
          expect([a!.units, b!.units]).toEqual([
            (rounded(first) - less) * QUANTUM,
            (rounded(second) - lessOther) * QUANTUM,
          ]);
        }),
        runs(0.1),
      );
    },
  );

  it('shares by weights beyond all floating numbers', () => {
    const huge = 10n ** 400n;
    const list = [
      { key: 'a', weight: huge },
      { key: 'b', weight: 2n * huge },
      { key: 'c', weight: 1n },
    ];
    expect(shares(9n * QUANTUM, list).map((share) => share.units)).toEqual([3n * QUANTUM, 6n * QUANTUM, 0n]);
  });

  it('mirrors negative totals', { timeout: LIMIT }, () => {
    fc.assert(
      fc.property(units, recipients, (total, list) => {
        const mirrored = shares(-total, list).map((share) => ({ key: share.key, units: -share.units }));
        expect(mirrored).toEqual(shares(total, list));
      }),
      runs(0.1),
    );
  });

  it('does not change when every weight is multiplied', { timeout: LIMIT }, () => {
    fc.assert(
      fc.property(units, recipients, fc.bigInt({ min: 1n, max: 2n ** 70n }), (total, list, factor) => {
        const scaled = list.map((recipient) => ({ key: recipient.key, weight: recipient.weight * factor }));
        expect(shares(total, scaled)).toEqual(shares(total, list));
      }),
      runs(0.05),
    );
  });
});

describe('formatUnits, whatever the amount', () => {
  it('writes every digit, at least four decimals and no zero after them', { timeout: LIMIT }, () => {
    const around = fc
      .tuple(fc.constantFrom(2n ** 53n, -(2n ** 53n), 10n ** 15n, 0n), fc.bigInt({ min: -3n, max: 3n }))
      .map(([middle, off]) => middle + off);
    const rounded = fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }).map((whole) => whole * 10n ** 6n);
    fc.assert(
      fc.property(fc.oneof(units, around, rounded), (value) => {
        const text = formatUnits(value);
        const digits = absolute(value).toString().padStart(9, '0');
        const exact = `${value < 0n ? '-' : ''}${digits.slice(0, -8)}.${digits.slice(-8)}`;
        expect(text).toMatch(/^-?\d+\.\d{4}(\d{0,3}[1-9])?$/);
        expect(text.padEnd(exact.length, '0')).toBe(exact);
      }),
      runs(0.1),
    );
  });
});

describe('splitPortions, whatever the amount and the ratios', () => {
  const ratios = fc
    .array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 12 })
    .filter((parts) => parts.some((part) => part > 0))
    .map((parts) => {
      const whole = parts.reduce((total, part) => total + part, 0);
      return parts.map((part) => new Decimal(part).dividedBy(whole).toDecimalPlaces(6));
    });

  it(
    'conserves the sum, and each but the last is within half a quantum or takes all that is left',
    { timeout: LIMIT },
    () => {
      fc.assert(
        fc.property(units, ratios, (total, list) => {
          const portions = splitPortions(money(total, 'USD'), list).map((portion) => portion.units);
          expect(sum(portions)).toBe(total);
          let left = total;
          portions.forEach((portion, index) => {
            expect(isOpposite(portion, total)).toBe(false);
            const exactTimesMillion = total * BigInt(list[index]!.times(1_000_000).toFixed(0));
            const close = absolute(portion * 1_000_000n - exactTimesMillion) * 2n <= QUANTUM * 1_000_000n;
            expect(index === portions.length - 1 || close || portion === left).toBe(true);
            left -= portion;
          });
        }),
        runs(0.08),
      );
    },
  );
});

describe('amounts', () => {
  it('come back from their text', { timeout: LIMIT }, () => {
    fc.assert(
      fc.property(units, (value) => {
        const text = formatUnits(value);
        expect(text).toMatch(/^-?\d+\.\d{4,8}$/);
        expect(parseMoney(text, 'USD')).toEqual({
          amount: { units: value, currency: 'USD' },
          rounded: false,
        });
      }),
      runs(0.04),
    );
  });

  it('are a fraction and a rest, the fraction within half a unit', { timeout: LIMIT }, () => {
    const fraction = fc
      .tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.bigInt({ min: 1n, max: 10n ** 12n }))
      .map(([left, right]) => (left <= right ? [left, right] : [right, left]) as [bigint, bigint]);
    fc.assert(
      fc.property(units, fraction, (total, [numerator, denominator]) => {
        const part = fractionOfMoney(money(total, 'USD'), numerator, denominator).units;
        const rest = total - part;
        expect(part + rest).toBe(total);
        expect(absolute(part) <= absolute(total)).toBe(true);
        const twiceDistance = absolute(part * denominator - total * numerator) * 2n;
        expect(twiceDistance <= denominator).toBe(true);
        const tie = twiceDistance === denominator;
        expect(tie && part % 2n !== 0n).toBe(false);
      }),
      runs(0.03),
    );
  });
});
