import type { ErrorCode } from '@chargeback/plugin-api';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import pLimit, { type LimitFunction } from 'p-limit';
import type pg from 'pg';
import type { StorageSchema } from '../schema.ts';
import { assertLease } from './assert-lease.ts';
import { all, type Answers, arrays, PostgresSession, type Queries, type Query } from './postgres-session.ts';
import { isLostConnection, storageError } from './storage-error.ts';

const READ = 'begin isolation level repeatable read read only';
const WRITE = 'begin isolation level read committed read write';

/** Builds queries and runs none. */
export function createBuilder(): Kysely<StorageSchema> {
  return new Kysely<StorageSchema>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (database) => new PostgresIntrospector(database),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
}

/** The sessions of one store. Nothing here is kept between transactions but what is never deleted. */
export class PostgresDatabase {
  /** The database without user and password, for messages. */
  readonly place: string;
  /** Builds queries; they are run by {@link all} and by sessions. */
  readonly build: Kysely<StorageSchema> = createBuilder();
  readonly #pool: pg.Pool;
  /** The pool itself takes waiting for a session that others use for a server that does not answer. */
  readonly #turns: LimitFunction;
  /** Who took the lease through this store; from then on it writes only under it, also after its release. */
  holder: string | null = null;
  /** How long the lease lasts once it is renewed. */
  leaseSeconds = 0;
  readonly #caches: (() => void)[] = [];

  constructor(pool: pg.Pool, place: string) {
    this.#pool = pool;
    this.#turns = pLimit(pool.options.max);
    this.place = place;
  }

  /**
   * Called when what a cache knows may be gone: keys were removed, or the server went away and what it had
   * acknowledged with it.
   */
  onForget(listener: () => void): void {
    this.#caches.push(listener);
  }

  forgetCaches(): void {
    for (const forget of this.#caches) forget();
  }

  /** One query, read alone. */
  async all<Row>(query: Query<Row>): Promise<Row[]> {
    try {
      return await this.#turns(() => all(this.#pool, query));
    } catch (error) {
      throw this.#coded(error, 'CB_STORAGE_OPEN');
    }
  }

  async first<Row>(query: Query<Row>): Promise<Row | undefined> {
    return (await this.all(query))[0];
  }

  /** Rows as arrays of one query, read alone. */
  async arrays<Row extends readonly unknown[]>(text: string, values: readonly unknown[]): Promise<Row[]> {
    try {
      return await this.#turns(() => arrays<Row>(this.#pool, text, values));
    } catch (error) {
      throw this.#coded(error, 'CB_STORAGE_OPEN');
    }
  }

  /** One statement that is a transaction of its own; returns the rows that it tells of. */
  async write<Row>(query: Query<Row>): Promise<Row[]> {
    try {
      return await this.#turns(() => all(this.#pool, query));
    } catch (error) {
      throw this.#coded(error, 'CB_STORAGE_WRITE');
    }
  }

  /** Several reads of one state of the database. */
  async read<Result>(work: (session: PostgresSession) => Promise<Result>): Promise<Result> {
    return this.#transaction(READ, 'CB_STORAGE_OPEN', work);
  }

  /** Queries that are known beforehand, of one state of the database, in one go. */
  async readTogether<Rows extends readonly unknown[]>(...queries: Queries<Rows>): Promise<Answers<Rows>> {
    return this.read((session) => session.lastly<Rows>(...queries));
  }

  /**
   * One write transaction. When `work` throws, nothing of it is kept. Each statement sees what was committed
   * before it: take the lock (`locks.ts`) of what is written first, then look.
   */
  async transaction<Result>(work: (session: PostgresSession) => Promise<Result>): Promise<Result> {
    return this.#transaction(WRITE, 'CB_STORAGE_WRITE', work);
  }

  /** A write transaction under the tenant's lease, if one is held: who has lost it writes nothing. */
  async held<Result>(work: (session: PostgresSession) => Promise<Result>): Promise<Result> {
    return this.transaction(async (session) => {
      if (this.holder !== null) await assertLease(session, this.holder, this.place);
      return work(session);
    });
  }

  async #transaction<Result>(
    begin: string,
    otherwise: ErrorCode,
    work: (session: PostgresSession) => Promise<Result>,
  ): Promise<Result> {
    return this.#turns(() => this.#inTurn(begin, otherwise, work));
  }

  async #inTurn<Result>(
    begin: string,
    otherwise: ErrorCode,
    work: (session: PostgresSession) => Promise<Result>,
  ): Promise<Result> {
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      client.on('error', ignore);
      const session = new PostgresSession(client, begin);
      const result = await work(session);
      await session.commit();
      client.off('error', ignore);
      client.release();
      return result;
    } catch (error) {
      if (client) await leave(client);
      throw this.#coded(error, otherwise);
    }
  }

  #coded(error: unknown, otherwise: ErrorCode): unknown {
    if (isLostConnection(error)) this.forgetCaches();
    return storageError(error, this.place, otherwise);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** An error between two statements, such as the server's end, is told by the next statement. */
function ignore(): void {}

/** Ends a transaction that failed; a session that cannot do that is thrown away, and the server rolls back. */
async function leave(client: pg.PoolClient): Promise<void> {
  let broken: Error | undefined;
  try {
    await client.query('rollback');
    client.off('error', ignore);
  } catch (error) {
    broken = error as Error;
  }
  client.release(broken);
}
