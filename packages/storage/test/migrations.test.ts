import Connection from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { administer, createTestSchema, postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { openStore, storageStatus } from '../src/index.ts';
import { type Migration, MIGRATIONS } from '../src/migrations.ts';
import { openPostgres } from '../src/postgres/open.ts';
import { parseConnectionString } from '../src/connection-string.ts';
import { openSqlite } from '../src/sqlite/open.ts';
import { saveDay, totalsOf } from './days.ts';
import { optionsIn, temporaryFolder } from './temporary-store.ts';

const OWNER = { ecosystem: 'test-ecosystem', tenantId: 'tenant-1' };
const NAMES = MIGRATIONS.map(({ name }) => name);
const ADDED: Migration = {
  name: '1002-added',
  up: (tables) => tables.create('added', { id: 'key', what: 'text!' }),
};
const BROKEN: Migration = {
  name: '1003-broken',
  up: async (tables) => {
    await tables.create('half_made', { id: 'key' });
    await tables.index('no_such_table__x', ['x']);
  },
};

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

async function place(database: string) {
  const folder = temporaryFolder();
  cleanUps.push(() => folder[Symbol.dispose]());
  const connectionString = database === 'SQLite' ? 'sqlite:///store.db' : (await createTestSchema()).url;
  return optionsIn(folder.path, { connectionString });
}

/** Opens as a program would that knows these migrations. */
async function openKnowing(
  options: ReturnType<typeof optionsIn>,
  known: readonly Migration[],
): Promise<void> {
  const location = parseConnectionString(options.connectionString, options.workingDirectory);
  if (location.dialect === 'sqlite') (await openSqlite(location.path, OWNER, known)).close();
  else await (await openPostgres(location, OWNER, known)).close();
}

/** Runs a statement as no version of the program would. */
async function execute(
  { connectionString, workingDirectory }: ReturnType<typeof optionsIn>,
  statement: (table: (name: string) => string) => string,
): Promise<void> {
  const location = parseConnectionString(connectionString, workingDirectory);
  if (location.dialect === 'sqlite') {
    const connection = new Connection(location.path);
    connection.exec(statement((name) => name));
    connection.close();
    return;
  }
  const [url = '', parameters] = connectionString.split('?');
  const schema = new URLSearchParams(parameters).get('schema');
  await administer(
    url,
    statement((name) => `${schema}.${name}`),
  );
}

describe.each(['SQLite', ...(postgresRuns() ? ['PostgreSQL'] : [])])('migrations on %s', (database) => {
  it('leave the former version working when one of several fails', async () => {
    const options = await place(database);
    {
      await using store = await openStore(options);
      await saveDay(store, '2026-02-01', { x: 1n });
    }
    const error = await openKnowing(options, [...MIGRATIONS, ADDED, BROKEN]).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'CB_STORAGE_MIGRATION' });
    expect((error as Error).message).toContain('1003-broken');
    expect((await storageStatus(options)).executed).toEqual(NAMES);
    {
      await using store = await openStore(options);
      expect(await totalsOf(store)).toEqual({ x: 1n });
    }
    await openKnowing(options, [...MIGRATIONS, ADDED]);
    await expect(openStore(options)).rejects.toMatchObject({ code: 'CB_STORAGE_VERSION' });
    await expect(storageStatus(options)).rejects.toMatchObject({ code: 'CB_STORAGE_VERSION' });
  });

  it('bring a database of any earlier version up to date, which then takes what the newest does', async () => {
    for (let count = 1; count < MIGRATIONS.length; count += 1) {
      const options = await place(database);
      await openKnowing(options, MIGRATIONS.slice(0, count));
      expect((await storageStatus(options)).pending).toEqual(NAMES.slice(count));
      await using store = await openStore(options);
      await saveDay(store, '2026-02-01', { x: 1n });
      expect(await totalsOf(store)).toEqual({ x: 1n });
      expect(await store.pruneOldestDay('2026-02-02')).toBe(true);
      expect((await store.tenantState()).prunedBefore).toBe('2026-02-02');
      expect((await storageStatus(options)).executed).toEqual(NAMES);
    }
  });

  it('end nobody whom an earlier version knew from metrics: it did not say what that rests on', async () => {
    const options = await place(database);
    const before = MIGRATIONS.findIndex(({ name }) => name === '0004-doubted-sightings');
    await openKnowing(options, MIGRATIONS.slice(0, before));
    await execute(
      options,
      (table) => `insert into ${table('identities')}
        (identity_id, identity_type, created_at, observed, last_seen_at, metadata)
        values ('owner', 'person', ${Date.UTC(2026, 0, 5)}, 1, 0, '{}')`,
    );
    await using store = await openStore(options);
    const date = '2026-02-01';
    const answer = (names: readonly string[], corrects: boolean) => ({
      date,
      queryKey: 'q',
      totals: { resourceIds: null, identityIds: names, values: names.map(() => 1) },
      coverage: { samplesSeen: 1, samplesExpected: 1 },
      outcome: 'complete' as const,
      problems: [],
      corrects,
    });
    await store.saveUsage({ date, usage: [answer(['owner'], false)] });
    await store.saveUsage({ date, usage: [answer([], true)] });
    expect(await store.reviewSightings([])).toEqual({ removed: 0, moved: 0 });
    const known = (await store.identities(['owner'])).get('owner');
    expect(known?.createdAt).toEqual(new Date('2026-01-05'));
  });

  it('are run once when several open a new version at once', async () => {
    const options = await place(database);
    await openKnowing(options, MIGRATIONS);
    const known = [...MIGRATIONS, ADDED];
    await Promise.all(Array.from({ length: 6 }, () => openKnowing(options, known)));
    await expect(openKnowing(options, known)).resolves.toBeUndefined();
  });

  it('are pending before the first opening, which a look does not do', async () => {
    const options = await place(database);
    const status = await storageStatus(options);
    expect([status.executed, status.pending, status.owner]).toEqual([[], NAMES, null]);
    expect((await storageStatus(options)).executed).toEqual([]);
    await (await openStore(options))[Symbol.asyncDispose]();
    const after = await storageStatus(options);
    expect([after.executed, after.pending, after.owner]).toEqual([NAMES, [], OWNER]);
  });
});
