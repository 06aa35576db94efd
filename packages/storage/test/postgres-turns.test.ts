import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createTestSchema, postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { openStore } from '../src/index.ts';
import { saveDay, YEAR } from './days.ts';
import { optionsIn } from './temporary-store.ts';

describe.skipIf(!postgresRuns())('a store in PostgreSQL with fewer sessions than there is work', () => {
  it('lets what is asked for at once wait its turn, for longer than connecting may take', async () => {
    const database = await createTestSchema();
    try {
      const [url = '', parameters] = database.url.split('?');
      const schema = new URLSearchParams(parameters).get('schema');
      const connectionString = `${url}?schema=${schema}&pool_size=1&connect_timeout=1`;
      await using store = await openStore(optionsIn('/', { connectionString }));
      await saveDay(store, '2026-02-01', { ana: 100n });
      const other = new pg.Client({ connectionString: url });
      await other.connect();
      try {
        await other.query(`begin; lock table ${schema}.date_states in access exclusive mode`);
        const asked = Promise.allSettled([store.dateStates(YEAR), store.dateStates(YEAR)]);
        // Longer than connecting may take.
        await setTimeout(1500);
        await other.query('commit');
        const dates = (await asked).map((one) =>
          one.status === 'fulfilled' ? one.value.length : one.reason,
        );
        expect(dates).toEqual([1, 1]);
      } finally {
        await other.end();
      }
    } finally {
      await database.drop();
    }
  });
});
