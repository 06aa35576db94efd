import { setImmediate } from 'node:timers';
import { Script } from 'node:vm';

/** Longest time that resolving and allocating one line may take. They are pure: honest ones take microseconds. */
export const LINE_LIMIT_MILLISECONDS = 2000;
/** How long lines are worked on under one watch. A watch costs a thread, so it is shared by many lines, also of several days. */
const SLICE_MILLISECONDS = 50;

const WORK = Symbol.for('chargeback.watched-work');
const scope = globalThis as { [WORK]?: (() => void) | undefined };
const enter = new Script('globalThis[Symbol.for("chargeback.watched-work")]()');

export interface WatchedWork<Item> {
  readonly work: (item: Item) => unknown;
  /** Called for an item whose work did not end in time: it was cut off wherever it was, so that whatever it keeps
   *  must bear being done again. */
  readonly onOvertime: (item: Item) => unknown;
  readonly signal: AbortSignal;
}

/** Items of one caller, and how far they are. */
interface Job {
  /** Works on the next item; false when there is none. */
  readonly step: () => boolean;
  /** What is to be done about the item that was cut off, if one was. */
  readonly cutOff: () => void;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

/** Whoever comes within one turn shares the watch of the next one. */
const jobs: Job[] = [];

/**
 * Works on items one after another, each cut off when it takes too long. What is cut off is any synchronous
 * JavaScript of this thread, `for (;;) {}` and a regular expression that never ends included; it cannot catch
 * that. Not covered: what goes on after the call has returned, and running out of memory.
 * Between slices the event loop gets its turn, so that leases are renewed and signals heard.
 */
export function eachWithinTimeLimit<Item>(
  items: readonly Item[],
  { work, onOvertime, signal }: WatchedWork<Item>,
): Promise<void> {
  let done = 0;
  let running = -1;
  const step = (): boolean => {
    if (done === items.length) return false;
    running = done;
    work(items[done]!);
    done += 1;
    return true;
  };
  const cutOff = (): void => {
    // Cut off between two items, it is nobody's fault.
    if (running !== done) return;
    onOvertime(items[done]!);
    done += 1;
  };
  return new Promise((resolve, reject) => {
    jobs.push({ step, cutOff, signal, resolve, reject });
    if (jobs.length === 1) setImmediate(workOnSlice);
  });
}

function workOnSlice(): void {
  for (const job of jobs.filter(({ signal }) => signal.aborted)) drop(job, job.signal.reason);
  if (jobs.length === 0) return;
  let finished = 0;
  let last = jobs[0]!;
  let failure: { readonly cause: unknown } | null = null;
  try {
    watched(() => {
      // Of what a watch takes to be set, which is long on a busy machine, nothing is lost.
      const sliceEnd = performance.now() + SLICE_MILLISECONDS;
      while (finished < jobs.length && performance.now() < sliceEnd) {
        last = jobs[finished]!;
        if (!last.step()) finished += 1;
      }
    });
  } catch (cause) {
    failure = { cause };
  }
  for (const { signal, resolve, reject } of jobs.splice(0, finished)) {
    if (signal.aborted) reject(signal.reason);
    else resolve();
  }
  if (failure && jobs[0] === last) goOnAfter(last, failure.cause);
  // Whoever needs many slices lets the others have some.
  if (jobs[0] === last) jobs.push(...jobs.splice(0, 1));
  if (jobs.length > 0) setImmediate(workOnSlice);
}

function goOnAfter(job: Job, cause: unknown): void {
  try {
    if (!isOvertime(cause)) throw cause;
    job.cutOff();
  } catch (error) {
    drop(job, error);
  }
}

function drop(job: Job, cause: unknown): void {
  jobs.splice(jobs.indexOf(job), 1);
  job.reject(cause);
}

/** Does one thing under a watch of its own. @throws what it throws, and an error that {@link isOvertime} knows. */
export function watched(work: () => void): void {
  const outer = scope[WORK];
  scope[WORK] = work;
  try {
    enter.runInThisContext({ timeout: LINE_LIMIT_MILLISECONDS });
  } finally {
    scope[WORK] = outer;
  }
}

export function isOvertime(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
