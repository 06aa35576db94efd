import { describe, expect, it } from 'vitest';
import { daysOf, dayWindow, isComplete, isoDateOf, startOfDay } from '../src/index.ts';

const at = (text: string): Date => new Date(text);

describe('windows', () => {
  it('of a day begin at midnight UTC and end where the next begins', () => {
    expect(dayWindow('2026-02-28')).toEqual({
      start: at('2026-02-28T00:00:00Z'),
      end: at('2026-03-01T00:00:00Z'),
    });
    expect(startOfDay('2026-02-01').toISOString()).toBe('2026-02-01T00:00:00.000Z');
    expect(isoDateOf(at('2026-02-01T23:59:59.999Z'))).toBe('2026-02-01');
  });

  it('hold the days that begin inside them, the end excluded', () => {
    const days = (start: string, end: string): string[] => daysOf({ start: at(start), end: at(end) });
    expect(days('2024-02-28T00:00:00Z', '2024-03-02T00:00:00Z')).toEqual([
      '2024-02-28',
      '2024-02-29',
      '2024-03-01',
    ]);
    expect(days('2026-02-01T00:00:00.001Z', '2026-02-02T00:00:00.001Z')).toEqual(['2026-02-02']);
    expect(days('2026-02-01T00:00:00Z', '2026-02-01T00:00:00Z')).toEqual([]);
    expect(days('1969-12-31T12:00:00Z', '1970-01-02T00:00:00Z')).toEqual(['1970-01-01']);
  });
});

describe('coverage', () => {
  it('is complete when everything expected was seen', () => {
    expect(isComplete({ samplesSeen: 24, samplesExpected: 24 })).toBe(true);
    expect(isComplete({ samplesSeen: 23, samplesExpected: 24 })).toBe(false);
    expect(isComplete({ samplesSeen: 0, samplesExpected: 0 })).toBe(true);
  });
});
