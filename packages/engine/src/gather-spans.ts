import type { IsoDate } from '@chargeback/plugin-api';
import { askSpan, isWhole, type SpanAnswer } from './ask-span.ts';
import type { SpanWalk } from './gather-plan.ts';
import { type GatherWork, noteAnswered, settleUnanswered, storeWhole } from './gather-span.ts';
import { LATE } from './time-share.ts';

/** Called with days whose inputs have been written, while the source is asked for the next ones. */
export type StoredListener = (dates: readonly IsoDate[]) => Promise<void>;

/**
 * Asks for span after span. While one is written the next one is under way, and what comes of the one before it is
 * calculated: source, engine and database work at once. No more than two are held in memory.
 */
export async function gatherSpans(work: GatherWork, walk: SpanWalk, onStored: StoredListener): Promise<void> {
  const { run, time, progress } = work;
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
    const asked = askInTime(work, span, over.signal);
    // Met when it is awaited.
    asked.catch(() => {});
    return asked;
  };
  const passed = ({ span }: SpanAnswer): void => {
    done += span.length;
    report(done, span.at(-1)!);
  };
  let asked = ask();
  let calculated = Promise.resolve();
  // Ends the wait for a source that may never answer.
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const calculate = (stored: readonly IsoDate[]): void => {
    calculated = onStored(stored);
    calculated.catch(failed.reject);
  };
  try {
    while (asked) {
      const answer = await Promise.race([asked, failed.promise]);
      noteAnswered(progress, answer);
      if (isWhole(answer)) {
        walk.advance({ hung: false });
        passed(answer);
        asked = ask();
        await storeWhole(work, answer);
        await calculated;
        calculate(answer.span.filter((date) => progress.gathered.has(date)));
      } else {
        const outcome = await settleUnanswered(work, answer);
        if (outcome === 'too much') walk.shrink();
        else {
          walk.advance({ hung: outcome === 'hung' });
          passed(answer);
        }
        asked = ask();
      }
    }
    if (walk.current().length > 0) time.signal.throwIfAborted();
    await calculated;
  } finally {
    over.abort();
    await Promise.allSettled([calculated]);
    if (asked) await time.stopped(asked);
  }
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
