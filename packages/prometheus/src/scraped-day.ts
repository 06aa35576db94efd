import type { IsoDate } from '@chargeback/plugin-api';
import {
  presenceOf,
  runsBelow,
  type Shortage,
  type SourcePresence,
  TOLERATED_SECONDS,
} from './source-presence.ts';

const SECONDS_PER_DAY = 86_400;
/** So long as many sources at once are what there is, and not an old one beside the one that replaces it. */
const SUSTAINED_SECONDS = 3600;
/** The part of a day that restarts may take in all. */
const MOST_TOLERATED = 0.02;

/**
 * What is read at a step: bytes `moved`, by counters that go on through a gap; a `rate` added up, which knows
 * nothing of a gap; or bytes `held` at the end of the step.
 */
export type StepKind = 'moved' | 'rate' | 'held';

/** What scrapes of the sources say about the steps of a day. */
export interface StepsScraped {
  /** 1 for each step in which enough sources were scraped as it takes, but for what a restart takes. */
  readonly covered: Uint8Array;
  /** 1 for each of those that lacks nothing where it is read. */
  readonly full: Uint8Array;
  /** The part of each step in which sources were lacking, for those not covered. */
  readonly lacking: Float64Array;
  /** Steps' worth of time that no source was there both before and after: no counter bridges it. */
  readonly unbridged: number;
  /** Whether anything was lacking at all. */
  readonly gaps: boolean;
  readonly expected: number;
  /** Sources in the worst span. */
  readonly fewest: number;
  /** Sources that lack a span, in order. */
  readonly missing: readonly string[];
  /** Sources that were scraped side by side for an hour. */
  readonly together: number;
  /** The ends of the day at which a gap that counts as none lies: no range of the day reaches over it. */
  readonly cutAt: readonly ('start' | 'end')[];
}

/**
 * How often each source (an exporter, a broker) was scraped on one UTC day, in short spans.
 *
 * An increase over a step is what lies between its first and its last sample: a gap inside loses nothing, a gap
 * at either end does. So a step is covered when as many sources as there are were scraped as usual in the first
 * and the last span of the step, and in half of them at least. It does not matter which: one that replaces
 * another carries on for it. A gap that lacks no more than a restart takes, for each source that begins in it,
 * is none, as long as such gaps take no more than a fiftieth of the day.
 */
export class ScrapedDay {
  readonly date: IsoDate;
  readonly #spanSeconds: number;
  readonly #sources: ReadonlyMap<string, Float32Array>;
  #judged: { key: string; spans: JudgedSpans } | null = null;

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
  steps(stepSeconds: number, kind: StepKind, sources: number): StepsScraped {
    const judged = this.#judge(stepSeconds, sources);
    const { lost, lack, expected, held } = judged;
    const count = SECONDS_PER_DAY / stepSeconds;
    const covered = new Uint8Array(count);
    const full = new Uint8Array(count);
    const lacking = new Float64Array(count);
    for (let step = 0; step < count; step += 1) {
      const from = this.#span(step, stepSeconds);
      const to = this.#span(step + 1, stepSeconds);
      if (coversStep(lost.subarray(from, to), kind) || (kind === 'held' && held[to - 1] === 1)) {
        covered[step] = 1;
        full[step] = kind !== 'held' || isThereAt(judged, to) ? 1 : 0;
      } else {
        for (let span = from; span < to; span += 1) {
          lacking[step]! += (lost[span]! * lack[span]!) / expected[span]! / (to - from);
        }
      }
    }
    const perStep = stepSeconds / this.#spanSeconds;
    return { ...judged.summary, covered, full, lacking, unbridged: judged.unbridged / perStep };
  }

  #span(step: number, stepSeconds: number): number {
    return Math.round((step * stepSeconds) / this.#spanSeconds);
  }

  #judge(stepSeconds: number, sources: number): JudgedSpans {
    const key = `${stepSeconds}/${sources}`;
    if (this.#judged?.key !== key) {
      const mostEmpty = Math.floor(stepSeconds / 2 / this.#spanSeconds);
      this.#judged = {
        key,
        spans: judge(this.#sources, { spanSeconds: this.#spanSeconds, mostEmpty, sources }),
      };
    }
    return this.#judged.spans;
  }
}

interface JudgedSpans {
  /** 1 for each span of a gap that is none of a restart. */
  readonly lost: Uint8Array;
  /** 1 for each span that a gap may reach into. */
  readonly late: Uint8Array;
  /** Sources lacking in each span. */
  readonly lack: Float32Array;
  readonly expected: Float32Array;
  /** 1 where as many sources as expected were scraped at all. */
  readonly held: Uint8Array;
  /** Spans' worth of time as in {@link StepsScraped.unbridged}. */
  readonly unbridged: number;
  readonly summary: Pick<StepsScraped, 'gaps' | 'expected' | 'fewest' | 'missing' | 'together' | 'cutAt'>;
}

interface Judging {
  readonly spanSeconds: number;
  readonly mostEmpty: number;
  readonly sources: number;
}

function judge(counts: ReadonlyMap<string, Float32Array>, options: Judging): JudgedSpans {
  const { spanSeconds } = options;
  const named = [...counts].map(([name, one]) => ({ name, counts: one, presence: presenceOf(one, options) }));
  const presences = named.map(({ presence }) => presence);
  const raw = sumOf(presences.map((one) => one.raw));
  const filled = sumOf(presences.map((one) => one.filled));
  const { expected, together } = expectedOf(filled, {
    sources: counts.has('') ? 1 : options.sources,
    sustained: Math.ceil(SUSTAINED_SECONDS / spanSeconds),
  });
  const lost = lostSpans(presences, { raw, filled, expected, spanSeconds });
  const lack = raw.map((one, span) => (expected[span]! - one > 0.01 ? expected[span]! - one : 0));
  const answering = sumOf(named.map((one) => one.counts.map((count) => (isScraped(count) ? 1 : 0))));
  const lived = sumOf(
    presences.map(({ first, last }) => raw.map((_, span) => (span >= first && span <= last ? 1 : 0))),
  );
  const whole = sumOf(presences.map((one) => one.filled.map((part) => (part === 1 ? 1 : 0))));
  const isCut = (span: number): boolean => lack.at(span)! > 0 && lost.at(span) === 0;
  const isMissing = ({ presence }: { presence: SourcePresence }): boolean =>
    presence.filled.some((part, span) => lost[span] === 1 && part < 1);
  return {
    lost,
    late: orOf(presences.map((one) => one.late)),
    lack,
    expected,
    held: Uint8Array.from(answering, (one, span) => (one >= expected[span]! ? 1 : 0)),
    unbridged: expected.reduce((sum, many, span) => sum + Math.max(0, 1 - lived[span]! / many), 0),
    summary: {
      gaps: lack.some((one) => one > 0),
      expected: expected.reduce((larger, one) => Math.max(larger, one), 0),
      fewest: whole.reduce((fewer, one) => Math.min(fewer, one), Infinity),
      missing: named
        .filter(isMissing)
        .map(({ name }) => name)
        .toSorted(),
      together,
      cutAt: [...(isCut(0) ? (['start'] as const) : []), ...(isCut(-1) ? (['end'] as const) : [])],
    },
  };
}

/**
 * As many as there should be, or as were scraped side by side both before and after: whoever goes and comes back
 * was not taken out of service.
 */
function expectedOf(
  present: Float32Array,
  { sources, sustained }: { sources: number; sustained: number },
): { expected: Float32Array; together: number } {
  const expected = new Float32Array(present.length).fill(sources);
  const levels: number[] = [];
  for (let from = 0; from + sustained <= present.length; from += 1) {
    const fewest = present
      .subarray(from, from + sustained)
      .reduce((fewer, one) => Math.min(fewer, one), Infinity);
    levels.push(Math.floor(fewest + 0.01));
  }
  const after = levels.slice();
  for (let span = after.length - 2; span >= 0; span -= 1)
    after[span] = Math.max(after[span]!, after[span + 1]!);
  let before = 0;
  for (let span = 0; span < present.length; span += 1) {
    before = Math.max(before, levels[span - sustained] ?? 0, levels[span - sustained + 1] ?? 0);
    expected[span] = Math.max(sources, Math.min(before, after[span] ?? 0));
  }
  return { expected, together: Math.max(0, ...levels) };
}

interface Present {
  readonly raw: Float32Array;
  readonly filled: Float32Array;
  readonly expected: Float32Array;
  readonly spanSeconds: number;
}

function lostSpans(presences: readonly SourcePresence[], present: Present): Uint8Array {
  const { raw, filled, expected, spanSeconds } = present;
  const runs = runsBelow(filled, expected);
  const isRestart = ({ from, to, lacking }: Shortage): boolean => {
    const begun = presences.filter(({ first }) => first > 0 && first >= from && first <= to).length;
    return lacking * spanSeconds <= Math.max(1, begun) * TOLERATED_SECONDS;
  };
  const real = runs.filter((run) => !isRestart(run));
  const all = runsBelow(raw, expected);
  const most = MOST_TOLERATED * expected.reduce((sum, one) => sum + one, 0);
  const lost = new Uint8Array(raw.length);
  for (const { from, to } of lackingIn(all) - lackingIn(real) <= most ? real : all) lost.fill(1, from, to);
  return lost;
}

function lackingIn(runs: readonly Shortage[]): number {
  return runs.reduce((sum, { lacking }) => sum + lacking, 0);
}

function sumOf(parts: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(parts[0]!.length);
  for (const part of parts) {
    for (let span = 0; span < sum.length; span += 1) sum[span]! += part[span]!;
  }
  return sum;
}

function orOf(parts: readonly Uint8Array[]): Uint8Array {
  return parts[0]!.map((_, span) => (parts.some((part) => part[span] === 1) ? 1 : 0));
}

/** Whether no gap lies over the end of the span before. */
function isThereAt({ lack, late }: Pick<JudgedSpans, 'lack' | 'late'>, span: number): boolean {
  return lack[span - 1] === 0 || (lack[span] === 0 && late[span] === 0);
}

function coversStep(lost: Uint8Array, kind: StepKind): boolean {
  if (kind === 'held') return lost.at(-1) === 0;
  const count = lost.reduce((sum, one) => sum + one, 0);
  if (kind === 'rate') return count === 0;
  return lost[0] === 0 && lost.at(-1) === 0 && count * 2 <= lost.length;
}

function isScraped(count: number): boolean {
  return count > 0;
}
