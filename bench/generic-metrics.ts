import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findEmitter } from '@chargeback/emitters';
import { type RunOptions, runTenant, type TenantDefinition, type TenantRun } from '@chargeback/engine';
import type { Logger } from '@chargeback/plugin-api';
import { register } from '@chargeback/plugin-generic-metrics';
import { openStore } from '@chargeback/storage';
import { createSimulatorFetch, scaleModel, type SimulatorFetch } from '@chargeback/testkit';

export interface Shape {
  readonly identities: number;
  readonly days: number;
  /** Holds the database and the CSV files; a second run on the same folder finds them. */
  readonly folder: string;
}

const END = new Date('2026-07-01T00:00:00.000Z');
const COST_TYPES = 5;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** 5 cost types, each allocated by its own usage query to every identity, from metrics to CSV. */
export async function runGenericMetrics(shape: Shape): Promise<Record<string, string | number>> {
  const { identities, days } = shape;
  const simulator = createSimulatorFetch(
    scaleModel({ identities, costTypes: COST_TYPES, days, endDate: END }),
  );
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const run = await runTenant(tenantFor(shape), optionsFor(shape, simulator));
  const took = { cpu: process.cpuUsage(cpuBefore), wall: performance.now() - startedAt };
  const received = simulator.requests.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    ...figures(run, took),
    requests: simulator.requests.length,
    'received MB': Math.round(received / 1e6),
  };
}

function tenantFor({ folder }: Shape): TenantDefinition {
  const plugin = register();
  const csv = findEmitter('csv');
  const params = csv.params.parse({ output_dir: path.join(folder, 'csv') });
  const host = { logger: silent, tenantId: 'bench', ecosystem: plugin.ecosystem };
  return {
    name: 'bench',
    tenantId: 'bench',
    plugin,
    settings: plugin.settings.parse(settingsFor()),
    allocationRetryLimit: 3,
    openStore: () =>
      openStore({
        connectionString: `sqlite:///${path.join(folder, 'bench.db')}`,
        ecosystem: plugin.ecosystem,
        tenantId: 'bench',
        workingDirectory: folder,
      }),
    makeEmitters: () => [
      { name: 'csv', aggregation: 'daily', lookbackDays: null, emitter: csv.create(params, host) },
    ],
  };
}

function optionsFor({ days }: Shape, simulator: SimulatorFetch): RunOptions {
  return {
    window: { start: new Date(END.getTime() - days * 86_400_000), end: END },
    regather: false,
    logger: silent,
    signal: new AbortController().signal,
    onProgress: () => {},
    newId: () => crypto.randomUUID(),
    host: {
      clock: () => new Date(),
      fetch: simulator,
      createFetch: () => simulator,
      resolvePath: (file) => file,
      random: Math.random,
      sleep: async (milliseconds, signal) => {
        await delay(milliseconds, undefined, { signal });
      },
      concurrency: 4,
    },
  };
}

function figures(
  run: TenantRun,
  took: { cpu: NodeJS.CpuUsage; wall: number },
): Record<string, string | number> {
  if (run.status !== 'completed')
    throw new Error(`the run ${run.status}: ${JSON.stringify(run.problems.slice(0, 3))}`);
  const cpu = (took.cpu.user + took.cpu.system) / 1e6;
  return {
    rows: run.rowsWritten,
    'wall s': (took.wall / 1000).toFixed(2),
    'CPU s': cpu.toFixed(2),
    'rows/s': Math.round((run.rowsWritten * 1000) / took.wall),
    // Kibibytes on every platform.
    'peak MB': Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

function settingsFor(): object {
  return {
    cluster_id: 'bench',
    metrics: { url: 'http://prometheus.bench.invalid' },
    identity_source: { label: 'principal', discovery_query: 'group by (principal) (scale_bytes_1_total)' },
    cost_types: Array.from({ length: COST_TYPES }, (_, index) => ({
      name: `NETWORK_${index}`,
      product_category: 'network',
      rate: '60',
      cost_quantity: { type: 'network_gib', query: `sum(increase(scale_bytes_${index + 1}_total[1h]))` },
      allocation_strategy: 'usage_ratio',
      allocation_query: `sum by (principal) (increase(scale_bytes_${index + 1}_total[1h]))`,
      allocation_label: 'principal',
    })),
  };
}
