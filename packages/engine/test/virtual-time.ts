import { setImmediate } from 'node:timers/promises';
import type { RunOptions } from '../src/index.ts';

interface Timer {
  readonly at: number;
  readonly ring: () => void;
}

/**
 * Time that passes only while a source sleeps, so that neither the machine's speed nor its load decides what a
 * run gets done within its limit.
 */
export class VirtualTime {
  #now = 0;
  readonly #timers = new Set<Timer>();

  /** What a run takes its time from. */
  readonly options: Pick<RunOptions, 'wait' | 'elapsed'> = {
    wait: (milliseconds, signal) => this.#after(milliseconds, signal),
    elapsed: () => this.#now,
  };

  /** Lets time pass until it is over, or until the signal aborts because of what happened meanwhile. */
  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    const state = { isOver: false };
    const slept = this.#after(milliseconds, signal).finally(() => {
      state.isOver = true;
    });
    // The caller is told below; until then nobody waits for it.
    slept.catch(() => {});
    while (!state.isOver) {
      const next = [...this.#timers].toSorted((one, other) => one.at - other.at)[0]!;
      this.#now = next.at;
      next.ring();
      // Whoever was rung for comes first.
      await setImmediate();
    }
    return slept;
  }

  async #after(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer: Timer = { at: this.#now + milliseconds, ring: () => end(resolve) };
    const end = (settle: () => void): void => {
      this.#timers.delete(timer);
      signal.removeEventListener('abort', aborted);
      settle();
    };
    const aborted = (): void => end(() => reject(signal.reason as Error));
    signal.addEventListener('abort', aborted, { once: true });
    this.#timers.add(timer);
    return promise;
  }
}
