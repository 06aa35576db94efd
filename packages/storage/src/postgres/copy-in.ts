import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import pg from 'pg';

/** Bytes that may wait for a server that is slower than we are, and that go to one that keeps up without a turn. */
const MAX_WAITING = 1_048_576;
/** What a COPY counts as at least. */
const LEAST_OF_COPY = 131_072;

declare module 'pg' {
  /** What the driver has for COPY, and its types do not tell of. */
  interface Connection {
    sendCopyFromChunk(rows: Buffer): void;
    endCopyFrom(): void;
    sendCopyFail(reason: string): void;
  }
}

/**
 * A server that keeps up makes nobody wait: without a turn now and then, rows behind rows, and one COPY behind another,
 * would let neither answers in, nor timers, nor a signal to stop.
 */
export class Turns {
  #bytes = 0;

  /** Whether it is time for one, now that so much more was sent. */
  isDue(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes > MAX_WAITING;
  }

  async take(): Promise<void> {
    await setImmediate();
    this.#bytes = 0;
  }
}

/**
 * `COPY … FROM STDIN` whose rows are sent together with the statement, and whatever comes next right behind them: a
 * server that refuses the statement, or does not get to it because one before it failed, drops the rows, as its
 * protocol has it. So nothing waits for the way to the server and back, which a stream of rows does, nor for what was
 * sent before.
 */
export class CopyIn extends pg.Query {
  readonly #text: string;
  readonly #pieces: Iterable<string | Buffer>;
  readonly #turns: Turns;
  readonly #sent = Promise.withResolvers<void>();
  /** What the server says in the end. */
  readonly answer: Promise<void>;
  #isAnswered = false;

  /** @param pieces encoded rows; a piece need not end with a row. */
  constructor(text: string, pieces: Iterable<string | Buffer>, turns: Turns) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    super({ text, callback: (error: unknown) => (error ? reject(error) : resolve()) } as pg.QueryConfig);
    this.#text = text;
    this.#pieces = pieces;
    this.#turns = turns;
    this.answer = promise;
    const answered = () => {
      this.#isAnswered = true;
      this.#sent.resolve();
    };
    // An answer before all is sent says no, perhaps because the connection is lost. It is met when it is heard.
    promise.then(answered, answered);
  }

  /** Until other statements may follow. Rejects with what `pieces` throws; the server keeps none of the rows then. */
  get sent(): Promise<void> {
    return this.#sent.promise;
  }

  override readonly submit = (connection: pg.Connection): void => {
    connection.query(this.#text);
    this.#sendRows(connection).then(this.#sent.resolve, (error: unknown) => {
      // A server that waits for rows takes the next statement for one of them: it hears first that there are no more.
      connection.sendCopyFail('there are no more rows');
      this.#sent.reject(error);
    });
  };

  async #sendRows(connection: pg.Connection): Promise<void> {
    const { stream } = connection;
    for (const piece of this.#pieces) {
      if (this.#isAnswered) return;
      const rows = typeof piece === 'string' ? Buffer.from(piece) : piece;
      connection.sendCopyFromChunk(rows);
      if (stream.writableLength > MAX_WAITING) await this.#drained(stream);
      if (this.#turns.isDue(rows.length)) await this.#turns.take();
    }
    if (!this.#isAnswered) connection.endCopyFrom();
    if (this.#turns.isDue(LEAST_OF_COPY)) await this.#turns.take();
  }

  /** Resolves also when the server wants no more. */
  async #drained(stream: pg.Connection['stream']): Promise<void> {
    const abandoned = new AbortController();
    const drained = once(stream, 'drain', { signal: abandoned.signal });
    await Promise.allSettled([Promise.race([drained, this.answer])]);
    abandoned.abort();
  }

  /** The rows are on their way. */
  handleCopyInResponse(): void {}
}
