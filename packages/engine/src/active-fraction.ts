import type { Resource, Window } from '@chargeback/plugin-api';

/** A part of a window, as an exact fraction of milliseconds. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const WHOLE: Fraction = { numerator: 1n, denominator: 1n };

type Lifetime = Pick<Resource, 'createdAt' | 'deletedAt'>;

/**
 * The part of a window in which a resource existed: `active_hours ÷ billing_window_hours`, between 0 and 1.
 * A resource that was deleted and came back has several lifetimes (ascending). One that was never known has
 * none and counts, as does a window without length, as wholly active.
 * Source: "Active fraction adjustment" of the cost specification.
 */
export function activeFraction(lifetimes: readonly Lifetime[], window: Window): Fraction {
  const start = window.start.getTime();
  const end = window.end.getTime();
  if (lifetimes.length === 0 || end <= start) return WHOLE;
  let active = 0;
  let until = start;
  for (const { createdAt, deletedAt } of lifetimes) {
    const from = Math.max(createdAt?.getTime() ?? start, until);
    const to = Math.min(deletedAt?.getTime() ?? end, end);
    active += Math.max(0, to - from);
    until = Math.max(until, to);
  }
  return { numerator: BigInt(active), denominator: BigInt(end - start) };
}
