import { fractionOfMoney, formatMoney, parseMoney } from '@chargeback/money';
import { describe, expect, it } from 'vitest';
import { activeFraction, lineWindow } from '../src/index.ts';
import { line, resource } from './support.ts';

const window = { start: new Date('2026-02-01T00:00:00Z'), end: new Date('2026-02-02T00:00:00Z') };
const at = (time: string): Date => new Date(`2026-02-01T${time}:00Z`);

function fractionOf(createdAt: Date | null, deletedAt: Date | null): number {
  const { numerator, denominator } = activeFraction([resource('r', { createdAt, deletedAt })], window);
  return Number(numerator) / Number(denominator);
}

describe('the active fraction of a daily window', () => {
  it.each([
    ['no dates', null, null, 1],
    ['created at 18:00', at('18:00'), null, 0.25],
    ['deleted at 06:00', null, at('06:00'), 0.25],
    ['created at noon', at('12:00'), null, 0.5],
    ['deleted at noon', null, at('12:00'), 0.5],
    ['from 06:00 to 18:00', at('06:00'), at('18:00'), 0.5],
    ['created at 08:00', at('08:00'), null, 2 / 3],
    ['created at the end of the window', window.end, null, 0],
    ['created after the window', new Date('2026-02-05T00:00:00Z'), null, 0],
    ['deleted at the start of the window', null, window.start, 0],
    ['deleted before the window', null, new Date('2026-01-05T00:00:00Z'), 0],
    ['created before, deleted at the end', new Date('2026-01-01T00:00:00Z'), window.end, 1],
  ])('is right for a resource with %s', (_what, createdAt, deletedAt, expected) => {
    expect(fractionOf(createdAt, deletedAt)).toBeCloseTo(expected, 12);
  });

  it('is 1 for an unknown resource and for a window without length', () => {
    expect(activeFraction([], window)).toEqual({ numerator: 1n, denominator: 1n });
    const empty = { start: window.start, end: window.start };
    expect(activeFraction([resource('r', { createdAt: window.end })], empty)).toEqual({
      numerator: 1n,
      denominator: 1n,
    });
  });

  it('adds the lifetimes of a resource that was deleted and came back, counting no hour twice', () => {
    const lifetimes = [resource('r', { deletedAt: at('06:00') }), resource('r', { createdAt: at('18:00') })];
    expect(activeFraction(lifetimes, window)).toEqual({ numerator: 43_200_000n, denominator: 86_400_000n });
    const overlapping = [
      resource('r', { deletedAt: at('12:00') }),
      resource('r', { createdAt: at('06:00'), deletedAt: at('18:00') }),
    ];
    expect(activeFraction(overlapping, window).numerator).toBe(18n * 3_600_000n);
  });

  it('keeps the digits of a third exact when it meets money', () => {
    const { numerator, denominator } = activeFraction([resource('r', { createdAt: at('08:00') })], window);
    const { amount } = parseMoney('100', 'USD');
    expect(formatMoney(fractionOfMoney(amount, numerator, denominator))).toBe('66.66666667');
  });
});

describe('the window of a line', () => {
  const hoursOf = (granularity: string, day: string, durations = {}): number => {
    const span = lineWindow(line(day, '1', { granularity }), durations);
    return (span.end.getTime() - span.start.getTime()) / 3_600_000;
  };

  it.each([
    ['2024-02-01', 29],
    ['2023-02-01', 28],
    ['2024-04-01', 30],
    ['2024-12-01', 31],
  ])('is the calendar month for a monthly line at %s', (day, days) => {
    expect(hoursOf('monthly', day)).toBe(days * 24);
  });

  it('is one hour, one day, or what the configuration says', () => {
    expect(hoursOf('hourly', '2026-02-01')).toBe(1);
    expect(hoursOf('daily', '2026-02-01')).toBe(24);
    expect(hoursOf('weekly', '2026-02-01', { weekly: 168 })).toBe(168);
  });

  it('refuses a granularity that nobody defined', () => {
    expect(() => hoursOf('biweekly', '2026-02-01')).toThrow(/unknown granularity "biweekly"/);
  });
});
