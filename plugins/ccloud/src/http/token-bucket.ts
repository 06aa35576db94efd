/** Lets a steady number of requests per second through, and a few at once after a pause. */
export interface TokenBucket {
  /** Takes a token. Milliseconds to wait before it may be used; it is reserved for the caller. */
  take(): number;
  /** No token may be used before the pause is over: the server said so to one request, it means all. */
  pause(milliseconds: number): void;
}

/**
 * Keeps the time at which the bucket would be full rather than a count of tokens: nothing has to tick, and
 * callers that wait are served in the order they came.
 */
export function createTokenBucket(
  { perSecond, burst }: { perSecond: number; burst: number },
  now: () => number,
): TokenBucket {
  const interval = 1000 / perSecond;
  let next = Number.NEGATIVE_INFINITY;
  return {
    take() {
      const time = now();
      next = Math.max(next, time - interval * (burst - 1));
      const wait = Math.max(0, next - time);
      next += interval;
      return wait;
    },
    pause(milliseconds) {
      next = Math.max(next, now() + milliseconds);
    },
  };
}
