import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRange } from '../src/index.ts';
import { days } from './support.ts';

const DAY = 86_400;
const steps = Array.from({ length: DAY }, (_, index) => index + 1).filter((step) => DAY % step === 0);

describe('the plan of a range', () => {
  it('asks for the 24 ends of the hours of a day, never for 25', () => {
    expect(planRange(days('2026-02-01', 1), 3600)).toEqual([
      { start: new Date('2026-02-01T01:00:00Z'), end: new Date('2026-02-02T00:00:00Z') },
    ]);
  });

  it('cuts ten days of minutes between days', () => {
    expect(planRange(days('2026-02-01', 10), 60)).toEqual([
      { start: new Date('2026-02-01T00:01:00Z'), end: new Date('2026-02-08T00:00:00Z') },
      { start: new Date('2026-02-08T00:01:00Z'), end: new Date('2026-02-11T00:00:00Z') },
    ]);
  });

  it('cuts a day of seconds into pieces, each day by itself', () => {
    const chunks = planRange(days('2026-02-01', 2), 5);
    expect(chunks.map(({ start }) => start.toISOString())).toEqual([
      '2026-02-01T00:00:05.000Z',
      '2026-02-01T15:16:45.000Z',
      '2026-02-02T00:00:05.000Z',
      '2026-02-02T15:16:45.000Z',
    ]);
  });

  it('asks for every instant once, in order, and for no more than the bound at a time', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...steps.filter((step) => step >= 60)),
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 1, max: 5000 }),
        (step, count, maxPoints) => {
          const window = days('2026-02-01', count);
          const instants: number[] = [];
          for (const { start, end } of planRange(window, step, maxPoints)) {
            const before = instants.length;
            for (let at = start.getTime(); at <= end.getTime(); at += step * 1000) instants.push(at);
            expect(instants.at(-1)).toBe(end.getTime());
            expect(instants.length - before).toBeLessThanOrEqual(maxPoints);
          }
          const first = window.start.getTime();
          expect(instants).toEqual(
            Array.from({ length: (count * DAY) / step }, (_, index) => first + (index + 1) * step * 1000),
          );
        },
      ),
    );
  });

  it.each([0, -60, 7000, 0.5, Number.NaN, 172_800])('refuses a step of %d s', (step) => {
    expect(() => planRange(days('2026-02-01', 1), step)).toThrow(
      expect.objectContaining({ code: 'CB_CONFIG_VALUE' }),
    );
  });
});
