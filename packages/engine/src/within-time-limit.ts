import { setImmediate } from 'node:timers/promises';
import { Script } from 'node:vm';

/** Longest time that resolving and allocating one line may take. They are pure: honest ones take microseconds. */
export const LINE_LIMIT_MILLISECONDS = 2000;
/** How long lines are worked on under one watch. Setting a watch costs a thread, so it is shared by many lines. */
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

/**
 * Works on items one after another, each cut off when it takes too long. What is cut off is any synchronous
 * JavaScript of this thread, `for (;;) {}` and a regular expression that never ends included; it cannot catch
 * that. Not covered: what goes on after the call has returned, and running out of memory.
 * Between slices the event loop gets its turn, so that leases are renewed and signals heard.
 */
export async function eachWithinTimeLimit<Item>(
  items: readonly Item[],
  { work, onOvertime, signal }: WatchedWork<Item>,
): Promise<void> {
  let done = 0;
  let running = -1;
  while (done < items.length) {
    const sliceEnd = performance.now() + SLICE_MILLISECONDS;
    try {
      watched(() => {
        while (done < items.length && performance.now() < sliceEnd) {
          running = done;
          work(items[done]!);
          done += 1;
        }
      });
    } catch (cause) {
      if (!isOvertime(cause)) throw cause;
      // Cut off between two items, it is nobody's fault.
      if (running === done) {
        onOvertime(items[done]!);
        done += 1;
      }
    }
    await setImmediate();
    signal.throwIfAborted();
  }
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
