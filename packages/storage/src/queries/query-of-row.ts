import type { Compilable, CompiledQuery, Kysely } from 'kysely';
import type { StorageSchema } from '../schema.ts';

/**
 * A query whose parameters are the columns of one row, built and compiled once for each store. Every row must have
 * the same columns.
 */
export function queryOfRow<Row extends object>(
  make: (build: Kysely<StorageSchema>, row: Row) => Compilable<unknown>,
): (build: Kysely<StorageSchema>, row: Row) => CompiledQuery {
  const compiled = new WeakMap<Kysely<StorageSchema>, CompiledQuery>();
  return (build, row) => {
    let query = compiled.get(build);
    if (!query) {
      // Each column stands for its value, so that the parameters tell where which one goes.
      const names = Object.fromEntries(Object.keys(row).map((name) => [name, name]));
      query = make(build, names as Row).compile() as CompiledQuery;
      compiled.set(build, query);
    }
    const parameters = query.parameters.map((name) => {
      const value: unknown = row[name as keyof Row];
      if (value === undefined) throw new TypeError(`a row without ${String(name)}: ${query.sql}`);
      return value;
    });
    return { ...query, parameters };
  };
}
