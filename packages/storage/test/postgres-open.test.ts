import { randomUUID } from 'node:crypto';
import { ChargebackError } from '@chargeback/plugin-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  administer,
  createTestDatabase,
  postgresRuns,
  type TestDatabase,
} from '../../testkit/test/postgres/test-database.ts';
import { describeLocation, openStore, parseConnectionString, storageStatus } from '../src/index.ts';
import { saveDay, totalsOf, YEAR } from './days.ts';
import { optionsIn } from './temporary-store.ts';

const SECRET = 'hunter2';

function locationOf(text: string) {
  const location = parseConnectionString(text, '/work');
  if (location.dialect !== 'postgres') throw new Error('not PostgreSQL');
  return location;
}

describe('a connection string of PostgreSQL', () => {
  it.each([
    [
      'postgresql://u:p%40%3A%2F%25@h:5433/db',
      { user: 'u', password: 'p@:/%', host: 'h', port: 5433, database: 'db' },
    ],
    ['postgres://u:p@ss:w/rd@h/db', { user: 'u', password: 'p@ss:w/rd', host: 'h', port: 5432 }],
    ['postgresql+psycopg2://u@h/d%20b', { user: 'u', password: undefined, database: 'd b' }],
    ['postgresql:///db?host=/var/run/postgresql&user=me', { host: '/var/run/postgresql', user: 'me' }],
    ['postgresql://u@%2Ftmp/db', { host: '/tmp' }],
    ['postgresql://[::1]:6/db', { host: '::1', port: 6 }],
    [
      'postgresql://h/db?statement_timeout=2min&lock_timeout=250&connect_timeout=3',
      { statementTimeout: 120_000, lockTimeout: 250, connectTimeout: 3000 },
    ],
    [
      'postgresql://h/db?sslmode=verify-full&sslrootcert=ca.pem',
      { tls: 'verify-full', rootCertificate: '/work/ca.pem' },
    ],
    [
      'postgresql://h/db?schema=t%C3%A9st&pool_size=9&application_name=a+b',
      { schema: 'tést', poolSize: 9, applicationName: 'a+b' },
    ],
  ])('%s is understood', (text, expected) => {
    expect(locationOf(text)).toMatchObject(expected);
  });

  it.each([
    `postgresql://u:${SECRET}@h`,
    `postgresql://u:${SECRET}%@h/db`,
    `postgresql://u:${SECRET}?x@h/db`,
    `postgresql://u:${SECRET}#x@h/db`,
    `postgresql://u:${SECRET}@h:port/db`,
    `postgresql://u:${SECRET}@h:70000/db`,
    `postgresql://u:${SECRET}@h,i/db`,
    `postgresql://u:${SECRET}@h/db?sslmode=prefer`,
    `postgresql://u:${SECRET}@h/db?sslrootcert=ca.pem`,
    `postgresql://u:${SECRET}@h/db?sslmode=require&sslcert=c.pem`,
    `postgresql://u@h/db?${SECRET}=1`,
    `postgresql://u:${SECRET}@h/db?lock_timeout=soon`,
    `postgresql://u:${SECRET}@h/db?pool_size=0`,
    `postgresql://u:${SECRET}@h/db?port=1&port=2`,
  ])('%s is refused without repeating a secret', (text) => {
    let error: unknown;
    try {
      locationOf(text);
    } catch (cause) {
      error = cause;
    }
    expect(error).toMatchObject({ code: 'CB_STORAGE_CONNECTION' });
    expect(`${(error as ChargebackError).message} ${(error as ChargebackError).fix}`).not.toContain(SECRET);
  });

  it('is described without user and password', () => {
    expect(describeLocation(locationOf(`postgresql://user:${SECRET}@[::1]/db?schema=s`))).toBe(
      'PostgreSQL database db on [::1]:5432, schema s',
    );
  });
});

describe.skipIf(!postgresRuns())('opening a PostgreSQL database', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  const open = (url: string) => openStore(optionsIn('/', { connectionString: url }));

  async function errorOf(url: string): Promise<{ code: string; text: string }> {
    const error = await open(url).then(
      async (store) => {
        await store[Symbol.asyncDispose]();
        return new Error('it was opened');
      },
      (cause: unknown) => cause,
    );
    if (!ChargebackError.isInstance(error)) throw error;
    return { code: error.code, text: `${error.message} ${error.fix} ${error.path}` };
  }

  it('takes a password with every character that means something in a connection string', async () => {
    const user = `u_${randomUUID().slice(0, 8)}`;
    const password = `p@:/%?#&= '"\\é`;
    await administer(
      database.url,
      `create role ${user} login password '${password.replaceAll("'", "''")}';
       create schema "${user}" authorization ${user}`,
    );
    const url = new URL(database.url);
    const place = `${url.host}${url.pathname}?schema=${user}`;
    await using store = await open(`postgresql://${user}:${encodeURIComponent(password)}@${place}`);
    await saveDay(store, '2026-02-01', { x: 1n });
    expect(await totalsOf(store)).toEqual({ x: 1n });
  });

  it.each([
    ['a wrong password', (url: URL) => (url.password = SECRET), 'CB_STORAGE_OPEN'],
    ['a wrong user', (url: URL) => (url.username = 'nobody-at-all'), 'CB_STORAGE_OPEN'],
    ['a database that is not there', (url: URL) => (url.pathname = '/nowhere'), 'CB_STORAGE_OPEN'],
    ['TLS where the server has none', (url: URL) => (url.search = '?sslmode=require'), 'CB_STORAGE_OPEN'],
    ['a port where nobody listens', (url: URL) => (url.port = '1'), 'CB_STORAGE_UNREACHABLE'],
    ['a socket that is not there', (url: URL) => (url.search = '?host=/nowhere'), 'CB_STORAGE_UNREACHABLE'],
    ['a host that is not there', (url: URL) => (url.host = 'nowhere.invalid'), 'CB_STORAGE_UNREACHABLE'],
  ])('tells %s, without the password', async (_, change, expected) => {
    const url = new URL(database.url);
    change(url);
    const { code, text } = await errorOf(url.href);
    expect(code).toBe(expected);
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(new URL(database.url).password);
  });

  it('refuses what belongs to another program, and leaves it', async () => {
    await using other = await createTestDatabaseWith('create table billing (id integer)');
    expect((await errorOf(other.url)).code).toBe('CB_STORAGE_OPEN');
    expect(
      (await storageStatus({ connectionString: `${other.url}?schema=beside`, workingDirectory: '/' }))
        .executed,
    ).toEqual([]);
    await (await open(`${other.url}?schema=beside`))[Symbol.asyncDispose]();
  });

  it('lets a role that may only read look, and tells what it may not', async () => {
    await using own = await createTestDatabaseWith(`select 1`);
    {
      await using store = await open(own.url);
      await saveDay(store, '2026-02-01', { x: 5n });
    }
    const user = `r_${randomUUID().slice(0, 8)}`;
    await administer(
      own.url,
      `create role ${user} login password 'p'; grant select on all tables in schema public to ${user}`,
    );
    const url = new URL(own.url);
    await using store = await open(`postgresql://${user}:p@${url.host}${url.pathname}`);
    expect(await totalsOf(store)).toEqual({ x: 5n });
    expect((await store.reconcile(YEAR, 'month')).length).toBe(1);
    const error = await saveDay(store, '2026-02-02', { x: 1n }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'CB_STORAGE_WRITE' });
    expect((error as ChargebackError).fix).toContain('grant');
    expect((await errorOf(`postgresql://${user}:p@${url.host}${url.pathname}?schema=new`)).code).toBe(
      'CB_STORAGE_WRITE',
    );
  });

  it('refuses another tenant', async () => {
    await using own = await createTestDatabaseWith(`select 1`);
    await (await open(own.url))[Symbol.asyncDispose]();
    await expect(
      openStore(optionsIn('/', { connectionString: own.url, tenantId: 'tenant-2' })),
    ).rejects.toMatchObject({ code: 'CB_STORAGE_OWNER' });
  });

  it('works for several processes that start at once', async () => {
    await using own = await createTestDatabaseWith(`select 1`);
    const stores = await Promise.all(Array.from({ length: 8 }, () => open(own.url)));
    await Promise.all(
      stores.map((store, index) => saveDay(store, `2026-02-0${index + 1}`, { x: 1n, [`own-${index}`]: 2n })),
    );
    expect((await totalsOf(stores[0]!))['x']).toBe(8n);
    for (const store of stores) await store[Symbol.asyncDispose]();
  });
});

async function createTestDatabaseWith(statement: string): Promise<TestDatabase & AsyncDisposable> {
  const made = await createTestDatabase();
  await administer(made.url, statement);
  return { ...made, [Symbol.asyncDispose]: () => made.drop() };
}
