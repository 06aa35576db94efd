// Writes and reads a month of rows through the store alone, on both databases.
import path from 'node:path';
import { Decimal } from '@chargeback/money';
import { startOfDay, type Window } from '@chargeback/plugin-api';
import { type CalculatedDay, type GatheredDay, openStore, type Store } from '@chargeback/storage';
import { startRealPostgres } from '@chargeback/testkit';

export interface StorageShape {
  readonly rows: number;
  readonly folder: string;
}

const DAYS = 30;
const LINES = 10;
const MONTH: Window = { start: new Date('2026-06-01T00:00:00Z'), end: new Date('2026-07-01T00:00:00Z') };

/** Figures of each database, first SQLite. */
export async function runStorage(shape: StorageShape): Promise<Record<string, string | number>[]> {
  const sqlite = `sqlite:///${path.join(shape.folder, 'storage.db')}`;
  const figures = [{ database: 'SQLite', ...(await measure(sqlite, shape)) }];
  const server = await startRealPostgres();
  try {
    figures.push({ database: 'PostgreSQL', ...(await measure(server.url('postgres'), shape)) });
  } finally {
    await server.dispose();
  }
  return figures;
}

async function measure(connectionString: string, { rows, folder }: StorageShape) {
  await using store = await openStore({
    connectionString,
    ecosystem: 'bench',
    tenantId: 'bench',
    workingDirectory: folder,
  });
  const days = Array.from({ length: DAYS }, (_, index) => dayOf(index, Math.ceil(rows / DAYS / LINES)));
  const write = await seconds(async () => {
    for (const { gathered, calculated } of days) {
      await store.saveGatheredDay(gathered);
      await store.saveCalculatedDay(calculated);
    }
  });
  const states = await store.dateStates(MONTH);
  const count = states.reduce((sum, { rowCount }) => sum + rowCount, 0);
  return {
    rows: count,
    'rows/s written': Math.round(count / write),
    ...(await readings(store)),
  };
}

async function readings(store: Store): Promise<Record<string, number>> {
  const read = {
    'month by identity ms': () => store.totals(MONTH, ['identity_id']),
    'month by day ms': () => store.totals(MONTH, ['date']),
    'reconcile by month ms': () => store.reconcile(MONTH, 'month'),
    'all rows ms': async () => {
      for await (const chunk of store.rows(MONTH, 'daily')) void chunk;
    },
  };
  const figures: Record<string, number> = {};
  for (const [name, work] of Object.entries(read)) {
    const tries: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) tries.push(await seconds(work));
    figures[name] = Math.round(tries.toSorted((left, right) => left - right)[2]! * 1000);
  }
  return figures;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

export interface BenchDay {
  readonly gathered: GatheredDay;
  readonly calculated: CalculatedDay;
}

/** A day of ten lines, each allocated to so many identities. */
export function dayOf(index: number, identities: number): BenchDay {
  const date = `2026-06-${String(index + 1).padStart(2, '0')}`;
  const identityIds = Array.from({ length: identities }, (_, identity) => `service-account-${identity}`);
  const units = identityIds.map((_, identity) => BigInt(identity * 1000 + index));
  const total = units.reduce((sum, amount) => sum + amount, 0n);
  const ratios = units.map((amount) => Number(amount) / Number(total));
  const lineIds = Array.from({ length: LINES }, (_, line) => `line-${line}`);
  const lines = lineIds.map((lineId) => ({
    lineId,
    timestamp: startOfDay(date),
    granularity: 'daily',
    resourceId: `cluster-${lineId}`,
    environmentId: 'env-1',
    productCategory: 'platform',
    productType: 'NETWORK',
    quantity: new Decimal(1),
    unitPrice: new Decimal(1),
    totalCost: { units: total, currency: 'USD' },
    coverage: null,
    metadata: {},
  }));
  const gathered: GatheredDay = {
    date,
    lines,
    usage: [],
    gatherFingerprint: 'bench',
    complete: true,
    gatheredAt: MONTH.end,
  };
  const portion = {
    costType: 'USAGE',
    method: 'usage_ratio',
    detail: 'USAGE_RATIO_ALLOCATION',
    chainTier: 0,
    compositionIndex: null,
    compositionRatio: null,
    tiersTried: [],
    identityIds,
    units,
    ratios,
  } as const;
  const calculated: CalculatedDay = {
    date,
    state: 'calculated',
    calculationFingerprint: 'bench',
    calculationId: 'bench',
    calculatedAt: MONTH.end,
    runId: 'bench',
    problems: [],
    lines: lineIds.map((lineId) => ({
      lineId,
      state: 'allocated' as const,
      retainedUnits: 0n,
      portions: [portion],
      attempts: 0,
    })),
  };
  return { gathered, calculated };
}
