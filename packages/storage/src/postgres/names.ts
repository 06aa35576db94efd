import { sql } from 'kysely';
import type { PostgresDatabase } from './postgres-database.ts';

/** Names asked for at a time: the arrays of one statement. */
const NAMES_PER_QUERY = 20_000;

interface NameRow {
  readonly name_id: number;
  readonly name: string;
}

/**
 * Texts that occur in many rows, stored once. Names are made outside of the transaction that needs them, in
 * statements of their own: no two transactions wait for each other's names, and one that is not used in the end
 * does no harm. Names are removed by retention alone, under the tenant's lease.
 */
export class Names {
  readonly #database: PostgresDatabase;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, string>();

  constructor(database: PostgresDatabase) {
    this.#database = database;
    database.onForget(() => this.#forget());
  }

  /** Makes the names that there are not yet; their ids are then known. Not inside a transaction. */
  async ensure(names: Iterable<string>): Promise<void> {
    const unknown = new Set<string>();
    for (const name of names) if (!this.#ids.has(name)) unknown.add(name);
    const missing = [...unknown].toSorted();
    for (const chunk of chunked(missing)) {
      await this.#load(sql`name = any(${chunk}::text[])`);
      const absent = chunk.filter((name) => !this.#ids.has(name));
      if (absent.length === 0) continue;
      // In one order everywhere, so that two processes wait for each other and never in a circle.
      const insert = sql<NameRow>`insert into names (name) select unnest(${absent}::text[])
        on conflict do nothing returning name_id, name`;
      this.#remember(await this.#database.write(insert.compile(this.#database.build)));
      // What another process made in between.
      const others = absent.filter((name) => !this.#ids.has(name));
      if (others.length > 0) await this.#load(sql`name = any(${others}::text[])`);
    }
  }

  /** Loads the names of ids that occur in rows. */
  async load(ids: Iterable<number>): Promise<void> {
    const missing = new Set<number>();
    for (const id of ids) if (!this.#names.has(id)) missing.add(id);
    for (const chunk of chunked([...missing])) await this.#load(sql`name_id = any(${chunk}::bigint[])`);
  }

  /** The id of a name that {@link ensure} was asked for. */
  idOf(name: string): number {
    return this.#ids.get(name)!;
  }

  /** The name of an id that {@link load} was asked for. */
  nameOf(id: number): string {
    return this.#names.get(id)!;
  }

  async #load(condition: ReturnType<typeof sql>): Promise<void> {
    const query = sql<NameRow>`select name_id, name from names where ${condition}`;
    this.#remember(await this.#database.all(query.compile(this.#database.build)));
  }

  #remember(rows: readonly NameRow[]): void {
    for (const { name_id, name } of rows) {
      this.#ids.set(name, name_id);
      this.#names.set(name_id, name);
    }
  }

  #forget(): void {
    this.#ids.clear();
    this.#names.clear();
  }
}

export function* chunked<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let start = 0; start < items.length; start += NAMES_PER_QUERY) {
    yield items.slice(start, start + NAMES_PER_QUERY);
  }
}
