/** Non-empty spans on each side of one that tell how often its source is scraped there. */
const NEIGHBOURS = 12;
/** Fewer neighbours tell something only where the other side has no more. */
const FEW_NEIGHBOURS = 3;
/** A sample more or less lies in a span by chance; a tenth of them may fail without mattering. */
const TOLERATED_PART = 10;
/** From so many scrapes in a span on, an empty one is no matter of the rhythm. */
const DENSE = 3;
/** What a gap may lack, in seconds of scrapes, to be a restart and no outage. */
export const TOLERATED_SECONDS = 360;

/** Which part of each span of a day a source was scraped in: from 0 to 1. */
export interface SourcePresence {
  readonly raw: Float32Array;
  /** The same with short gaps closed: those of a restart, after which the source carries on. */
  readonly filled: Float32Array;
  /** 1 for each span that follows one with a gap, and lacks a scrape itself: the gap may go on into it. */
  readonly late: Uint8Array;
  readonly first: number;
  readonly last: number;
}

/**
 * Compares each span with the usual count of those around it: the smaller of the medians before and after, so
 * that neither a jitter, nor a gap beside it, nor another scrape interval from some hour on makes it one that
 * lacks something. A source that is scraped less often than about twice in a span has empty ones by nature.
 *
 * @param counts scrapes in each span, not all of them 0.
 * @param mostEmpty the most empty spans in a row that a slow rhythm is believed to have.
 */
export function presenceOf(
  counts: Float32Array,
  { spanSeconds, mostEmpty }: { spanSeconds: number; mostEmpty: number },
): SourcePresence {
  const places = [...counts.keys()].filter((span) => counts[span]! > 0);
  const seen = Float32Array.from(places, (span) => counts[span]!);
  const most = seen.reduce((larger, count) => Math.max(larger, count), 0);
  const raw = new Float32Array(counts.length);
  for (const [index, span] of places.entries()) {
    const count = seen[index]!;
    raw[span] = count >= enoughOf(most) ? 1 : partOf(count, usualAt(seen, index));
  }
  if (mostEmpty > 0) closeRhythm(raw, { places, seen, mostEmpty });
  const late = new Uint8Array(counts.length);
  for (const [index, span] of places.entries()) {
    if (span > 0 && raw[span - 1]! < 1 && seen[index]! < usualAt(seen, index)) late[span] = 1;
  }
  return { raw, filled: closeGaps(raw, spanSeconds), late, first: places[0]!, last: places.at(-1)! };
}

function enoughOf(usual: number): number {
  return usual - Math.max(1, Math.floor(usual / TOLERATED_PART));
}

function partOf(count: number, usual: number): number {
  return usual < DENSE || count >= enoughOf(usual) ? 1 : count / usual;
}

/** The smaller of the medians on both sides of an element; itself where it is the only one. */
function usualAt(values: Float32Array, index: number): number {
  const before = values.subarray(Math.max(0, index - NEIGHBOURS), index);
  const after = values.subarray(index + 1, index + 1 + NEIGHBOURS);
  const fewest = Math.min(FEW_NEIGHBOURS, Math.max(before.length, after.length));
  const sides = [before, after].filter(({ length }) => length > 0 && length >= fewest);
  return sides.length === 0 ? values[index]! : Math.min(...sides.map(median));
}

function median(values: Float32Array): number {
  return values.toSorted()[(values.length - 1) >> 1]!;
}

interface Rhythm {
  readonly places: readonly number[];
  readonly seen: Float32Array;
  readonly mostEmpty: number;
}

/** Empty spans between scrapes that are usually so far apart, one late scrape included, are covered by them. */
function closeRhythm(raw: Float32Array, { places, seen, mostEmpty }: Rhythm): void {
  const distances = Float32Array.from(places.slice(1), (place, index) => place - places[index]!);
  const isSparse = (index: number): boolean => usualAt(seen, index) < DENSE;
  const allowed = (index: number): number =>
    Math.min(mostEmpty, distances.length === 0 ? 0 : usualAt(distances, index));
  for (const [index, distance] of distances.entries()) {
    if (distance === 1 || distance - 1 > allowed(index)) continue;
    if (isSparse(index) && isSparse(index + 1)) raw.fill(1, places[index]! + 1, places[index + 1]);
  }
  const last = places.length - 1;
  if (places[0]! > 0 && places[0]! <= allowed(0) && isSparse(0)) raw.fill(1, 0, places[0]);
  const behind = raw.length - 1 - places[last]!;
  if (behind > 0 && behind <= allowed(last - 1) && isSparse(last)) raw.fill(1, places[last]! + 1);
}

function closeGaps(raw: Float32Array, spanSeconds: number): Float32Array {
  const filled = raw.slice();
  // Midnight cuts a gap in two; it is judged source by source there as anywhere else.
  for (const { from, to, lacking } of runsBelow(raw, 1)) {
    if (lacking * spanSeconds <= TOLERATED_SECONDS) filled.fill(1, from, to);
  }
  return filled;
}

/** Spans in a row that have less than there should be, and how much they lack in all. */
export interface Shortage {
  readonly from: number;
  readonly to: number;
  readonly lacking: number;
}

/** Below this a difference of two sums of parts is none. */
const NOTHING = 0.01;

export function runsBelow(present: Float32Array, expected: number | Float32Array): Shortage[] {
  const lackAt = (span: number): number =>
    (typeof expected === 'number' ? expected : expected[span]!) - present[span]!;
  const runs: Shortage[] = [];
  let from = 0;
  while (from < present.length) {
    let to = from;
    let lacking = 0;
    while (to < present.length && lackAt(to) > NOTHING) {
      lacking += lackAt(to);
      to += 1;
    }
    if (to > from) runs.push({ from, to, lacking });
    from = to + 1;
  }
  return runs;
}
