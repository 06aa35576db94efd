import { join } from 'node:path';
import Connection from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openStore } from '../src/index.ts';
import { saveDay, YEAR } from './days.ts';
import { optionsIn, temporaryFolder } from './temporary-store.ts';

describe('reconciliation of a database that was tampered with', () => {
  it.each([
    ['a row is changed', 'update chargeback_facts set amount = amount + 3 where amount = 40', -3n],
    ['a row is removed', 'delete from chargeback_facts where amount = 60', 60n],
    ['all rows are removed', 'delete from chargeback_facts', 100n],
    ['a line is changed', 'update billing_lines set total_units = 101', 1n],
    ['a line is removed', 'delete from billing_lines', -100n],
    ['retained cost is changed', 'update calculated_lines set retained_units = 7', -7n],
  ])('shows the difference when %s', async (_, statement, difference) => {
    using folder = temporaryFolder();
    await using store = await openStore(optionsIn(folder.path));
    await saveDay(store, '2026-02-01', { x: 60n, y: 40n });
    const other = new Connection(join(folder.path, 'store.db'));
    other.exec(statement);
    other.close();
    for (const grouping of ['line', 'day', 'month'] as const) {
      expect((await store.reconcile(YEAR, grouping)).map((row) => row.difference)).toEqual([difference]);
    }
  });
});
