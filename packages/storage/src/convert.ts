import {
  ChargebackError,
  type Coverage,
  type IsoDate,
  isoDateOf,
  type Metadata,
  MILLISECONDS_PER_DAY,
  type Window,
} from '@chargeback/plugin-api';

/** Days since 1970-01-01, as stored. */
export type DayNumber = number;

/**
 * The stored number of a UTC day.
 * @throws {ChargebackError} `CB_INTERNAL` when the text is not a day.
 */
export function dayNumberOf(date: IsoDate): DayNumber {
  const day = Date.parse(`${date}T00:00:00.000Z`) / MILLISECONDS_PER_DAY;
  if (!Number.isInteger(day)) throw new ChargebackError('CB_INTERNAL', `not a day: ${date}`);
  return day;
}

export function isoDateOfDay(day: DayNumber): IsoDate {
  return isoDateOf(new Date(day * MILLISECONDS_PER_DAY));
}

/** First day of the month that a day lies in. */
export function monthStartOfDay(day: DayNumber): IsoDate {
  return `${isoDateOfDay(day).slice(0, 7)}-01`;
}

/** The days that begin inside a window: `first` inclusive, `end` exclusive. */
export interface DayRange {
  readonly first: DayNumber;
  readonly end: DayNumber;
}

export function dayRangeOf(window: Window): DayRange {
  return {
    first: Math.ceil(window.start.getTime() / MILLISECONDS_PER_DAY),
    end: Math.ceil(window.end.getTime() / MILLISECONDS_PER_DAY),
  };
}

export function instantOf(milliseconds: number): Date {
  return new Date(milliseconds);
}

export function nullableInstantOf(milliseconds: number | null): Date | null {
  return milliseconds === null ? null : new Date(milliseconds);
}

export function millisecondsOf(instant: Date | null): number | null {
  return instant === null ? null : instant.getTime();
}

export function coverageOf(seen: number | null, expected: number | null): Coverage | null {
  return seen === null || expected === null ? null : { samplesSeen: seen, samplesExpected: expected };
}

export function metadataText(metadata: Metadata): string {
  return JSON.stringify(metadata);
}

export function metadataOf(text: string): Metadata {
  return text === '{}' ? {} : (JSON.parse(text) as Metadata);
}

/**
 * Amounts are added in two halves so that no 64-bit sum overflows: `amount / 2³²` and `amount % 2³²`, both
 * with the sign of the amount. 2³¹ rows of the largest amount still fit.
 */
export const HALF = 4_294_967_296n;

/** Puts the sums of the two halves together again. Numbers must be exact integers. */
export function joinHalves(high: bigint | number | string, low: bigint | number | string): bigint {
  if (typeof high === 'number' && typeof low === 'number') {
    const joined = high * Number(HALF) + low;
    if (Number.isSafeInteger(joined) && Number.isSafeInteger(high * Number(HALF))) return BigInt(joined);
  }
  return BigInt(high) * HALF + BigInt(low);
}
