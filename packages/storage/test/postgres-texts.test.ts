import { Decimal } from '@chargeback/money';
import { type BillingLineItem, ChargebackError, startOfDay } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { createTestSchema, postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { type EmissionRecord, openStore, type Store } from '../src/index.ts';
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

/** Lines of a day with each of the texts wherever there may be one, and nothing wherever there may be nothing. */
function linesWith(texts: readonly string[]): BillingLineItem[] {
  return texts.map((text, index) => ({
    lineId: text,
    timestamp: startOfDay('2026-02-03'),
    granularity: 'daily',
    resourceId: index % 2 === 0 ? text : null,
    environmentId: index % 2 === 1 ? text : null,
    productCategory: text,
    productType: text,
    quantity: new Decimal('0.000000000000000000000000000001'),
    unitPrice: new Decimal('12345678901234567890.5'),
    totalCost: { units: index % 2 === 0 ? 2n ** 63n - 1n : -(2n ** 63n), currency: text },
    coverage: index % 2 === 0 ? { samplesSeen: 0, samplesExpected: 24 } : null,
    ...(index % 2 === 0 ? { definition: text } : {}),
    metadata: { [text]: text },
  }));
}

function saveLines(store: Store, lines: readonly BillingLineItem[]): Promise<unknown> {
  return store.saveGatheredDay({
    date: '2026-02-03',
    lines,
    usage: [],
    gatherFingerprint: 'gathering',
    complete: true,
    gatheredAt: new Date(),
  });
}

function byId(lines: readonly BillingLineItem[]): ReadonlyMap<string, BillingLineItem> {
  return new Map(lines.map((line) => [line.lineId, line]));
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

  it('comes back in every line of a bill, with nothing where there was nothing', async () => {
    const { url } = await createTestSchema();
    await using store = await openStore(optionsIn('/', { connectionString: url }));
    const lines = linesWith([
      ...TEXTS,
      'null',
      'NULL',
      '{}',
      '""',
      'a,b',
      ' ',
      String.raw`\\N`,
      String.raw`\.`,
    ]);
    await saveLines(store, lines);
    expect(byId((await store.loadDay('2026-02-03'))!.lines)).toEqual(byId(lines));
    // Others, some of which were there.
    const next = [...lines.slice(3), ...linesWith(['new'])];
    await saveLines(store, next);
    expect(byId((await store.loadDay('2026-02-03'))!.lines)).toEqual(byId(next));
    await saveLines(store, []);
    expect((await store.loadDay('2026-02-03'))!.lines).toEqual([]);
  });

  it('is refused in a line of a bill with a character that ends a statement, and the bill stays', async () => {
    const { url } = await createTestSchema();
    await using store = await openStore(optionsIn('/', { connectionString: url }));
    const lines = linesWith(TEXTS);
    await saveLines(store, lines);
    for (const part of ['lineId', 'resourceId', 'productType', 'definition'] as const) {
      const broken = { ...lines[0]!, lineId: 'broken', [part]: 'before\0after' };
      const error: unknown = await saveLines(store, [...lines, broken]).catch((cause: unknown) => cause);
      expect(ChargebackError.isInstance(error) ? error.code : error).toBe('CB_STORAGE_REJECTED');
    }
    const large = { ...lines[0]!, lineId: 'large', totalCost: { units: 2n ** 63n, currency: 'USD' } };
    const error: unknown = await saveLines(store, [...lines, large]).catch((cause: unknown) => cause);
    expect(ChargebackError.isInstance(error) ? error.code : error).toBe('CB_STORAGE_REJECTED');
    expect(byId((await store.loadDay('2026-02-03'))!.lines)).toEqual(byId(lines));
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
