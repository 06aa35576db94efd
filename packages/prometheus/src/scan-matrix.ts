import type { KnownLabels, Labels } from './known-labels.ts';

/** One series in columns: entry i of both arrays belongs together. */
export interface RangeSeries {
  readonly labels: Labels;
  /** Unix seconds, ascending. */
  readonly times: Float64Array;
  /** NaN for what is not a finite number's text. */
  readonly values: Float64Array;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const HEAD = Buffer.from('{"status":"success","data":{"resultType":"matrix","result":[');
const METRIC = Buffer.from('{"metric":');
const VALUES = Buffer.from(',"values":[');
const END = Buffer.from(']}}');
/** Integers of this many digits, and powers of ten up to 10²², are exact doubles: their quotient is rounded once. */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

/**
 * Reads the samples of a matrix straight into numbers, without an object for each: an answer of 50 MB holds
 * nearly two million. Understands the one shape in which servers write it and answers null for anything else,
 * which is then left to a JSON parser.
 */
export function scanMatrix(
  body: Buffer,
  known: KnownLabels,
): { series: RangeSeries[]; warnings: string[] } | null {
  const scanner = new MatrixScanner(body, known);
  const series = scanner.series();
  return series && { series, warnings: [] };
}

/** Where samples are put until it is known how many there are. */
interface Samples {
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/** More samples in one answer are put into memory of their own. */
const MOST_KEPT = 262_144;

/** For one answer after another: to get fresh memory takes longer than to fill it. */
let kept: Samples = spaceFor(0);

function spaceFor(count: number): Samples {
  return { times: new Float64Array(count), values: new Float64Array(count) };
}

function spaceOf(count: number): Samples {
  if (count > MOST_KEPT) return spaceFor(count);
  if (kept.times.length < count) kept = spaceFor(count);
  return kept;
}

/** The samples from `first` up to `end`. */
interface ScannedSeries {
  readonly labels: Labels;
  readonly first: number;
  readonly end: number;
}

class MatrixScanner {
  readonly #body: Buffer;
  readonly #known: KnownLabels;
  #at = 0;
  #times: Float64Array;
  #values: Float64Array;
  #count = 0;

  constructor(body: Buffer, known: KnownLabels) {
    this.#body = body;
    this.#known = known;
    // A sample takes at least 16 bytes of text.
    const { times, values } = spaceOf((body.length >> 4) + 1);
    this.#times = times;
    this.#values = values;
  }

  series(): RangeSeries[] | null {
    if (!this.#take(HEAD)) return null;
    const series: ScannedSeries[] = [];
    if (this.#body[this.#at] !== CLOSE_BRACKET) {
      do {
        const one = this.#one();
        if (!one) return null;
        series.push(one);
      } while (this.#takeByte(COMMA));
    }
    if (!this.#take(END) || !this.#restIsBlank()) return null;
    const times = this.#times.slice(0, this.#count);
    const values = this.#values.slice(0, this.#count);
    return series.map(({ labels, first, end }) => ({
      labels,
      times: part(times, first, end),
      values: part(values, first, end),
    }));
  }

  #one(): ScannedSeries | null {
    if (!this.#take(METRIC)) return null;
    const end = this.#endOfObject();
    if (end < 0) return null;
    const labels = this.#known.read(this.#body.toString('utf8', this.#at, end));
    if (!labels) return null;
    this.#at = end;
    if (!this.#take(VALUES)) return null;
    const first = this.#count;
    if (!this.#samples() || !this.#takeByte(CLOSE_BRACE)) return null;
    return { labels, first, end: this.#count };
  }

  /** `[1700000000,"1.5"],…]` */
  #samples(): boolean {
    do {
      if (!this.#takeByte(OPEN_BRACKET) || this.#count >= this.#times.length) return false;
      const time = this.#number(COMMA);
      if (Number.isNaN(time) || !this.#takeByte(COMMA) || !this.#takeByte(QUOTE)) return false;
      const value = this.#number(QUOTE);
      if (!this.#takeByte(QUOTE) || !this.#takeByte(CLOSE_BRACKET)) return false;
      this.#times[this.#count] = time;
      this.#values[this.#count] = value;
      this.#count += 1;
    } while (this.#takeByte(COMMA));
    return this.#takeByte(CLOSE_BRACKET);
  }

  /** The number up to a terminator, which is not taken. What is not plain digits is left to the language. */
  #number(terminator: number): number {
    const body = this.#body;
    const start = this.#at;
    const negative = body[start] === MINUS;
    let at = negative ? start + 1 : start;
    let digits = 0;
    let decimals = -1;
    let whole = 0;
    for (; at < body.length; at += 1) {
      const digit = body[at]! - ZERO;
      if (digit >= 0 && digit <= 9) {
        whole = whole * 10 + digit;
        digits += 1;
        if (decimals >= 0) decimals += 1;
      } else if (body[at] === POINT && decimals < 0) {
        decimals = 0;
      } else {
        break;
      }
    }
    if (body[at] !== terminator || digits === 0 || digits > EXACT_DIGITS)
      return this.#otherNumber(terminator);
    this.#at = at;
    const value = decimals > 0 ? whole / POWERS_OF_TEN[decimals]! : whole;
    return negative ? -value : value;
  }

  #otherNumber(terminator: number): number {
    const end = this.#body.indexOf(terminator, this.#at);
    if (end < 0 || end === this.#at) return Number.NaN;
    const value = Number(this.#body.toString('latin1', this.#at, end));
    this.#at = end;
    return value;
  }

  /** Index behind the object that begins here; -1 when it has no end. */
  #endOfObject(): number {
    const body = this.#body;
    if (body[this.#at] !== OPEN_BRACE) return -1;
    let quoted = false;
    for (let at = this.#at + 1; at < body.length; at += 1) {
      const byte = body[at];
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) quoted = !quoted;
      else if (byte === CLOSE_BRACE && !quoted) return at + 1;
    }
    return -1;
  }

  #take(text: Buffer): boolean {
    for (let index = 0; index < text.length; index += 1) {
      if (this.#body[this.#at + index] !== text[index]) return false;
    }
    this.#at += text.length;
    return true;
  }

  #takeByte(byte: number): boolean {
    if (this.#body[this.#at] !== byte) return false;
    this.#at += 1;
    return true;
  }

  #restIsBlank(): boolean {
    return this.#body.toString('latin1', this.#at).trim() === '';
  }
}

/** A view, as `subarray` gives it in twice the time. */
function part(all: Float64Array, first: number, end: number): Float64Array {
  return new Float64Array(all.buffer, first * Float64Array.BYTES_PER_ELEMENT, end - first);
}
