import type { IsoDate } from '@chargeback/plugin-api';

const SECONDS_PER_DAY = 86_400;
/** A sample more or less lies in a span by chance; a tenth of them may fail without mattering. */
const TOLERATED_PART = 10;

/** What scrapes of the sources say about the steps of a day. */
export interface StepsScraped {
  /** 1 for each step in which every source was scraped as it takes. */
  readonly covered: Uint8Array;
  readonly expected: number;
  /** Sources in the worst step. */
  readonly fewest: number;
  /** Sources that lack a step, in order. */
  readonly missing: readonly string[];
}

/**
 * How often each source (an exporter, a broker) was scraped on one UTC day, in short spans.
 *
 * An increase over a step is what lies between its first and its last sample: a gap inside loses nothing, a gap
 * at either end does. So a source covers a step when it was scraped as usual in the first and the last span of
 * the step, and in half of them at least. A gauge that is read at the end of the step needs one scrape there.
 */
export class ScrapedDay {
  readonly date: IsoDate;
  readonly #spanSeconds: number;
  readonly #sources: ReadonlyMap<string, Float32Array>;

  /** @param sources scrapes in each span by source; under `''` where the sources cannot be told apart. */
  constructor(date: IsoDate, spanSeconds: number, sources: ReadonlyMap<string, Float32Array>) {
    this.date = date;
    this.#spanSeconds = spanSeconds;
    const named = new Map([...sources].filter(([name, counts]) => name !== '' && counts.some(isScraped)));
    const nameless = [...sources].filter(([, counts]) => counts.some(isScraped));
    this.#sources = named.size > 0 ? named : new Map(nameless);
  }

  /** Whether nothing was scraped all day, or nothing tells. */
  get silent(): boolean {
    return this.#sources.size === 0;
  }

  /** @param sources how many there should be; where they cannot be told apart they count as one. */
  steps(stepSeconds: number, kind: 'moved' | 'held', sources: number): StepsScraped {
    const expected = this.#sources.has('') ? 1 : sources;
    const count = SECONDS_PER_DAY / stepSeconds;
    const answered = new Uint16Array(count);
    const missing: string[] = [];
    for (const [name, counts] of this.#sources) {
      const enough = kind === 'moved' ? usual(counts) : 1;
      let whole = true;
      for (let step = 0; step < count; step += 1) {
        const spans = counts.subarray(this.#span(step, stepSeconds), this.#span(step + 1, stepSeconds));
        if (kind === 'moved' ? coversAll(spans, enough) : isScraped(spans.at(-1)!)) answered[step]! += 1;
        else whole = false;
      }
      if (!whole) missing.push(name);
    }
    const covered = Uint8Array.from(answered, (one) => (one >= expected ? 1 : 0));
    return { covered, expected, fewest: Math.min(...answered), missing: missing.toSorted() };
  }

  #span(step: number, stepSeconds: number): number {
    return Math.round((step * stepSeconds) / this.#spanSeconds);
  }
}

/** Scrapes that a span has at least, by the fullest span of the day. */
function usual(counts: Float32Array): number {
  const full = counts.reduce((most, count) => Math.max(most, count), 0);
  return Math.max(1, full - Math.max(1, Math.floor(full / TOLERATED_PART)));
}

function coversAll(spans: Float32Array, enough: number): boolean {
  if (spans[0]! < enough || spans.at(-1)! < enough) return false;
  return spans.reduce((seen, count) => seen + (count >= enough ? 1 : 0), 0) * 2 >= spans.length;
}

function isScraped(count: number): boolean {
  return count > 0;
}
