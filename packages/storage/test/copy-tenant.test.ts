import Connection from 'better-sqlite3';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { administer, createTestSchema, postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { COPIED_TABLES } from '../src/copy/tables.ts';
import { copyTenant, openStore, type Store } from '../src/index.ts';
import { saveDay, totalsOf, YEAR } from './days.ts';
import { optionsIn, temporaryFolder } from './temporary-store.ts';

function copy(from: string, to: string, folder: string, tenantId = 'tenant-1') {
  const signal = new AbortController().signal;
  return copyTenant({ from, to, tenantId, workingDirectory: folder, signal, onProgress: () => {} });
}

async function fill(store: Store): Promise<void> {
  await saveDay(store, '2026-02-01', { x: 2n ** 62n, y: 2n ** 61n, 'tab\tback\\slash\nline': -5n });
  await saveDay(store, '2026-03-01', { x: 7n, 'é😀': 11n }, 'calculation-1');
  await saveDay(store, '2026-03-01', { x: 8n, 'é😀': 11n }, 'calculation-2');
  await store.saveGatheredDay({
    date: '2026-04-01',
    lines: [],
    usage: [
      {
        date: '2026-04-01',
        queryKey: 'bytes',
        totals: { resourceIds: ['r', 'r'], identityIds: ['x', 'y'], values: [1e300, 0.1 + 0.2] },
        coverage: { samplesSeen: 1, samplesExpected: 2 },
        outcome: 'partial',
        problems: [],
      },
    ],
    gatherFingerprint: 'g',
    complete: false,
    gatheredAt: new Date(5),
  });
  await store.startRun('run', new Date(1));
  await store.saveTenantState({ gatherFailures: 2 });
}

describe.skipIf(!postgresRuns())('a tenant that is copied', () => {
  it('is the same in PostgreSQL and back in SQLite, and goes on from there', async () => {
    using folder = temporaryFolder();
    const { url } = await createTestSchema();
    {
      await using store = await openStore(optionsIn(folder.path));
      await fill(store);
    }
    const there = await copy('sqlite:///store.db', url, folder.path);
    expect([there.days, there.rowsByTable.get('chargeback_facts')]).toEqual([3, 5]);
    const back = await copy(url, 'sqlite:///back.db', folder.path);
    expect([...back.rowsByTable]).toEqual([...there.rowsByTable]);
    const results: unknown[] = [];
    for (const connectionString of ['sqlite:///back.db', url]) {
      await using store = await openStore(optionsIn(folder.path, { connectionString }));
      await saveDay(store, '2026-05-01', { x: 1n, brandNew: 2n });
      results.push([await totalsOf(store), (await store.revisions(YEAR)).length]);
    }
    expect(results[0]).toEqual(results[1]);
    expect(results[0]).toEqual([
      { x: 2n ** 62n + 9n, y: 2n ** 61n, 'tab\tback\\slash\nline': -5n, 'é😀': 11n, brandNew: 2n },
      1,
    ]);
  });

  it('leaves nothing behind when the copy breaks off, and can be copied again', async () => {
    using folder = temporaryFolder();
    const { url } = await createTestSchema();
    {
      await using store = await openStore(optionsIn(folder.path));
      await fill(store);
    }
    const file = new Connection(join(folder.path, 'store.db'));
    // PostgreSQL cannot store this character.
    file.exec(`update date_revisions set reason = 'a' || char(0) || 'b'`);
    file.close();
    await expect(copy('sqlite:///store.db', url, folder.path)).rejects.toMatchObject({
      code: 'CB_STORAGE_REJECTED',
    });
    {
      await using store = await openStore(optionsIn(folder.path, { connectionString: url }));
      expect(await store.dateStates(YEAR)).toEqual([]);
    }
    const mended = new Connection(join(folder.path, 'store.db'));
    mended.exec(`update date_revisions set reason = ''`);
    mended.close();
    expect((await copy('sqlite:///store.db', url, folder.path)).days).toBe(3);
  });

  it('stops when it is told to, in the middle of a table', async () => {
    using folder = temporaryFolder();
    const { url } = await createTestSchema();
    const rows = Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`id-${index}`, 1n]));
    {
      await using store = await openStore(optionsIn(folder.path));
      await saveDay(store, '2026-02-01', rows);
    }
    const abort = new AbortController();
    let copied = 0;
    const work = copyTenant({
      from: 'sqlite:///store.db',
      to: url,
      tenantId: 'tenant-1',
      workingDirectory: folder.path,
      signal: abort.signal,
      onProgress: (table, count) => {
        if (table !== 'chargeback_facts') return;
        // As a signal of the system comes: not before the program lets go of the processor.
        if (copied === 0) setImmediate(() => abort.abort(new Error('told to stop')));
        copied = count;
      },
    });
    await expect(work).rejects.toThrow('told to stop');
    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThan(60_000);
  });

  it('is refused for another tenant, into itself, from nothing and into what is not empty', async () => {
    using folder = temporaryFolder();
    const { url } = await createTestSchema();
    {
      await using store = await openStore(optionsIn(folder.path));
      await fill(store);
      await using other = await openStore(optionsIn(folder.path, { connectionString: url }));
      await saveDay(other, '2026-02-01', { z: 1n });
    }
    const codes = await Promise.all(
      [
        copy('sqlite:///store.db', url, folder.path, 'tenant-2'),
        copy('sqlite:///store.db', 'sqlite:///./store.db', folder.path),
        copy('sqlite:///nothing.db', url, folder.path),
        copy('sqlite:///store.db', url, folder.path),
      ].map((work) => work.then(String, (error: { code: string }) => error.code)),
    );
    expect(codes).toEqual(['CB_STORAGE_OWNER', ...Array<string>(3).fill('CB_STORAGE_COPY')]);
    await using store = await openStore(optionsIn(folder.path, { connectionString: url }));
    expect(await totalsOf(store)).toEqual({ z: 1n });
  });

  it('is not said to be the same when it is not', async () => {
    using folder = temporaryFolder();
    const { url } = await createTestSchema();
    {
      await using store = await openStore(optionsIn(folder.path));
      await fill(store);
      await using made = await openStore(optionsIn(folder.path, { connectionString: url }));
      await made.runs(1);
    }
    const plain = url.replace(/\?.*/, '');
    const schema = new URL(url).searchParams.get('schema');
    await administer(
      plain,
      `create function "${schema}".spoil() returns trigger language plpgsql as
         $$ begin if new.amount = 8 then new.amount = 9; end if; return new; end $$;
       create trigger spoil before insert on "${schema}".chargeback_facts
         for each row execute function "${schema}".spoil()`,
    );
    const error = await copy('sqlite:///store.db', url, folder.path).catch((cause: Error) => cause);
    expect(error).toMatchObject({ code: 'CB_STORAGE_COPY' });
    expect((error as Error).message).toContain('2026-03-01: rows');
  });
});

describe('the tables that are copied', () => {
  it('are all there are, but for the lease of a process', async () => {
    using folder = temporaryFolder();
    await (await openStore(optionsIn(folder.path)))[Symbol.asyncDispose]();
    const file = new Connection(join(folder.path, 'store.db'));
    const tables = file.prepare(`select name from sqlite_schema where type = 'table'`).pluck().all();
    file.close();
    const others = ['leases', 'kysely_migration'];
    expect(tables.toSorted()).toEqual([...COPIED_TABLES, ...others].toSorted());
  });
});
