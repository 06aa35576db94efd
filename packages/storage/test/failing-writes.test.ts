import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Connection from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openStore, type Store } from '../src/index.ts';
import { saveDay, totalsOf, YEAR } from './days.ts';
import { optionsIn, temporaryFolder } from './temporary-store.ts';

const SCRIPT = join(import.meta.dirname, 'store-process.ts');
const NODE = [process.execPath, '--conditions=@chargeback/source', SCRIPT];

function linesOf(child: ChildProcess) {
  return createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
}

/** What a day that is not half-written looks like: one whole result, whose rows add up. */
const WHOLE = { rows: 5000, ofOneResult: true, differences: [0n] };

async function resultIn(store: Store): Promise<typeof WHOLE> {
  const [state] = await store.dateStates(YEAR);
  const totals = Object.values(await totalsOf(store));
  return {
    rows: totals.length,
    ofOneResult: totals.every((units) => units === BigInt(state?.calculationId ?? 0)),
    differences: (await store.reconcile(YEAR, 'line')).map(({ difference }) => difference),
  };
}

describe('a store whose writing ends in the middle', () => {
  it.each([3, 8, 14, 21, 30])(
    'has the old rows or the new ones when the process is killed (%i ms)',
    async (wait) => {
      using folder = temporaryFolder();
      const [command, ...parameters] = NODE;
      const child = spawn(command!, [...parameters, folder.path, 'rewrite'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const lines = linesOf(child);
      await lines.next();
      await lines.next();
      // The moment of the kill is what varies, so that it falls into different parts of a write.
      await new Promise((resolve) => {
        setTimeout(resolve, wait);
      });
      child.kill('SIGKILL');
      await once(child, 'exit');
      await using store = await openStore(optionsIn(folder.path));
      expect(await resultIn(store)).toEqual(WHOLE);
    },
    60_000,
  );

  it.skipIf(process.platform === 'win32')(
    'keeps the old rows when there is no space left',
    async () => {
      using folder = temporaryFolder();
      // The limit is in blocks of 1024 bytes and makes writing fail as a full disk does.
      const child = spawn('bash', ['-c', `ulimit -f 4000; exec "$@"`, 'bash', ...NODE, folder.path, 'grow'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const lines = linesOf(child);
      const said: string[] = [];
      for (let next = await lines.next(); !next.done; next = await lines.next()) said.push(next.value);
      expect(said[0]).toBe('saved');
      expect(said.at(-1)).toBe('CB_STORAGE_WRITE');
      await using store = await openStore(optionsIn(folder.path));
      expect(await resultIn(store)).toEqual(WHOLE);
    },
    60_000,
  );

  it('says that another process holds the database, and writes when it lets go', async () => {
    using folder = temporaryFolder();
    await using store = await openStore(optionsIn(folder.path));
    const other = new Connection(join(folder.path, 'store.db'));
    other.exec('begin immediate');
    await expect(saveDay(store, '2026-02-01', { x: 1n })).rejects.toMatchObject({ code: 'CB_STORAGE_BUSY' });
    expect(await store.dateStates(YEAR)).toEqual([]);
    other.exec('rollback');
    other.close();
    await saveDay(store, '2026-02-01', { x: 1n });
    expect(await totalsOf(store)).toEqual({ x: 1n });
  }, 60_000);

  it('opens for reading while another process writes', async () => {
    using folder = temporaryFolder();
    await (await openStore(optionsIn(folder.path)))[Symbol.asyncDispose]();
    const other = new Connection(join(folder.path, 'store.db'));
    other.exec('begin immediate');
    await using store = await openStore(optionsIn(folder.path));
    expect(await store.dateStates(YEAR)).toEqual([]);
    other.exec('rollback');
    other.close();
  });
});
