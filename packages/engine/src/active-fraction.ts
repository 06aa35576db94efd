import type { Resource, Window } from '@chargeback/plugin-api';

/** A part of a window, as an exact fraction of milliseconds. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const WHOLE: Fraction = { numerator: 1n, denominator: 1n };

/**
 * The part of a window in which a resource existed: `active_hours ÷ billing_window_hours`, between 0 and 1.
 * An unknown resource, and a window without length, count as wholly active.
 * Source: "Active fraction adjustment" of the cost specification.
 */
export function activeFraction(resource: Resource | null, window: Window): Fraction {
  const start = window.start.getTime();
  const end = window.end.getTime();
  if (resource === null || end <= start) return WHOLE;
  const from = Math.max(resource.createdAt?.getTime() ?? start, start);
  const to = Math.min(resource.deletedAt?.getTime() ?? end, end);
  const active = Math.max(0, to - from);
  return { numerator: BigInt(active), denominator: BigInt(end - start) };
}
