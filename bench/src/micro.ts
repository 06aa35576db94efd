// The parts of the engine that see every row, each alone, through what its package offers.
import { createHash } from 'node:crypto';
import path from 'node:path';
import { money, splitByWeight } from '@chargeback/money';
import type { Fetch, Logger, UsageDay, Window } from '@chargeback/plugin-api';
import { createPrometheusClient, metricsConnectionSchema } from '@chargeback/prometheus';
import { type GatheredDay, openStore, type Store } from '@chargeback/storage';
import { dayOf } from './storage.ts';

const ITEMS = 100_000;
const TRIES = 7;
const LINES = 10;
const DAY: Window = { start: new Date('2026-06-01T00:00:00Z'), end: new Date('2026-06-02T00:00:00Z') };

/** What is measured: `work` does it once for {@link ITEMS} of `unit`. */
interface Part {
  readonly part: string;
  readonly unit: string;
  readonly work: () => unknown;
}

/** The median of several tries of each part, in nanoseconds for one item. */
export async function runMicro(folder: string): Promise<Record<string, string | number>[]> {
  await using store = await openStore({
    connectionString: `sqlite:///${path.join(folder, 'micro.db')}`,
    ecosystem: 'bench',
    tenantId: 'bench',
    workingDirectory: folder,
  });
  const parts = [splitting(), ...(await parsing()), ...hashing(store), ...storing(store)];
  const table: Record<string, string | number>[] = [];
  for (const { part, unit, work } of parts) {
    const nanoseconds: number[] = [];
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const before = process.threadCpuUsage();
      await work();
      const { user, system } = process.threadCpuUsage(before);
      nanoseconds.push(((user + system) * 1000) / ITEMS);
    }
    const median = nanoseconds.toSorted((left, right) => left - right)[TRIES >> 1]!;
    table.push({ part, 'ns of CPU': Math.round(median), per: unit });
  }
  return table;
}

function splitting(): Part {
  const recipients = Array.from({ length: ITEMS }, (_, index) => ({
    key: `svc-${String(index).padStart(7, '0')}`,
    weight: BigInt(1_000_003 * (1 + (index % 977))),
  }));
  const total = money(12_345_678_000_000n, 'USD');
  return { part: 'splitByWeight', unit: 'recipient', work: () => splitByWeight(total, recipients) };
}

async function parsing(): Promise<Part[]> {
  const body = matrix(ITEMS / 24);
  const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
  const fetch: Fetch = async () => new Response(body);
  const client = createPrometheusClient(metricsConnectionSchema.parse({ url: 'http://micro.invalid' }), {
    createFetch: () => fetch,
    clock: () => new Date(),
    random: Math.random,
    sleep: async () => {},
    logger,
  });
  const request = { expression: 'up', ...DAY, stepSeconds: 3600 };
  const { signal } = new AbortController();
  return [
    { part: 'an answer of metrics', unit: 'sample', work: () => client.queryRange(request, signal) },
    { part: 'the same by JSON.parse', unit: 'sample', work: () => JSON.parse(body) as unknown },
  ];
}

function matrix(series: number): string {
  const start = DAY.start.getTime() / 1000;
  const result = Array.from({ length: series }, (_, index) => ({
    metric: { principal: `User:svc-${index}` },
    values: Array.from({ length: 24 }, (_unused, hour) => [
      start + hour * 3600,
      String(1e7 + index * 977 + hour),
    ]),
  }));
  return JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
}

/** An unchanged day is read, hashed and not written. */
function hashing(store: Store): Part[] {
  const identityIds = Array.from({ length: ITEMS }, (_, index) => `svc-${String(index).padStart(7, '0')}`);
  const values = identityIds.map((_, index) => 1e7 + index * 977.25);
  const usage: UsageDay = {
    date: '2026-05-31',
    queryKey: 'bytes_in',
    totals: { resourceIds: null, identityIds, values },
    coverage: { samplesSeen: 24, samplesExpected: 24 },
    outcome: 'complete',
    problems: [],
  };
  const day: GatheredDay = { ...dayOf(0, 1).gathered, date: usage.date, lines: [], usage: [usage] };
  const text = identityIds.map((identityId, index) => `${identityId}${values[index]!}\n`).join('');
  return [
    {
      part: 'bulk insert of usage, then its digest alone',
      unit: 'usage row',
      work: () => store.saveGatheredDay(day),
    },
    {
      part: 'SHA-256 of the same text',
      unit: 'usage row',
      work: () => createHash('sha256').update(text).digest('hex'),
    },
  ];
}

function storing(store: Store): Part[] {
  const { gathered, calculated } = dayOf(0, ITEMS / LINES);
  return [
    {
      part: 'bulk insert of rows, over those of before',
      unit: 'row',
      async work() {
        await store.saveGatheredDay(gathered);
        await store.saveCalculatedDay(calculated);
      },
    },
    {
      part: 'rows of a day, added up and in order',
      unit: 'row',
      async work() {
        for await (const chunk of store.rows(DAY, 'daily')) void chunk;
      },
    },
    { part: 'aggregate by identity', unit: 'row', work: () => store.totals(DAY, ['identity_id']) },
  ];
}
