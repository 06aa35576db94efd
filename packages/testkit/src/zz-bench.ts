import { openStore } from '@chargeback/storage';
import { rmSync, statSync } from 'node:fs';
import { Decimal } from '@chargeback/money';
rmSync('/tmp/bs', { recursive: true, force: true });
const N = 20000, L = 25;
const store = await openStore({ connectionString: 'sqlite:///bs/x.db', ecosystem: 'e', tenantId: 't', workingDirectory: '/tmp' });
const ids = Array.from({ length: N }, (_, i) => `sa-${String(i).padStart(7, '0')}-abcdef`);
const lines = Array.from({ length: L }, (_, i) => ({ lineId: `line-${i}-2026-02-01-resource-${i}`, timestamp: new Date('2026-02-01T00:00:00Z'), granularity: 'daily', resourceId: `lkc-${i}`, environmentId: 'env-1', productCategory: 'KAFKA', productType: 'PT' + (i % 5), quantity: new Decimal('1.5'), unitPrice: new Decimal('0.25'), totalCost: { units: 10000n * BigInt(N), currency: 'USD' }, coverage: null, metadata: {} }));
const t = (name: string, n: number, ms: number) => console.log(name, Math.round(ms), 'ms', Math.round((n / ms) * 1000), '/s');
for (const date of ['2026-02-01', '2026-02-02', '2026-02-02']) {
  let a = performance.now();
  const resourceIds: string[] = [], identityIds: string[] = [], values: number[] = [];
  for (let l = 0; l < L; l++) for (const id of ids) { resourceIds.push(`lkc-${l}`); identityIds.push(id); values.push(1.5 * l); }
  await store.saveGatheredDay({ date, lines, usage: [{ date, queryKey: 'q', totals: { resourceIds, identityIds, values }, coverage: { samplesSeen: 24, samplesExpected: 24 }, outcome: 'complete', problems: [] }], gatherFingerprint: 'f', complete: true, gatheredAt: new Date() });
  t('gather ' + date, N * L, performance.now() - a);
  a = performance.now();
  await store.loadDay(date);
  t('loadDay', N * L, performance.now() - a);
  const units = ids.map(() => 10000n), ratios = ids.map(() => 1 / N);
  a = performance.now();
  await store.saveCalculatedDay({ date, state: 'calculated', calculationFingerprint: 'c', calculationId: 'i', calculatedAt: new Date(), runId: 'r', problems: [], lines: lines.map((line) => ({ lineId: line.lineId, state: 'allocated', retainedUnits: 0n, attempts: 0, portions: [{ costType: 'USAGE', method: 'usage_ratio', detail: 'USAGE_RATIO_ALLOCATION', chainTier: 0, compositionIndex: null, compositionRatio: null, tiersTried: [], identityIds: ids, units, ratios }] })) });
  t('calculated ' + date, N * L, performance.now() - a);
}
const w = { start: new Date('2026-02-01'), end: new Date('2026-03-01') };
for (const agg of [null, 'daily', 'monthly'] as const) {
  const a = performance.now(); let n = 0;
  for await (const c of store.rows(w, agg)) n += c.length;
  t('rows ' + agg + ' ' + n, n, performance.now() - a);
}
for (const d of [['identity_id'], ['product_type', 'date'], []] as const) { const a = performance.now(); const r = await store.totals(w, d as never); t('totals ' + r.length, N * L * 2, performance.now() - a); }
for (const d of ['line', 'day', 'month'] as const) { const a = performance.now(); const r = await store.reconcile(w, d); t('reconcile ' + r.length, N * L * 2, performance.now() - a); if (d === 'month') console.log(r); }
console.log(await store.dateStates(w));
await store[Symbol.asyncDispose]();
console.log(statSync('/tmp/bs/x.db').size / 1e6, 'MB', process.memoryUsage().rss / 1e6);
