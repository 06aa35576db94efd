import type { ChargebackError, PluginHost } from '@chargeback/plugin-api';
import pLimit from 'p-limit';

/** A try that failed in a way that another one may not. */
export interface RetryableFailure {
  readonly error: ChargebackError;
  /** What the server asked for, in milliseconds; null when it named no time. */
  readonly retryAfter: number | null;
}

export type Attempt<Result> = { readonly result: Result } | RetryableFailure;

export interface RetryPolicy {
  /** Requests in flight at once. The place is free while a try backs off. */
  readonly maxInFlight: number;
  readonly maxAttempts: number;
  /** Milliseconds to wait after the given try (the first is 1). */
  readonly waitAfter: (failure: RetryableFailure, attempt: number) => number;
}

/**
 * Runs tries until one succeeds, they are used up (the last error is thrown) or the signal aborts (its reason
 * is thrown, at once). What a try throws itself is not tried again.
 */
export type Retrier = <Result>(
  attempt: () => Promise<Attempt<Result>>,
  signal: AbortSignal,
) => Promise<Result>;

/** Own loop, because the retry libraries sleep on the global clock, which is not ours to use. */
export function createRetrier(policy: RetryPolicy, host: Pick<PluginHost, 'sleep' | 'logger'>): Retrier {
  const limit = pLimit(policy.maxInFlight);
  return async (attempt, signal) => {
    for (let number = 1; ; number += 1) {
      signal.throwIfAborted();
      const outcome = await orAborted(limit(attempt), signal);
      if ('result' in outcome) return outcome.result;
      if (number >= policy.maxAttempts) throw exhausted(outcome.error, policy.maxAttempts);
      const wait = policy.waitAfter(outcome, number);
      host.logger.debug({ attempt: number, wait, code: outcome.error.code }, 'a request is tried again');
      await host.sleep(wait, signal);
    }
  };
}

function exhausted(error: ChargebackError, attempts: number): ChargebackError {
  if (attempts > 1) error.message += ` (after ${attempts} tries)`;
  return error;
}

/** Rejects at once when the signal aborts, also while the work still waits for its place. */
function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** A `Retry-After` header, seconds or an HTTP date, in milliseconds from now; null when absent or not readable. */
export function parseRetryAfter(header: string | null, now: Date): number | null {
  if (header === null) return null;
  if (/^\d+(\.\d+)?$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now.getTime());
}
