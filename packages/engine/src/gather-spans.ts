import type { IsoDate } from '@chargeback/plugin-api';
import { askSpan, isWhole, type SpanAnswer } from './ask-span.ts';
import type { SpanWalk } from './gather-plan.ts';
import {
  type GatherWork,
  noteAnswered,
  settleUnanswered,
  storeWhole,
  type StoringWork,
} from './gather-span.ts';
import type { DayStored } from './save-gathered.ts';
import { LATE } from './time-share.ts';

/** Hears of what has been written. What it returns is waited for, at most a span later. */
export interface StoredListener {
  day(stored: DayStored): Promise<void>;
  /** All of a span has been written that could be. */
  span(): Promise<void>;
}

/**
 * Asks for span after span. While one is written the next one is under way, and what was written is calculated: source,
 * engine and database work at once. No more than two are held in memory.
 */
export async function gatherSpans(
  gather: GatherWork,
  walk: SpanWalk,
  onStored: StoredListener,
): Promise<void> {
  const { run, time, progress } = gather;
  const over = new AbortController();
  const total = walk.length;
  const report = (done: number, date: IsoDate): void =>
    run.onProgress({ tenant: run.name, stage: 'gather', done, total, date });
  let done = 0;
  /** Null at the end, and when the time is over. */
  const ask = (): Promise<SpanAnswer> | null => {
    const span = walk.current();
    if (span.length === 0 || time.signal.aborted) return null;
    report(done, span[0]!);
    const asked = askInTime(gather, span, over.signal);
    // Met when it is awaited.
    asked.catch(() => {});
    return asked;
  };
  const passed = ({ span }: SpanAnswer): void => {
    done += span.length;
    report(done, span.at(-1)!);
  };
  const besides = collected();
  const work: StoringWork = { ...gather, onStored: (stored) => besides.begin(onStored.day(stored)) };
  let asked = ask();
  try {
    while (asked) {
      const answer = await Promise.race([asked, besides.failed]);
      noteAnswered(progress, answer);
      if (isWhole(answer)) {
        walk.advance({ hung: false });
        passed(answer);
        asked = ask();
        const earlier = [...besides.begun];
        await storeWhole(work, answer);
        await Promise.all(earlier);
      } else {
        const outcome = await settleUnanswered(work, answer);
        if (outcome === 'too much') walk.shrink();
        else {
          walk.advance({ hung: outcome === 'hung' });
          passed(answer);
        }
        asked = ask();
      }
      besides.begin(onStored.span());
    }
    if (walk.current().length > 0) time.signal.throwIfAborted();
    await Promise.all(besides.begun);
  } catch (cause) {
    over.abort();
    await Promise.allSettled(besides.begun);
    if (asked) await time.stopped(asked);
    // Their failure is told, and not only that the time is over.
    await Promise.all(besides.begun);
    throw cause;
  }
}

/** What goes on beside the gathering. */
interface Besides {
  readonly begin: (work: Promise<void>) => void;
  readonly begun: readonly Promise<void>[];
  /** Ends the wait for a source that may never answer. */
  readonly failed: Promise<never>;
}

function collected(): Besides {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  const begun: Promise<void>[] = [];
  const begin = (work: Promise<void>): void => {
    work.catch(reject);
    begun.push(work);
  };
  return { begin, begun, failed };
}

/** Within half of the time that is left. */
async function askInTime(
  { run, time }: GatherWork,
  span: readonly IsoDate[],
  over: AbortSignal,
): Promise<SpanAnswer> {
  const answer = await time.half((signal) =>
    askSpan({ ...run, signal: AbortSignal.any([signal, over]) }, span),
  );
  return answer === LATE ? nothingCame(span) : answer;
}

/** The time was over before anything had been asked. */
function nothingCame(span: readonly IsoDate[]): SpanAnswer {
  return { span, usage: new Map(), batches: [], measured: false, failures: [], isCut: true };
}
