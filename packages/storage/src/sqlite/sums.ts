import { type RawBuilder, sql } from 'kysely';
import { HALF } from '../convert.ts';
import type { Halves } from '../queries/sums.ts';

const half = sql.lit(Number(HALF));

/** SQLite's sums of integers have 64 bits: amounts are added in two halves. */
export function halvesOf(amount: RawBuilder<unknown>): Halves {
  return { high: sql`sum((${amount}) / ${half})`, low: sql`sum((${amount}) % ${half})` };
}
