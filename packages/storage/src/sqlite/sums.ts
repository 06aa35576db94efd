import { type RawBuilder, sql } from 'kysely';
import { HALF } from '../convert.ts';

const half = sql.lit(Number(HALF));

/** Two sums that {@link joinHalves} puts together: no sum of 64-bit amounts overflows. Read them as text. */
export function halvesOf(amount: RawBuilder<unknown>): {
  high: RawBuilder<unknown>;
  low: RawBuilder<unknown>;
} {
  return { high: sql`sum((${amount}) / ${half})`, low: sql`sum((${amount}) % ${half})` };
}

/** An integer of any size as decimal text, which no driver rounds. */
export function asText(value: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`cast(${value} as text)`;
}
