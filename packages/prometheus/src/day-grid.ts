import type { UsageQuery } from '@chargeback/plugin-api';
import type { RangeAnswer } from './range-answer.ts';
import type { DaySpan } from './plan-range.ts';
import type { RangeSeries } from './scan-matrix.ts';

/** Larger samples are no measurements, and a sum of them would not stay finite. */
export const LARGEST_USABLE = 1e290;

/** Where the days of a series lie among sums, and what becomes of its samples. */
export interface ByDay {
  readonly first: number;
  readonly reduce: UsageQuery['reduce'];
}

/** Which sampling instants of a span were seen, and which held something unusable. */
export class DayGrid {
  readonly span: DaySpan;
  /** NaN, infinite, negative and absurdly large samples per day. */
  readonly rejected: Uint32Array;
  /** One rejected value per day, for the message. */
  readonly examples: (number | undefined)[];
  readonly #seen: Uint8Array;
  readonly #unusable: Uint8Array;

  constructor(span: DaySpan) {
    this.span = span;
    this.#seen = new Uint8Array(span.days.length * span.perDay);
    this.#unusable = new Uint8Array(this.#seen.length);
    this.rejected = new Uint32Array(span.days.length);
    this.examples = span.days.map(() => undefined);
  }

  /** Calls back for every usable sample with its instant's index in the span, and notes the others. */
  read(series: RangeSeries, use: (instant: number, value: number) => void): void {
    const { start, stepSeconds } = this.span;
    const { times, values } = series;
    for (let index = 0; index < times.length; index += 1) {
      const instant = (times[index]! - start) / stepSeconds - 1;
      if (this.#note(instant, values[index]!)) use(instant, values[index]!);
    }
  }

  /** {@link read} for what is added up by day: those of the series begin at `first`. */
  addUp({ times, values }: RangeSeries, sums: DaySums, { first, reduce }: ByDay): void {
    const { start, stepSeconds, perDay } = this.span;
    // Samples come in order, so most are of the day of the one before.
    let day = 0;
    let end = perDay;
    for (let index = 0; index < times.length; index += 1) {
      const instant = (times[index]! - start) / stepSeconds - 1;
      const value = values[index]!;
      if (!this.#note(instant, value)) continue;
      if (instant >= end || instant < end - perDay) {
        day = Math.floor(instant / perDay);
        end = (day + 1) * perDay;
      }
      if (reduce === 'max') sums.keepLargest(first + day, value);
      else sums.add(first + day, value);
    }
  }

  /** Whether a sample is usable. */
  #note(instant: number, value: number): boolean {
    // Instants that were not asked for cannot be placed; servers do not answer them.
    if (!Number.isInteger(instant) || instant < 0 || instant >= this.#seen.length) return false;
    if (value >= 0 && value <= LARGEST_USABLE) {
      this.#seen[instant] = 1;
      return true;
    }
    this.#unusable[instant] = 1;
    const day = Math.floor(instant / this.span.perDay);
    this.rejected[day]! += 1;
    this.examples[day] ??= value;
    return false;
  }

  /** Of an answer that holds totals alone: every instant had a usable sample and none an unusable one. */
  seeAll(): void {
    this.#seen.fill(1);
  }

  /** Instants of a day that had a usable sample and no unusable one: what the coverage counts. */
  seenOn(day: number): number {
    return this.#count(day, (instant) => this.#seen[instant] === 1 && this.#unusable[instant] === 0);
  }

  /** Whether any instant of a part of the span had something unusable. */
  isSpoilt(from: number, to: number): boolean {
    return this.#unusable.subarray(from, to).includes(1);
  }

  /** Whether any instant of a part of the span had a usable sample. */
  isSeen(from: number, to: number): boolean {
    return this.#seen.subarray(from, to).includes(1);
  }

  /** Instants of a day that had a usable sample, whatever else they had: what a mean is taken over. */
  usableOn(day: number): number {
    return this.#count(day, (instant) => this.#seen[instant] === 1);
  }

  #count(day: number, isCounted: (instant: number) => boolean): number {
    const { perDay } = this.span;
    let count = 0;
    for (let instant = day * perDay; instant < (day + 1) * perDay; instant += 1) {
      if (isCounted(instant)) count += 1;
    }
    return count;
  }
}

/** Samples in an answer. */
export function sampleCount({ series }: RangeAnswer): number {
  let count = 0;
  for (const { times } of series) count += times.length;
  return count;
}

/** Adds floats so that the order hardly matters: Neumaier's compensated sum, one for each day (of each series). */
export class DaySums {
  readonly #sums: Float64Array;
  readonly #compensations: Float64Array;
  readonly #seen: Uint8Array;

  constructor(days: number) {
    this.#sums = new Float64Array(days);
    this.#compensations = new Float64Array(days);
    this.#seen = new Uint8Array(days);
  }

  add(day: number, value: number): void {
    const before = this.#sums[day]!;
    const sum = before + value;
    this.#compensations[day]! +=
      Math.abs(before) >= Math.abs(value) ? before - sum + value : value - sum + before;
    this.#sums[day] = sum;
    this.#seen[day] = 1;
  }

  keepLargest(day: number, value: number): void {
    if (this.#seen[day] === 0 || value > this.#sums[day]!) this.#sums[day] = value;
    this.#seen[day] = 1;
  }

  /** Null when nothing was added on the day. */
  of(day: number): number | null {
    return this.#seen[day] === 0 ? null : this.#sums[day]! + this.#compensations[day]!;
  }
}
