import { type RawBuilder, sql } from 'kysely';

/** Two sums that `joinHalves` puts together, so that no sum of 64-bit amounts overflows. Read them as text. */
export interface Halves {
  readonly high: RawBuilder<unknown>;
  readonly low: RawBuilder<unknown>;
}

/** How a database adds amounts up exactly. */
export type HalvesOf = (amount: RawBuilder<unknown>) => Halves;

/** An integer of any size as decimal text, which no driver rounds. */
export function asText(value: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`cast(${value} as text)`;
}
