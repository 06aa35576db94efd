import { ChargebackError } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { createTestSchema, postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { type EmissionRecord, openStore } from '../src/index.ts';
import { saveDay, totalsOf, YEAR } from './days.ts';
import { optionsIn } from './temporary-store.ts';

const TEXTS = [
  `it's "quoted", doubly ''so''`,
  String.raw`C:\new\tables\'`,
  `'; drop table emissions; --`,
  '$1 $2 $10 $$ $& \\1 {a,b} null',
  'line one;\ncommit;\r\n\tline two',
  '',
  'Ünïcode ✓ 😀 \u2028',
];

function emission(mark: string, emitter = 'csv'): EmissionRecord {
  return {
    emitter,
    period: '2026-02-01',
    aggregation: 'daily',
    batchId: mark,
    mark,
    others: [],
    status: 'emitted',
    attempts: 0,
    emittedAt: new Date('2026-02-02'),
  };
}

describe.skipIf(!postgresRuns())('a text in PostgreSQL', () => {
  it('comes back as it was, whatever is in it', async () => {
    const { url } = await createTestSchema();
    await using store = await openStore(optionsIn('/', { connectionString: url }));
    for (const holder of TEXTS) {
      await store.acquireLease({ holder, now: new Date(), seconds: 60 });
      await store.renewLease(new Date());
      expect((await store.lease())?.holder).toBe(holder);
      await store.saveEmission(emission(holder, holder));
      expect(await store.emissions(holder)).toEqual([emission(holder, holder)]);
      await saveDay(store, '2026-02-01', { x: 1n }, holder);
      expect((await store.dateStates(YEAR)).map(({ calculationId }) => calculationId)).toEqual([holder]);
      await store.releaseLease(holder);
    }
    expect(await totalsOf(store)).toEqual({ x: 1n });
  });

  it('is refused with a character that ends a statement, and nothing is written', async () => {
    const { url } = await createTestSchema();
    await using store = await openStore(optionsIn('/', { connectionString: url }));
    await store.saveEmission(emission('before'));
    await saveDay(store, '2026-02-01', { x: 1n });
    for (const write of [
      store.saveEmission(emission('before\0after')),
      saveDay(store, '2026-02-01', { x: 2n }, 'before\0after'),
    ]) {
      const error: unknown = await write.catch((cause: unknown) => cause);
      expect(ChargebackError.isInstance(error) ? error.code : error).toBe('CB_STORAGE_REJECTED');
    }
    expect(await store.emissions('csv')).toEqual([emission('before')]);
    expect(await totalsOf(store)).toEqual({ x: 1n });
  });
});
