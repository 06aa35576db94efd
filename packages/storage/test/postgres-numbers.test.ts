import { ChargebackError } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { createTestSchema, postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { type GatheredUsage, openStore, type Store } from '../src/index.ts';
import { saveDay, totalsOf } from './days.ts';
import { optionsIn } from './temporary-store.ts';

describe.skipIf(!postgresRuns())('numbers in PostgreSQL', () => {
  function usage(values: readonly (readonly [identityId: string, value: number])[]): GatheredUsage {
    return {
      date: '2026-02-02',
      queryKey: 'query',
      totals: {
        resourceIds: null,
        identityIds: values.map(([identityId]) => identityId),
        values: values.map(([, value]) => value),
      },
      coverage: { samplesSeen: 1, samplesExpected: 1 },
      outcome: 'complete',
      problems: [],
    };
  }

  async function save(store: Store, values: Parameters<typeof usage>[0]): Promise<void> {
    await store.saveGatheredDay({
      date: '2026-02-02',
      lines: [],
      usage: [usage(values)],
      gatherFingerprint: 'gathering',
      complete: true,
      gatheredAt: new Date(),
    });
  }

  it('come back as they were', async () => {
    const { url } = await createTestSchema();
    await using store = await openStore(optionsIn('/', { connectionString: url }));
    const amounts = {
      a: -(2n ** 63n),
      b: 2n ** 63n - 1n,
      c: 2n ** 53n + 1n,
      d: -(2n ** 53n) - 1n,
      e: 0n,
      f: -1n,
      g: 2n ** 32n,
      h: -(2n ** 32n) - 1n,
    };
    await saveDay(store, '2026-02-01', amounts);
    expect(await totalsOf(store)).toEqual(amounts);

    const { MAX_VALUE, MIN_VALUE } = Number;
    const values = [0, MIN_VALUE, -MIN_VALUE, MAX_VALUE, -MAX_VALUE, Infinity, -Infinity, 2 ** 53 + 2, 0.1]
      .concat([1 / 3, 2.225_073_858_507_201e-308, 1e21, 1e-7])
      .map((value, index) => [`id-${index + 10}`, value] as const);
    await save(store, [...values, ['zero', -0]]);
    const stored = (await store.loadDay('2026-02-02'))!.usage.get('query')!;
    const pairs = stored.identityIds.map((identityId, index) => [identityId, stored.values[index]]);
    // Zero has no sign in a database.
    expect(Object.fromEntries(pairs)).toEqual(Object.fromEntries([...values, ['zero', 0]]));
  });

  it('that add up to none are refused, and the day stays as it was', async () => {
    const { url } = await createTestSchema();
    await using store = await openStore(optionsIn('/', { connectionString: url }));
    await save(store, [['x', 1]]);
    const outcome: unknown = await save(store, [
      ['x', Infinity],
      ['x', -Infinity],
    ]).catch((error: unknown) => error);
    expect(outcome).toSatisfy(ChargebackError.isInstance);
    expect(outcome).toMatchObject({ code: 'CB_STORAGE_REJECTED', message: 'NaN is not a number' });
    expect((await store.loadDay('2026-02-02'))!.usage.get('query')!.values).toEqual([1]);
  });
});
