import { ChargebackError } from '@chargeback/plugin-api';
import { GRACE_MILLISECONDS } from './run-limits.ts';

/** What {@link TimeShare.half} returns when the time of its work was over. */
export const LATE = Symbol('late');

/** Of all the time: less than that is too little to try anything. */
const LEAST_PART = 0.1;

export interface TimeShareOptions {
  /** Aborts for other reasons than time. */
  readonly signal: AbortSignal;
  /** 0: no limit. */
  readonly milliseconds: number;
  /** Rejects when the signal aborts first. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds since any moment. */
  readonly elapsed: () => number;
}

/** A part of a run's time, shared by what is done in it one after another. */
export class TimeShare implements AsyncDisposable {
  /** Aborts with the run, and when all of the time is over. */
  readonly signal: AbortSignal;
  readonly #options: TimeShareOptions;
  readonly #startedAt: number;
  readonly #over = new AbortController();
  readonly #ended = new AbortController();
  readonly #watch: Promise<void>;

  constructor(options: TimeShareOptions) {
    this.#options = options;
    this.#startedAt = options.elapsed();
    this.signal = AbortSignal.any([options.signal, this.#over.signal]);
    this.#watch = this.#abortAfter(options.milliseconds, this.#over, this.#ended.signal);
  }

  /** Whether the time is over, and not the run. */
  get isOver(): boolean {
    return this.#over.signal.aborted && !this.#options.signal.aborted;
  }

  /**
   * Does the work under a signal that also aborts when half of what is left is over: whatever hangs leaves time for
   * what comes after it.
   */
  async half<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result | typeof LATE> {
    const { milliseconds, elapsed } = this.#options;
    if (milliseconds === 0) return work(this.signal);
    const left = Math.max(0, milliseconds - (elapsed() - this.#startedAt));
    const late = new AbortController();
    const ended = new AbortController();
    const watch = this.#abortAfter(Math.max(left / 2, milliseconds * LEAST_PART), late, ended.signal);
    try {
      return await work(AbortSignal.any([this.signal, late.signal]));
    } catch (cause) {
      // What goes wrong with the database is no matter of time.
      const isStorage = ChargebackError.isInstance(cause) && cause.code.startsWith('CB_STORAGE_');
      if (late.signal.aborted && !this.signal.aborted && !isStorage) return LATE;
      throw cause;
    } finally {
      ended.abort();
      await watch;
    }
  }

  /** Waits for work that was told to stop and that nobody needs; it is left behind when it does not heed that. */
  async stopped(work: Promise<unknown>): Promise<void> {
    const ended = new AbortController();
    const grace = this.#options.wait(GRACE_MILLISECONDS, ended.signal).catch(() => {});
    await Promise.race([Promise.allSettled([work]), grace]);
    ended.abort();
    await grace;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#watch;
  }

  async #abortAfter(milliseconds: number, controller: AbortController, ended: AbortSignal): Promise<void> {
    if (milliseconds === 0 && this.#options.milliseconds === 0) return;
    try {
      await this.#options.wait(milliseconds, ended);
    } catch {
      return;
    }
    if (!ended.aborted) controller.abort();
  }
}
