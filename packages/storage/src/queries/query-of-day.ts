import type { Compilable, CompiledQuery, Kysely } from 'kysely';
import type { DayNumber } from '../convert.ts';
import type { StorageSchema } from '../schema.ts';

/**
 * A query whose one parameter is a day, built and compiled once for each store: for a day with little to read that
 * takes longer than reading it.
 */
export function queryOfDay<Row>(
  make: (build: Kysely<StorageSchema>, day: DayNumber) => Compilable<Row>,
): (build: Kysely<StorageSchema>, day: DayNumber) => CompiledQuery<Row> {
  const compiled = new WeakMap<Kysely<StorageSchema>, CompiledQuery<Row>>();
  return (build, day) => {
    const known = compiled.get(build);
    if (known) return { ...known, parameters: [day] };
    const query = make(build, day).compile();
    if (query.parameters.length !== 1 || query.parameters[0] !== day)
      throw new TypeError(`not a query of one day: ${query.sql}`);
    compiled.set(build, query);
    return query;
  };
}
