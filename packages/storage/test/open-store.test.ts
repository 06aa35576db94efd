import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ChargebackError, type ErrorCode } from '@chargeback/plugin-api';
import Connection from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openStore, type OpenStoreOptions } from '../src/index.ts';
import { optionsIn, temporaryFolder } from './temporary-store.ts';

const FEBRUARY = { start: new Date('2026-02-01'), end: new Date('2026-03-01') };

async function errorOf(options: OpenStoreOptions): Promise<{ code: ErrorCode; message: string }> {
  try {
    await using store = await openStore(options);
    await store.runs(1);
  } catch (error) {
    if (ChargebackError.isInstance(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('the store was opened');
}

async function openAndClose(options: OpenStoreOptions): Promise<void> {
  await (await openStore(options))[Symbol.asyncDispose]();
}

describe('the connection string of a store', () => {
  it('names a file relative to the working directory, or absolutely', async () => {
    using folder = temporaryFolder();
    await openAndClose(optionsIn(folder.path, { connectionString: 'sqlite:///here.db' }));
    const absolute = join(folder.path, 'there.db');
    await openAndClose(optionsIn('/', { connectionString: `sqlite:///${absolute}` }));
    expect(absolute.startsWith('/')).toBe(true);
    expect([existsSync(join(folder.path, 'here.db')), existsSync(absolute)]).toEqual([true, true]);
  });

  it.each([
    'sqlite://',
    'sqlite:///',
    'sqlite:///:memory:',
    'sqlite:///folder/',
    'sqlite:///a.db?mode=ro',
    'sqlite:a.db',
    'a.db',
    '',
    'mysql://user:hunter2@host/db',
    'postgresql:user:hunter2@host/db',
    'postgresql://user:hunter2@host',
  ])('%s is refused without repeating a secret', async (connectionString) => {
    using folder = temporaryFolder();
    const { code, message } = await errorOf(optionsIn(folder.path, { connectionString }));
    expect(code).toBe('CB_STORAGE_CONNECTION');
    expect(message).not.toContain('hunter2');
  });
});

describe('the file of a store', () => {
  it('gets its directory on first use, but only that one level', async () => {
    using folder = temporaryFolder();
    await openAndClose(optionsIn(folder.path, { connectionString: 'sqlite:///data/chargeback.db' }));
    expect(existsSync(join(folder.path, 'data/chargeback.db'))).toBe(true);
    const { code, message } = await errorOf(
      optionsIn(folder.path, { connectionString: 'sqlite:///no/such/chargeback.db' }),
    );
    expect(code).toBe('CB_STORAGE_OPEN');
    expect(message).toContain(join(folder.path, 'no/such'));
    expect(existsSync(join(folder.path, 'no'))).toBe(false);
  });

  it('is written ahead and checked by the database itself', async () => {
    using folder = temporaryFolder();
    await openAndClose(optionsIn(folder.path));
    const database = new Connection(join(folder.path, 'store.db'), { readonly: true });
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    const tables = database
      .prepare("select name, strict from pragma_table_list where type = 'table' and name not like 'sqlite_%'")
      .all() as { name: string; strict: number }[];
    database.close();
    const loose = tables.filter(({ strict }) => strict === 0).map(({ name }) => name);
    expect(loose.filter((name) => !name.startsWith('kysely_'))).toEqual([]);
  });

  it('is refused, and left as it is, when it is not a database', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'store.db');
    writeFileSync(path, 'not a database, '.repeat(100));
    const { code, message } = await errorOf(optionsIn(folder.path));
    expect([code, message.includes(path)]).toEqual(['CB_STORAGE_OPEN', true]);
    expect(readFileSync(path, 'utf8')).toBe('not a database, '.repeat(100));
  });

  it('is refused, and left as it is, when it is the database of another program', async () => {
    using folder = temporaryFolder();
    const other = new Connection(join(folder.path, 'store.db'));
    other.exec('create table billing (id integer)');
    other.close();
    const before = readFileSync(join(folder.path, 'store.db'));
    const { code, message } = await errorOf(optionsIn(folder.path));
    expect([code, message.includes('another program')]).toEqual(['CB_STORAGE_OPEN', true]);
    expect(readFileSync(join(folder.path, 'store.db'))).toEqual(before);
  });

  it('is refused when a directory has its name', async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, 'store.db'));
    expect((await errorOf(optionsIn(folder.path))).code).toBe('CB_STORAGE_OPEN');
  });

  it.each(['store.db', ''])('is refused when %s/ cannot be written', async (what) => {
    using folder = temporaryFolder();
    await openAndClose(optionsIn(folder.path));
    const path = join(folder.path, what);
    chmodSync(folder.path, 0o755);
    chmodSync(join(folder.path, 'store.db'), 0o644);
    if (process.getuid?.() === 0) {
      // Root may write anything: become somebody else for a moment, to whom all of it is read-only.
      process.seteuid?.(65_534);
    } else {
      chmodSync(path, 0o555);
    }
    try {
      expect((await errorOf(optionsIn(folder.path))).code).toBe('CB_STORAGE_OPEN');
    } finally {
      if (process.getuid?.() === 0) process.seteuid?.(0);
      else chmodSync(path, 0o755);
    }
  });
});

describe('the owner of a store', () => {
  it('is who opened it first; nobody else may, and both are named', async () => {
    using folder = temporaryFolder();
    await openAndClose(optionsIn(folder.path));
    for (const other of [{ tenantId: 'tenant-2' }, { ecosystem: 'other-ecosystem' }]) {
      const { code, message } = await errorOf(optionsIn(folder.path, other));
      expect(code).toBe('CB_STORAGE_OWNER');
      for (const name of ['tenant-1', 'test-ecosystem', ...Object.values(other)])
        expect(message).toContain(name);
    }
    await openAndClose(optionsIn(folder.path));
  });
});

describe('the version of a store', () => {
  it('is refused when it is newer than this program', async () => {
    using folder = temporaryFolder();
    await openAndClose(optionsIn(folder.path));
    const database = new Connection(join(folder.path, 'store.db'));
    database
      .prepare("insert into kysely_migration values ('9999-from-the-future', '2099-01-01T00:00:00.000Z')")
      .run();
    database.close();
    const { code, message } = await errorOf(optionsIn(folder.path));
    expect([code, message.includes('9999-from-the-future')]).toEqual(['CB_STORAGE_VERSION', true]);
  });
});

describe('stores that start at once', () => {
  it('all open one new file within a process', async () => {
    using folder = temporaryFolder();
    const stores = await Promise.all(Array.from({ length: 5 }, () => openStore(optionsIn(folder.path))));
    await stores[0]!.startRun('run', new Date());
    expect((await stores[4]!.runs(1))[0]?.runId).toBe('run');
    for (const store of stores) await store[Symbol.asyncDispose]();
  });

  it('all open one new file from several processes', async () => {
    using folder = temporaryFolder();
    const script = join(import.meta.dirname, 'store-process.ts');
    const started = ['a', 'b', 'c'].map((name) =>
      promisify(execFile)(process.execPath, [
        '--conditions=@chargeback/source',
        script,
        folder.path,
        'record-run',
        name,
      ]),
    );
    await Promise.all(started);
    await using store = await openStore(optionsIn(folder.path));
    expect((await store.runs(10)).map(({ runId }) => runId).toSorted()).toEqual(['a', 'b', 'c']);
    expect((await store.loadInventory(FEBRUARY)).identities.size).toBe(1);
  }, 60_000);

  it('see what the other wrote, its names and dimensions too', async () => {
    using folder = temporaryFolder();
    await using first = await openStore(optionsIn(folder.path));
    await using second = await openStore(optionsIn(folder.path));
    const { saveDay, totalsOf } = await import('./days.ts');
    await saveDay(first, '2026-02-01', { x: 1n });
    await saveDay(second, '2026-02-02', { y: 2n, x: 3n });
    await saveDay(first, '2026-02-03', { y: 5n, z: 7n });
    await saveDay(second, '2026-02-04', { z: 11n, y: 13n });
    expect(await totalsOf(first)).toEqual({ x: 4n, y: 20n, z: 18n });
    expect(await totalsOf(second)).toEqual({ x: 4n, y: 20n, z: 18n });
  });
});
