import { ChargebackError } from '@chargeback/plugin-api';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { administer, createTestSchema, postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { openStore, type Store } from '../src/index.ts';
import { PostgresSession } from '../src/postgres/postgres-session.ts';
import { saveDay, totalsOf } from './days.ts';
import { optionsIn } from './temporary-store.ts';

const MANY = Object.fromEntries(Array.from({ length: 30_000 }, (_, index) => [`id-${index}`, 1n]));

/** More than is on its way at a time. */
const LONG = Array.from({ length: 4000 }, (_, index) => `${index}`.padEnd(10_000, 'x') + '\n');

function statement(text: string, parameters: readonly unknown[] = []) {
  // What a session takes for a query that is compiled.
  return { sql: text, parameters, query: undefined as never, queryId: undefined as never };
}

async function failureOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error as Error,
  );
}

/** The code and, where the server said something, its own words. */
async function told(work: Promise<unknown>): Promise<readonly [code: string, words: string]> {
  const error = await failureOf(work);
  if (!ChargebackError.isInstance(error)) throw error;
  return [error.code, error.cause instanceof Error ? error.cause.message : error.message];
}

describe.skipIf(!postgresRuns())('statements that are sent without waiting', () => {
  let client: pg.Client;
  let plain: string;
  let pid: number;
  /** A table that others see. */
  let slow: string;
  beforeEach(async () => {
    const { url } = await createTestSchema();
    plain = url.replace(/\?.*/, '');
    slow = `slow_${new URL(url).searchParams.get('schema')}`;
    // The types of pg do not know of it.
    const options: pg.ClientConfig & { pipeline: boolean } = {
      connectionString: plain,
      pipeline: true,
    };
    client = new pg.Client(options);
    await client.connect();
    await client.query('create temporary table written (mark text unique)');
    ({ pid } = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!);
  });
  afterEach(() => client.end());

  const insert = (mark: unknown) => statement('insert into written values ($1)', [mark]);
  const DIVIDE = statement('select 1 / 0');

  async function copyAndCommit(session: PostgresSession): Promise<void> {
    await session.copy('written (mark)', ['copied\n']);
    await session.commit();
  }

  /** What is written once a failed transaction was left; the session is as good as before. */
  async function writtenAfter(work: (session: PostgresSession) => Promise<unknown>, begin = 'begin') {
    const error = await failureOf(work(new PostgresSession(client, begin)));
    await client.query('rollback');
    const next = new PostgresSession(client, 'begin');
    await next.copy('written (mark)', ['next\n']);
    await next.commit();
    const { rows } = await client.query<[string]>({ text: 'select mark from written', rowMode: 'array' });
    return [error.message, rows.flat()];
  }

  it.each<[string, (session: PostgresSession) => Promise<unknown>]>([
    ['the end', (session) => session.commit()],
    ['the end behind COPY', copyAndCommit],
    ['one that is waited for', (session) => session.run(insert('waited for'))],
    ['several at once', (session) => session.together(insert('first'), insert('second'))],
    ['a statement of the schema', (session) => session.bare()],
  ])('leave nothing when one fails, and %s tells why', async (_, end) => {
    const outcome = await writtenAfter(async (session) => {
      await session.later(insert('before'));
      await session.later(DIVIDE);
      await session.later(insert('behind'));
      await session.later('select 1', () => expect.fail('a check of what was not asked'));
      await end(session);
    });
    expect(outcome).toEqual(['division by zero', ['next']]);
  });

  it.each<[string, (session: PostgresSession) => Promise<unknown>]>([
    ['a write', (session) => session.run(insert('outside'))],
    ['a write that nobody waits for', (session) => session.later(insert('outside'))],
    ['COPY', (session) => session.copy('written (mark)', ['outside\n'])],
    ['a read before a write', (session) => session.together(DIVIDE, insert('outside'))],
    ['reads', (session) => session.lastly(statement('select 1'))],
  ])('do nothing when there is no transaction: %s', async (_, work) => {
    const outcome = await writtenAfter(work, 'begin what is no transaction');
    expect(outcome).toEqual(['syntax error at or near "what"', ['next']]);
  });

  it('leave nothing when a check of what was read says no', async () => {
    const outcome = await writtenAfter(async (session) => {
      await session.later('select 1', () => {
        throw new Error('not the holder');
      });
      await session.later(insert('unchecked'));
      await session.commit();
    });
    expect(outcome).toEqual(['not the holder', ['next']]);
  });

  it('leave nothing when one has a value that cannot be sent', async () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const [message, written] = await writtenAfter(async (session) => {
      await session.run(insert('before'));
      await session.later(insert(circular));
      await session.commit();
    });
    expect(message).toContain('circular');
    expect(written).toEqual(['next']);
  });

  it('tell a read that fails while a write behind it waits for the beginning', async () => {
    const outcome = await writtenAfter((session) => session.together(DIVIDE, insert('behind')));
    expect(outcome).toEqual(['division by zero', ['next']]);
  });

  it.each([
    ['at its end', ['one\n', 'one\n'], 'duplicate key value'],
    ['in the middle', LONG.toSpliced(3000, 0, 'one\ttwo\n'), 'extra data after last expected column'],
    ['at its beginning', ['one\ttwo\n', ...LONG], 'extra data after last expected column'],
  ])('leave nothing when COPY fails %s', async (_, rows, expected) => {
    const [message, written] = await writtenAfter(async (session) => {
      await session.later(insert('before'));
      await session.copy('written (mark)', rows);
      await session.later(insert('behind'));
      await session.commit();
    });
    expect(message).toContain(expected);
    expect(written).toEqual(['next']);
  });

  /** Rows that cannot be made, after some that were sent. */
  function* broken(): Generator<string> {
    yield* LONG;
    throw new Error('no such row');
  }

  it('leave nothing when a row of COPY cannot be made, and tell that', async () => {
    const outcome = await writtenAfter((session) => session.copy('written (mark)', broken()));
    expect(outcome).toEqual(['no such row', ['next']]);
  });

  it('tell what failed before a row of COPY could not be made', async () => {
    const outcome = await writtenAfter(async (session) => {
      await session.later(DIVIDE);
      await session.copy('written (mark)', broken());
      await session.commit();
    });
    expect(outcome).toEqual(['division by zero', ['next']]);
  });

  it('make no row for COPY once it is known that one failed', async () => {
    const outcome = await writtenAfter(async (session) => {
      await session.later(DIVIDE);
      await failureOf(client.query('select behind'));
      await session.copy('written (mark)', broken());
    });
    expect(outcome).toEqual(['division by zero', ['next']]);
  });

  it('give the rows of one COPY behind another, each to those behind it', async () => {
    const session = new PostgresSession(client, 'begin');
    await session.later(insert('before'));
    await session.copy('written (mark)', ['o', 'ne\ntwo', '\n']);
    await session.later(statement('delete from written where mark = $1', ['one']));
    await session.copy('written (mark)', []);
    await session.copy('written (mark)', ['one\n']);
    const marks = await session.arrays('select mark from written order by mark', []);
    await session.commit();
    expect(marks).toEqual([['before'], ['one'], ['two']]);
  });

  it('let everything else run between one COPY and the next', async () => {
    const session = new PostgresSession(client, 'begin');
    await session.bare();
    let turns = 0;
    const turned = () => {
      turns += 1;
      turn = setImmediate(turned);
    };
    let turn = setImmediate(turned);
    for (let index = 0; index < 100; index += 1) await session.copy('written (mark)', [`${index}\n`]);
    clearImmediate(turn);
    await session.commit();
    // An answer that comes in goes on within the same turn.
    expect(turns).toBeGreaterThan(10);
  });

  /** Until the session waits for a lock. */
  async function locked(other: pg.Client): Promise<void> {
    const waiting = async () => {
      // Within a transaction it is what it was at first.
      await other.query('select pg_stat_clear_snapshot()');
      const text = `select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`;
      return (await other.query(text, [pid])).rowCount;
    };
    await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
  }

  /** While somebody else locks the slow table. */
  async function whileOtherLocks(work: (other: pg.Client) => Promise<void>): Promise<void> {
    const other = new pg.Client({ connectionString: plain });
    await other.connect();
    try {
      await client.query(`create table ${slow} (mark text)`);
      await other.query('begin');
      await other.query(`lock table ${slow} in access exclusive mode`);
      await work(other);
    } finally {
      await other.end();
    }
  }

  it('hold no more rows in memory than a server takes', async () => {
    await whileOtherLocks(async (other) => {
      const session = new PostgresSession(client, 'begin');
      let made = 0;
      const each = function* () {
        for (const row of LONG) {
          made += 1;
          yield row;
        }
      };
      const copied = session.copy(`${slow} (mark)`, each());
      await locked(other);
      expect(made).toBeLessThan(LONG.length);
      await other.query('rollback');
      await copied;
      await session.commit();
      expect(made).toBe(LONG.length);
      expect((await client.query(`select from ${slow}`)).rowCount).toBe(LONG.length);
    });
  });

  it('end when the session does, in the middle of COPY', async () => {
    client.on('error', () => {});
    await whileOtherLocks(async (other) => {
      const session = new PostgresSession(client, 'begin');
      const failed = failureOf(session.copy(`${slow} (mark)`, LONG).then(() => session.commit()));
      await locked(other);
      await other.query('select pg_terminate_backend($1)', [pid]);
      expect((await failed).message).toMatch(/terminat|reset|EPIPE/i);
    });
  });
});

describe.skipIf(!postgresRuns())('rows that cannot be written', () => {
  let url: string;
  let plain: string;
  let schema: string;
  let store: Store;
  beforeEach(async () => {
    ({ url } = await createTestSchema());
    plain = url.replace(/\?.*/, '');
    schema = new URL(url).searchParams.get('schema')!;
    url = `${url.replace('pool_size=2', 'pool_size=1')}&application_name=${schema}`;
    store = await openStore(optionsIn('/', { connectionString: url }));
    await saveDay(store, '2026-02-01', { x: 1n });
  });
  afterEach(() => store[Symbol.asyncDispose]());

  async function sessions(): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: plain });
    await client.connect();
    try {
      const text = 'select pid from pg_stat_activity where application_name = $1';
      return (await client.query({ text, values: [schema], rowMode: 'array' })).rows.flat();
    } finally {
      await client.end();
    }
  }

  /** The old rows are kept, and the same session writes the next ones. */
  async function goesOn(
    work: () => Promise<void>,
    then: () => Promise<void> = async () => {},
  ): Promise<void> {
    const before = await sessions();
    await work();
    expect(await totalsOf(store)).toEqual({ x: 1n });
    await then();
    await saveDay(store, '2026-02-01', { y: 1n }, 'next');
    expect(await totalsOf(store)).toEqual({ y: 1n });
    expect(await sessions()).toEqual(before);
  }

  it.each([
    ['among few rows', {}],
    ['among many rows', MANY],
  ])('because of a value of more than 64 bits %s cost nothing but themselves', async (_, others) => {
    const sum = BigInt(Object.keys(others).length);
    const rows = { ...others, large: 2n ** 63n, small: -(2n ** 63n), rest: -sum };
    await goesOn(async () => {
      expect(await told(saveDay(store, '2026-02-01', rows, 'large'))).toEqual([
        'CB_STORAGE_REJECTED',
        '9223372036854775808 is more than an integer of 64 bits',
      ]);
    });
  });

  it.each([
    ['first', 1],
    ['last', 30_000],
  ])('because the server refuses the %s of many cost nothing but themselves', async (_, refused) => {
    await administer(
      plain,
      `create sequence ${schema}.asked;
         create function ${schema}.refuse() returns trigger language plpgsql as $$ begin
           if nextval('${schema}.asked') >= ${refused} then raise exception 'no space' using errcode = 'disk_full'; end if;
           return new; end $$;
         create trigger refuse before insert on ${schema}.chargeback_facts
           for each row execute function ${schema}.refuse()`,
    );
    await goesOn(
      async () => {
        const outcome = await told(saveDay(store, '2026-02-01', MANY, 'refused'));
        expect(outcome).toEqual(['CB_STORAGE_WRITE', 'no space']);
      },
      () => administer(plain, `drop trigger refuse on ${schema}.chargeback_facts`),
    );
  });

  it('tell what the server said, whatever was sent behind them', async () => {
    await administer(
      plain,
      `create function ${schema}.refuse() returns trigger language plpgsql as $$ begin
         raise exception 'no space' using errcode = 'disk_full'; end $$;
       create trigger refuse before delete on ${schema}.problems
         for each statement execute function ${schema}.refuse()`,
    );
    await goesOn(
      async () => {
        const outcome = await told(saveDay(store, '2026-02-01', { z: 1n }, 'refused'));
        expect(outcome).toEqual(['CB_STORAGE_WRITE', 'no space']);
      },
      () => administer(plain, `drop trigger refuse on ${schema}.problems`),
    );
  });

  it('tell of the lock that was not given, whatever waits behind it', async () => {
    await using hurried = await openStore(optionsIn('/', { connectionString: `${url}&lock_timeout=200` }));
    await hurried.acquireLease({ holder: 'holder', now: new Date(), seconds: 60 });
    const other = new pg.Client({ connectionString: plain });
    await other.connect();
    try {
      for (const table of ['leases', 'date_states', 'problems', 'billing_lines', 'group_totals']) {
        await other.query('begin');
        await other.query(`lock table ${schema}.${table} in access exclusive mode`);
        expect(await told(saveDay(hurried, '2026-02-01', { [table]: 1n }, table))).toEqual([
          'CB_STORAGE_BUSY',
          'canceling statement due to lock timeout',
        ]);
        await other.query('rollback');
      }
    } finally {
      await other.end();
    }
    expect(await totalsOf(hurried)).toEqual({ x: 1n });
  });
});
