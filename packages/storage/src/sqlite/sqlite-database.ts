import type { Database, Statement, Transaction } from 'better-sqlite3';
import type { Compilable, CompiledQuery, Kysely } from 'kysely';
import type { StorageSchema } from '../schema.ts';
import { storageError } from './storage-error.ts';

/** Prepared statements that are kept. */
const MOST_STATEMENTS = 300;

/** Built and perhaps compiled: raw SQL is compiled by whoever writes it. */
type Query<Row> = Compilable<Row> | CompiledQuery<Row>;

/**
 * One connection. Queries are built with kysely (or are plain SQL where rows are many) and run at once, so a
 * transaction is one synchronous stretch: nothing else of this process can come in between.
 */
export class SqliteDatabase {
  readonly path: string;
  /** Builds queries; they are run by {@link all} and {@link run}. */
  readonly build: Kysely<StorageSchema>;
  readonly #connection: Database;
  readonly #statements = new Map<string, Statement<unknown[]>>();
  /** Wrapped once: making a transaction takes longer than a small one. */
  readonly #transaction: Transaction<(work: () => unknown) => unknown>;
  readonly #onRollback: (() => void)[] = [];

  constructor(connection: Database, path: string, build: Kysely<StorageSchema>) {
    this.#connection = connection;
    this.#transaction = connection.transaction((work: () => unknown) => work());
    this.path = path;
    this.build = build;
  }

  /** A prepared statement, kept for the life of the connection. Only for texts from a fixed set. */
  statement(text: string): Statement<unknown[]> {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#connection.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  /** Rows of a query. Integers come as numbers: amounts and sums must be cast to text in the query. */
  all<Row>(query: Query<Row>): Row[] {
    const { statement, parameters } = this.#prepare(query);
    return statement.all(...parameters) as Row[];
  }

  first<Row>(query: Query<Row>): Row | undefined {
    const { statement, parameters } = this.#prepare(query);
    return statement.get(...parameters) as Row | undefined;
  }

  run(query: Query<unknown>): void {
    const { statement, parameters } = this.#prepare(query);
    statement.run(...parameters);
  }

  #prepare(query: Query<unknown>) {
    const { sql, parameters } = 'compile' in query ? query.compile() : query;
    // Lists of values make texts without number; those that recur come early.
    const keep = this.#statements.size < MOST_STATEMENTS || this.#statements.has(sql);
    return { statement: keep ? this.statement(sql) : this.#connection.prepare<unknown[]>(sql), parameters };
  }

  /** Called after a write that failed, so that caches forget what was never committed. */
  onRollback(listener: () => void): void {
    this.#onRollback.push(listener);
  }

  /** After keys were removed for good. */
  forgetCaches(): void {
    for (const listener of this.#onRollback) listener();
  }

  /**
   * One write transaction. When `work` throws, nothing of it is kept.
   * @throws {ChargebackError} `CB_STORAGE_BUSY`, `CB_STORAGE_WRITE`.
   */
  write<Result>(work: () => Result): Result {
    try {
      return this.#transaction.immediate(work) as Result;
    } catch (error) {
      this.forgetCaches();
      throw storageError(error, this.path);
    }
  }

  /** Several reads of one state of the database. */
  read<Result>(work: () => Result): Result {
    try {
      return this.#transaction.deferred(work) as Result;
    } catch (error) {
      throw storageError(error, this.path, 'CB_STORAGE_OPEN');
    }
  }

  close(): void {
    this.#connection.close();
  }
}
