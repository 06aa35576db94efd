import { type RawBuilder, sql } from 'kysely';
import type { Halves } from '../queries/sums.ts';

/** Sums of 64-bit integers have no bound here: the whole sum is the lower half. */
export function halvesOf(amount: RawBuilder<unknown>): Halves {
  return { high: sql`0`, low: sql`sum(${amount})` };
}
