import { nextTick } from 'node:process';
import { setImmediate } from 'node:timers/promises';
import { ChargebackError } from '@chargeback/plugin-api';
import type { Compilable, CompiledQuery } from 'kysely';
import type pg from 'pg';
import { CopyIn, Turns } from './copy-in.ts';

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
  const { rows } = await target.query(configOf(query));
  return rows as Row[];
}

/** Rows as arrays, for results that are large. */
export async function arrays<Row extends readonly unknown[]>(
  target: Queryable,
  text: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const { rows } = await target.query({ text, values: [...values], rowMode: 'array' });
  return rows as unknown as Row[];
}

/** SQL with its parameters. */
interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

function configOf(query: Query<unknown> | Statement | string): pg.QueryConfig {
  if (typeof query === 'string') return { text: query };
  const { sql, parameters } = 'compile' in query ? query.compile() : query;
  return { text: sql, values: [...parameters] };
}

/** Sent before it is known that there is a transaction: without one they change nothing. */
const HARMLESS = /^\s*(?:select|commit)\b/;
const COMMIT = 'commit';

/**
 * One session, inside a transaction. Every statement takes its way to the server and back, so statements are sent
 * without waiting for those before: they run in the order in which they were given, each sees what was committed
 * before it, and those behind one that fails are not run.
 */
export class PostgresSession {
  readonly #client: pg.Client;
  readonly #begun: Promise<unknown>;
  /** Answers that nobody has waited for, in order. */
  #unheard: Promise<unknown>[] = [];
  #isChecked = true;
  #hasFailed = false;
  #isOver = false;
  /** Whether what is sent waits for the rest of this turn. */
  #isGathering = false;
  readonly #turns = new Turns();

  constructor(client: pg.Client, begin: string) {
    this.#client = client;
    this.#inOnePiece();
    this.#begun = client.query(begin);
    this.#leave(this.#begun);
  }

  /** For statements of the schema; everything else has a method here. */
  async bare(): Promise<pg.Client> {
    await this.#heard();
    return this.#client;
  }

  /**
   * Sends a statement that nobody waits for: one behind it, or the end, tells its error. With a `check` the transaction
   * is not committed before its rows, as arrays, were looked at.
   */
  async later(
    query: Query<unknown> | Statement | string,
    check?: (rows: readonly unknown[][]) => void,
  ): Promise<void> {
    const answer = await this.#send({ ...configOf(query), rowMode: 'array' });
    if (!check) return this.#leave(answer());
    this.#isChecked = false;
    this.#leave(answer().then(({ rows }) => check(rows as unknown as unknown[][])));
  }

  /** Several queries at once. Rows as {@link all} gives them. */
  async together<Rows extends readonly unknown[]>(...queries: Queries<Rows>): Promise<Answers<Rows>> {
    return this.#heard(...(await this.#ask(queries))) as unknown as Promise<Answers<Rows>>;
  }

  /** Several queries at once, and the end of a transaction that only reads. */
  async lastly<Rows extends readonly unknown[]>(...queries: Queries<Rows>): Promise<Answers<Rows>> {
    const asked = await this.#ask(queries);
    this.#isOver = true;
    const committed = await this.#send({ text: COMMIT });
    const answers = await this.#heard(...asked, committed());
    assertCommitted(answers.pop() as pg.QueryResult);
    return answers as unknown as Answers<Rows>;
  }

  /** Ends the transaction, once. */
  async commit(): Promise<void> {
    if (this.#isOver) return;
    // A statement that could not even be sent fails at once: the server knows nothing of it and would commit the others.
    await setImmediate();
    if (!this.#isChecked || this.#hasFailed) await this.#heard();
    const committed = await this.#send({ text: COMMIT });
    const [result] = await this.#heard(committed());
    assertCommitted(result);
  }

  /** Rows of a query. 64-bit integers come as numbers: amounts must be cast to text in the query. */
  async all<Row>(query: Query<Row>): Promise<Row[]> {
    const [rows] = await this.#heard(...(await this.#ask([query])));
    return rows as Row[];
  }

  async first<Row>(query: Query<Row>): Promise<Row | undefined> {
    return (await this.all(query))[0];
  }

  async run(query: Query<unknown>): Promise<void> {
    await this.all(query);
  }

  async execute(text: string, values: readonly unknown[] = []): Promise<void> {
    const answer = await this.#send({ text, values: [...values] });
    await this.#heard(answer());
  }

  /** Rows as arrays, for results that are large. */
  async arrays<Row extends readonly unknown[]>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const answer = await this.#send({ text, values: [...values], rowMode: 'array' });
    const [result] = await this.#heard(answer());
    return result!.rows as Row[];
  }

  /**
   * `COPY` of rows that are already encoded (`copy-text.ts`), in pieces that need not end with a row. Nobody waits for
   * it: as of {@link later}, one behind it, or the end, tells its error, and what making a piece throws is thrown at once.
   * @param target table and columns: `names (name_id, name)`.
   */
  async copy(target: string, pieces: Iterable<string>): Promise<void> {
    await this.#copy(`copy ${target} from stdin`, pieces);
  }

  /** The same in the binary format (`binary-rows.ts`). */
  async copyBinary(target: string, pieces: Iterable<Buffer>): Promise<void> {
    await this.#copy(`copy ${target} from stdin (format binary)`, pieces);
  }

  /** As {@link later}: nobody waits for the answer. */
  async #copy(text: string, pieces: Iterable<string | Buffer>): Promise<void> {
    await this.#begun;
    // Rows may be many: none is made that nobody will take.
    if (this.#hasFailed) await this.#heard();
    const copy = new CopyIn(text, pieces, this.#turns);
    this.#inOnePiece();
    this.#client.query(copy);
    try {
      await copy.sent;
    } catch (error) {
      // Something before it may have failed before.
      await this.#heard();
      throw error;
    }
    this.#leave(copy.answer);
  }

  /** The rows of queries that were sent. */
  async #ask(queries: readonly Query<unknown>[]): Promise<Promise<unknown[]>[]> {
    const rows: Promise<unknown[]>[] = [];
    for (const query of queries) {
      const answer = await this.#send(configOf(query));
      const given = answer().then((result) => result.rows);
      // Met when it is heard, perhaps after the next one has waited for the beginning.
      given.catch(() => {});
      rows.push(given);
    }
    return rows;
  }

  /** Sends a statement. What it returns gives the answer: a promise by itself would be waited for. */
  async #send(config: pg.QueryConfig | pg.QueryArrayConfig): Promise<() => Promise<pg.QueryResult>> {
    if (!HARMLESS.test(config.text)) await this.#begun;
    this.#inOnePiece();
    const answer = this.#client.query(config as pg.QueryConfig);
    // Met when it is heard.
    answer.catch(() => {});
    return () => answer;
  }

  /** What is sent before anything is waited for goes in one piece: handing a small one over takes longer than making it. */
  #inOnePiece(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    const { stream } = this.#client.connection;
    stream.cork();
    nextTick(() => {
      this.#isGathering = false;
      stream.uncork();
    });
  }

  #leave(answer: Promise<unknown>): void {
    answer.catch(() => {
      this.#hasFailed = true;
    });
    this.#unheard.push(answer);
  }

  /** Waits for all that was sent. @throws what failed first: the others only say that something did. */
  async #heard<Values extends readonly unknown[]>(
    ...answers: { [Index in keyof Values]: Promise<Values[Index]> }
  ): Promise<Values[number][]> {
    const unheard = this.#unheard;
    this.#unheard = [];
    const outcomes = await Promise.allSettled([...unheard, ...answers]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    this.#isChecked = true;
    return outcomes
      .slice(unheard.length)
      .map((outcome) => (outcome as PromiseFulfilledResult<Values[number]>).value);
  }
}

function assertCommitted(result: pg.QueryResult | undefined): void {
  if (result?.command !== 'COMMIT') {
    throw new ChargebackError('CB_INTERNAL', 'the transaction was not committed');
  }
}
