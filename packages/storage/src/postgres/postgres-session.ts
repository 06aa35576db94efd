import { once } from 'node:events';
import { ChargebackError } from '@chargeback/plugin-api';
import type { Compilable, CompiledQuery } from 'kysely';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { inlined } from './inlined.ts';

/** Built and perhaps compiled: raw SQL is compiled by whoever writes it. */
export type Query<Row> = Compilable<Row> | CompiledQuery<Row>;

/** Queries by the rows they give. */
export type Queries<Rows extends readonly unknown[]> = { readonly [Index in keyof Rows]: Query<Rows[Index]> };
/** Their answers. */
export type Answers<Rows extends readonly unknown[]> = { [Index in keyof Rows]: Rows[Index][] };

/** What can run a statement: a session, or the pool that lends one. */
export interface Queryable {
  query(config: pg.QueryArrayConfig): Promise<pg.QueryArrayResult>;
  query(config: pg.QueryConfig): Promise<pg.QueryResult>;
}

export async function all<Row>(target: Queryable, query: Query<Row>): Promise<Row[]> {
  const { sql, parameters } = compiled(query);
  const { rows } = await target.query({ text: sql, values: [...parameters] });
  return rows as Row[];
}

function compiled<Row>(query: Query<Row>): CompiledQuery<Row> {
  return 'compile' in query ? query.compile() : query;
}

interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

function statementOf(query: Query<unknown> | Statement | string): Statement {
  if (typeof query === 'string') return { sql: query, parameters: [] };
  return 'compile' in query ? query.compile() : query;
}

/** A statement that is sent with the next one. */
interface Waiting {
  readonly text: string;
  readonly check: ((rows: readonly unknown[][]) => void) | undefined;
}

/** Such statements have no rows, which COPY could not tell from its own answer. */
const WITHOUT_ROWS = /^(?:begin|delete|insert|set|update)\b/;

/**
 * One session, inside a transaction. Every statement waits for the server and back, so what can be is sent together:
 * statements run in the order in which they were given, each sees what was committed before it, and those behind one
 * that fails are not run.
 */
export class PostgresSession {
  readonly #client: pg.ClientBase;
  #waiting: Waiting[] = [];
  #ended = false;

  constructor(client: pg.ClientBase) {
    this.#client = client;
  }

  /** For statements of the schema; everything else has a method here. */
  async bare(): Promise<pg.ClientBase> {
    await this.#flush();
    return this.#client;
  }

  /**
   * Sends a statement with the next one, which tells its error. With a `check` the transaction is not committed
   * before its rows, as arrays, were looked at.
   */
  async later(
    query: Query<unknown> | Statement | string,
    check?: (rows: readonly unknown[][]) => void,
  ): Promise<void> {
    const { sql, parameters } = statementOf(query);
    const text = inlined(sql, parameters);
    if (text === null) await this.execute(sql, parameters);
    else this.#waiting.push({ text, check });
  }

  /** Several queries at once. Rows as {@link all} gives them. */
  async together<Rows extends readonly unknown[]>(...queries: Queries<Rows>): Promise<Answers<Rows>> {
    const texts = textsOf(queries);
    if (texts) return (await this.#send(texts)).map(objectsOf) as unknown as Answers<Rows>;
    const answers: unknown[][] = [];
    for (const query of queries as readonly Query<unknown>[]) answers.push(await this.all(query));
    return answers as unknown as Answers<Rows>;
  }

  /** Ends the transaction, once, with what still waits. */
  async commit(): Promise<void> {
    if (this.#ended) return;
    if (this.#waiting.some(({ check }) => check)) await this.#flush();
    assertCommitted(await this.#send([COMMIT]));
  }

  /** Several queries at once, and the end of a transaction that only reads. */
  async lastly<Rows extends readonly unknown[]>(...queries: Queries<Rows>): Promise<Answers<Rows>> {
    const texts = textsOf(queries);
    if (!texts) return this.together<Rows>(...queries);
    const results = await this.#send([...texts, COMMIT]);
    assertCommitted(results.splice(texts.length));
    this.#ended = true;
    return results.map(objectsOf) as unknown as Answers<Rows>;
  }

  /** Rows of a query. 64-bit integers come as numbers: amounts must be cast to text in the query. */
  async all<Row>(query: Query<Row>): Promise<Row[]> {
    const { sql, parameters } = compiled(query);
    const result = await this.#sendWithWaiting(sql, parameters);
    return result ? (objectsOf(result) as Row[]) : all(this.#client, query);
  }

  async first<Row>(query: Query<Row>): Promise<Row | undefined> {
    return (await this.all(query))[0];
  }

  async run(query: Query<unknown>): Promise<void> {
    await this.all(query);
  }

  async execute(text: string, values: readonly unknown[] = []): Promise<void> {
    if (await this.#sendWithWaiting(text, values)) return;
    await this.#client.query({ text, values: [...values] });
  }

  /** Rows as arrays, for results that are large. */
  async arrays<Row extends readonly unknown[]>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const result =
      (await this.#sendWithWaiting(text, values)) ??
      (await this.#client.query({ text, values: [...values], rowMode: 'array' }));
    return result.rows as unknown as Row[];
  }

  /**
   * `COPY` of rows that are already encoded (`copy-text.ts`), in pieces that need not end with a row.
   * @param target table and columns: `names (name_id, name)`.
   */
  async copy(target: string, pieces: Iterable<string>): Promise<void> {
    await this.#copy(`copy ${target} from stdin`, pieces);
  }

  /** The same in the binary format (`binary-rows.ts`). */
  async copyBinary(target: string, pieces: Iterable<Buffer>): Promise<void> {
    await this.#copy(`copy ${target} from stdin (format binary)`, pieces);
  }

  async #copy(text: string, pieces: Iterable<string | Buffer>): Promise<void> {
    if (this.#waiting.some((before) => !WITHOUT_ROWS.test(before.text))) await this.#flush();
    const texts = [...this.#waiting.map((before) => before.text), text];
    this.#waiting = [];
    const stream = this.#client.query(copyFrom(texts.join(';\n')));
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

  async #flush(): Promise<void> {
    if (this.#waiting.length > 0) await this.#send([]);
  }

  /** Undefined when nothing waits, or the statement cannot go with it: then it is sent alone, its values beside it. */
  async #sendWithWaiting(
    sql: string,
    values: readonly unknown[],
  ): Promise<pg.QueryArrayResult<unknown[]> | undefined> {
    if (this.#waiting.length === 0) return undefined;
    const text = inlined(sql, values);
    const results = await this.#send(text === null ? [] : [text]);
    return results[0];
  }

  /** Sends what waits and these statements; returns the results of these. */
  async #send(texts: readonly string[]): Promise<pg.QueryArrayResult<unknown[]>[]> {
    const waiting = this.#waiting;
    this.#waiting = [];
    const text = [...waiting.map((before) => before.text), ...texts].join(';\n');
    const answer: pg.QueryArrayResult<unknown[]> | pg.QueryArrayResult<unknown[]>[] =
      await this.#client.query({ text, rowMode: 'array' });
    const results = Array.isArray(answer) ? answer : [answer];
    for (const [index, { check }] of waiting.entries()) check?.(results[index]!.rows);
    return results.slice(waiting.length);
  }
}

const COMMIT = 'commit';

function assertCommitted([result]: readonly pg.QueryArrayResult[]): void {
  if (result?.command !== 'COMMIT') {
    throw new ChargebackError('CB_INTERNAL', 'the transaction was not committed');
  }
}

/** Null when one of them cannot be sent with others. */
function textsOf(queries: readonly Query<unknown>[]): string[] | null {
  const texts: string[] = [];
  for (const query of queries) {
    const { sql, parameters } = compiled(query);
    const text = inlined(sql, parameters);
    if (text === null) return null;
    texts.push(text);
  }
  return texts;
}

function objectsOf({ fields, rows }: pg.QueryArrayResult<unknown[]>): Record<string, unknown>[] {
  return rows.map((row) => {
    const made: Record<string, unknown> = {};
    for (let index = 0; index < fields.length; index += 1) made[fields[index]!.name] = row[index];
    return made;
  });
}
