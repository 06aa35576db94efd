import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { administer, createTestDatabase, postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { openStore } from '../src/index.ts';
import { optionsIn } from './temporary-store.ts';

const NOW = new Date('2026-02-03T00:00:00Z');

const EMISSION = {
  emitter: 'csv',
  period: '2026-02-01',
  aggregation: null,
  batchId: 'batch',
  mark: null,
  others: [],
  status: 'emitted',
  attempts: 1,
  emittedAt: NOW,
} as const;

describe.skipIf(!postgresRuns())('a database with another default isolation', () => {
  it.each(['repeatable read', 'serializable'])(
    '(%s) takes an emission while the lease is being renewed',
    async (isolation) => {
      const { url, drop } = await createTestDatabase();
      try {
        const name = new URL(url).pathname.slice(1);
        await administer(url, `alter database ${name} set default_transaction_isolation to '${isolation}'`);
        await using store = await openStore(optionsIn('/', { connectionString: url }));
        await store.acquireLease({ holder: 'me', now: NOW, seconds: 600 });
        const other = new pg.Client({ connectionString: url });
        await other.connect();
        try {
          await other.query('begin; update leases set expires_at = expires_at + 1');
          const saved = store.saveEmission(EMISSION);
          saved.catch(() => {});
          const waiting = async () => {
            // Within a transaction it is what it was at first.
            await other.query('select pg_stat_clear_snapshot()');
            const text = `select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`;
            return (await other.query(text, [name])).rowCount;
          };
          await expect.poll(waiting, { timeout: 20_000 }).toBe(1);
          await other.query('commit');
          await saved;
        } finally {
          await other.end();
        }
        expect(await store.emissions('csv')).toEqual([EMISSION]);
      } finally {
        await drop();
      }
    },
  );
});
