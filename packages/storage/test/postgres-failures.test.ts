import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { ChargebackError } from '@chargeback/plugin-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { type RealPostgres, startRealPostgres } from '../../testkit/src/index.ts';
import {
  administer,
  createTestDatabase,
  createTestSchema,
  postgresRuns,
  type TestDatabase,
} from '../../testkit/test/postgres/test-database.ts';
import { openStore, type Store } from '../src/index.ts';
import { saveDay, totalsOf, YEAR } from './days.ts';
import { optionsIn } from './temporary-store.ts';

const COMMIT = Buffer.from('commit\0');
/** What the server says of it. */
const COMMITTED = Buffer.from('COMMIT\0');
const COPY_FACTS = Buffer.from('copy chargeback_facts');

/** Passes everything on to the server until a condition is met; then the connection is cut, before or after. */
class Cable implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Sees what the program sends; true cuts. */
  cutBefore: (sent: Buffer) => boolean = () => false;
  /** Sees what the program sends; true cuts when the server has committed, before the program hears of it. */
  cutCommitted: (sent: Buffer) => boolean = () => false;

  constructor(port: number) {
    this.#server = createServer((program) => {
      const server = connect(port, '127.0.0.1');
      let deaf = false;
      for (const socket of [program, server]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          program.destroy();
          if (!deaf) server.destroy();
        });
      }
      server.on('data', (data: Buffer) => {
        if (deaf && data.includes(COMMITTED)) {
          program.destroy();
          server.destroy();
        } else program.write(data);
      });
      program.on('data', (data: Buffer) => {
        if (this.cutBefore(data)) return void program.destroy();
        if (this.cutCommitted(data)) deaf = true;
        server.write(data);
      });
    });
  }

  async url(database: string): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const url = new URL(database);
    const address = this.#server.address();
    url.port = String(typeof address === 'object' && address !== null ? address.port : 0);
    return url.href;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const MANY = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`id-${index}`, 2n]));

/** True for the first moment of its kind in the transaction that writes the rows. */
function onceRowsAreCopied(isMoment: (sent: Buffer) => boolean): (sent: Buffer) => boolean {
  let copying = false;
  return (sent) => {
    copying ||= sent.includes(COPY_FACTS);
    return copying && !sent.includes(COPY_FACTS) && isMoment(sent);
  };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(String, (cause: unknown) => cause);
  return ChargebackError.isInstance(error) ? error.code : String(error);
}

describe.skipIf(!postgresRuns())('a PostgreSQL server that goes away', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  const port = () => Number(new URL(database.url).port);
  let schemas = 0;

  async function onCable(work: (store: Store, cable: Cable) => Promise<void>): Promise<void> {
    await using cable = new Cable(port());
    const url = `${await cable.url(database.url)}?schema=cut_${(schemas += 1)}`;
    await using store = await openStore(optionsIn('/', { connectionString: url }));
    await work(store, cable);
  }

  /** The rows are the ones before or the ones after, whole. */
  async function isWhole(store: Store, units: bigint): Promise<void> {
    const totals = Object.values(await totalsOf(store));
    expect(totals.length).toBe(20_000);
    expect(totals.every((amount) => amount === units)).toBe(true);
    expect((await store.reconcile(YEAR, 'line')).map(({ difference }) => difference)).toEqual([0n]);
  }

  it.each([
    ['in the middle of COPY', () => true],
    ['between BEGIN and COMMIT', (data: Buffer) => data.includes(COMMIT)],
  ])('%s leaves the old rows, and the next try writes the new ones', async (_, isMoment) => {
    await onCable(async (store, cable) => {
      await saveDay(store, '2026-02-01', Object.fromEntries(Object.keys(MANY).map((id) => [id, 1n])));
      cable.cutBefore = onceRowsAreCopied(isMoment);
      expect(await codeOf(saveDay(store, '2026-02-01', MANY, 'again'))).toBe('CB_STORAGE_UNREACHABLE');
      cable.cutBefore = () => false;
      const totals = Object.values(await totalsOf(store));
      expect([totals.length, totals.every((amount) => amount === 1n)]).toEqual([20_000, true]);
      await saveDay(store, '2026-02-01', MANY, 'again');
      await isWhole(store, 2n);
    });
  });

  it('while the answer to COMMIT is on its way doubles nothing when the day is written again', async () => {
    await onCable(async (store, cable) => {
      cable.cutCommitted = onceRowsAreCopied((data) => data.includes(COMMIT));
      expect(await codeOf(saveDay(store, '2026-02-01', MANY))).toBe('CB_STORAGE_UNREACHABLE');
      cable.cutCommitted = () => false;
      await isWhole(store, 2n);
      await saveDay(store, '2026-02-01', MANY);
      await isWhole(store, 2n);
    });
  });

  it('while nothing is asked of it is connected to again', async () => {
    const { url } = await createTestSchema();
    await using store = await openStore(
      optionsIn('/', { connectionString: `${url}&application_name=idle_one` }),
    );
    await saveDay(store, '2026-02-01', { x: 1n });
    await administer(
      url.replace(/\?.*/, ''),
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'idle_one'`,
    );
    const outcome = await codeOf(totalsOf(store));
    // The end of a session may be noticed before it is used again or only then.
    expect(['[object Object]', 'CB_STORAGE_UNREACHABLE']).toContain(outcome);
    expect(await totalsOf(store)).toEqual({ x: 1n });
  });

  it('is told apart from a lock that stays, a statement that takes too long and too many connections', async () => {
    const { url } = await createTestSchema();
    const connectionString = `${url}&lock_timeout=200&statement_timeout=400`;
    await using store = await openStore(optionsIn('/', { connectionString }));
    await saveDay(store, '2026-02-01', { x: 1n });
    const other = new pg.Client({ connectionString: url.replace(/\?.*/, '') });
    await other.connect();
    try {
      await other.query(`set search_path to "${new URL(url).searchParams.get('schema')}"`);
      await other.query('begin');
      await other.query('lock table date_states in access exclusive mode');
      expect(await codeOf(store.dateStates(YEAR))).toBe('CB_STORAGE_BUSY');
      expect(await codeOf(saveDay(store, '2026-02-02', { x: 1n }))).toBe('CB_STORAGE_BUSY');
      await other.query('rollback');
    } finally {
      await other.end();
    }
    await saveDay(store, '2026-02-02', { x: 1n });
    expect(await totalsOf(store)).toEqual({ x: 2n });
  });
});

describe.skipIf(!postgresRuns())('a write that a PostgreSQL server refuses', () => {
  it.each([
    ['disk_full', `raise exception using errcode = 'disk_full'`, 'CB_STORAGE_WRITE'],
    ['io_error', `raise exception using errcode = 'io_error'`, 'CB_STORAGE_WRITE'],
    [
      'read_only_sql_transaction',
      `raise exception using errcode = 'read_only_sql_transaction'`,
      'CB_STORAGE_WRITE',
    ],
    ['deadlock_detected', `raise exception using errcode = 'deadlock_detected'`, 'CB_STORAGE_BUSY'],
    ['a statement that takes too long', 'perform pg_sleep(60)', 'CB_STORAGE_BUSY'],
    [
      'numeric_value_out_of_range',
      `raise exception using errcode = 'numeric_value_out_of_range'`,
      'CB_STORAGE_REJECTED',
    ],
    [
      'the end of the session',
      'perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60)',
      'CB_STORAGE_UNREACHABLE',
    ],
  ])('because of %s keeps the old rows', async (_, what, expected) => {
    const { url } = await createTestSchema();
    await using store = await openStore(optionsIn('/', { connectionString: `${url}&statement_timeout=1s` }));
    await saveDay(store, '2026-02-01', { x: 1n });
    const schema = new URL(url).searchParams.get('schema');
    const plain = url.replace(/\?.*/, '');
    // Late in the transaction: after the rows.
    await administer(
      plain,
      `create function ${schema}.refuse() returns trigger language plpgsql as $$ begin ${what}; end $$;
       create trigger refuse before update on ${schema}.date_states
         for each row when (new.state = 'calculated') execute function ${schema}.refuse()`,
    );
    expect(await codeOf(saveDay(store, '2026-02-01', { y: 1n }, 'again'))).toBe(expected);
    expect(await totalsOf(store)).toEqual({ x: 1n });
    await administer(plain, `drop trigger refuse on ${schema}.date_states`);
    await saveDay(store, '2026-02-01', { y: 1n }, 'again');
    expect(await totalsOf(store)).toEqual({ y: 1n });
  });
});

describe.skipIf(!postgresRuns())('a PostgreSQL server of its own', () => {
  let server: RealPostgres;
  beforeAll(async () => {
    server = await startRealPostgres({ settings: { max_connections: '8' } });
  });
  afterAll(() => server?.dispose());

  const options = (parameters = '') =>
    optionsIn('/', { connectionString: `${server.url('postgres')}${parameters}` });

  it('that fails and starts again is worked with by the store that was open', async () => {
    await using store = await openStore(options());
    await saveDay(store, '2026-02-01', { x: 1n });
    await server.stop('immediate');
    expect(await codeOf(saveDay(store, '2026-02-02', { new: 1n }))).toBe('CB_STORAGE_UNREACHABLE');
    expect(await codeOf(store.totals(YEAR, []))).toBe('CB_STORAGE_UNREACHABLE');
    await server.start();
    await saveDay(store, '2026-02-02', { new: 1n });
    expect(await totalsOf(store)).toEqual({ x: 1n, new: 1n });
  });

  it('says when it has too many connections', async () => {
    const clients: pg.Client[] = [];
    try {
      // A session that has just ended may count for a moment: fill up until there is no more place.
      let code = '';
      for (let tries = 0; tries < 50 && code !== 'CB_STORAGE_BUSY'; tries += 1) {
        const client = new pg.Client({ connectionString: server.url('postgres') });
        await client.connect().then(
          () => clients.push(client),
          () => {},
        );
        code = await codeOf(openStore(options()).then((store) => store[Symbol.asyncDispose]()));
      }
      expect(code).toBe('CB_STORAGE_BUSY');
    } finally {
      await Promise.allSettled(clients.map((client) => client.end()));
    }
  });

  it.skipIf(process.platform === 'win32')('is reached through its socket', async () => {
    const url = new URL(server.url('postgres'));
    const socket = `postgresql://${url.username}:${url.password}@/postgres?host=${encodeURIComponent(server.folder)}&port=${server.port}&schema=sock`;
    await using store = await openStore(optionsIn('/', { connectionString: socket }));
    await saveDay(store, '2026-02-01', { x: 1n });
    expect(await totalsOf(store)).toEqual({ x: 1n });
  });
});
