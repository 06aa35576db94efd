import { once } from 'node:events';
import type { Compilable, CompiledQuery } from 'kysely';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** Built and perhaps compiled: raw SQL is compiled by whoever writes it. */
export type Query<Row> = Compilable<Row> | CompiledQuery<Row>;

/** What can run a statement: a session, or the pool that lends one. */
export interface Queryable {
  query(config: pg.QueryArrayConfig): Promise<pg.QueryArrayResult>;
  query(config: pg.QueryConfig): Promise<pg.QueryResult>;
}

export async function all<Row>(target: Queryable, query: Query<Row>): Promise<Row[]> {
  const { sql, parameters } = 'compile' in query ? query.compile() : query;
  const { rows } = await target.query({ text: sql, values: [...parameters] });
  return rows as Row[];
}

/** One session, inside a transaction. */
export class PostgresSession {
  /** For statements of the schema; everything else has a method here. */
  readonly client: pg.ClientBase;

  constructor(client: pg.ClientBase) {
    this.client = client;
  }

  /** Rows of a query. 64-bit integers come as numbers: amounts must be cast to text in the query. */
  async all<Row>(query: Query<Row>): Promise<Row[]> {
    return all(this.client, query);
  }

  async first<Row>(query: Query<Row>): Promise<Row | undefined> {
    return (await this.all(query))[0];
  }

  async run(query: Query<unknown>): Promise<void> {
    await this.all(query);
  }

  async execute(text: string, values: readonly unknown[] = []): Promise<void> {
    await this.client.query({ text, values: [...values] });
  }

  /** Rows as arrays, for results that are large. */
  async arrays<Row extends readonly unknown[]>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const { rows } = await this.client.query({ text, values: [...values], rowMode: 'array' });
    return rows as unknown as Row[];
  }

  /**
   * `COPY` of rows that are already encoded (`copy-text.ts`), in pieces that need not end with a row.
   * @param target table and columns: `names (name_id, name)`.
   */
  async copy(target: string, pieces: Iterable<string>): Promise<void> {
    const stream = this.client.query(copyFrom(`copy ${target} from stdin`));
    const ended = once(stream, 'finish');
    // Looked at below; a failure in between must not count as unhandled.
    ended.catch(() => {});
    try {
      for (const piece of pieces) {
        if (!stream.write(piece)) await once(stream, 'drain');
      }
    } catch (error) {
      if (stream.errored === null && !stream.destroyed) stream.destroy(error as Error);
      throw error;
    }
    stream.end();
    await ended;
  }
}
