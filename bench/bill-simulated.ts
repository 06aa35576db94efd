import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findEmitter } from '@chargeback/emitters';
import {
  DEFAULT_LIMITS,
  type RunOptions,
  runTenant,
  type TenantDefinition,
  type TenantRun,
} from '@chargeback/engine';
import type { EcosystemPlugin, Fetch, Logger, Window } from '@chargeback/plugin-api';
import { openStore } from '@chargeback/storage';

/** What is billed: a plugin with its settings, and the simulated world that it finds. */
export interface Shape {
  readonly plugin: EcosystemPlugin;
  readonly settings: object;
  readonly window: Window;
  /** Default: the machine's. */
  readonly clock?: () => Date;
  readonly simulator: Fetch & { readonly requests: readonly { readonly bytes: number }[] };
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** Bills a whole window, from its source to CSV. A second run on the same folder finds what the first one left. */
export async function billSimulated(shape: Shape, folder: string): Promise<Record<string, string | number>> {
  const { simulator } = shape;
  const before = simulator.requests.length;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const run = await runTenant(tenantFor(shape, folder), optionsFor(shape));
  const took = { cpu: process.cpuUsage(cpuBefore), wall: performance.now() - startedAt };
  const requests = simulator.requests.slice(before);
  const received = requests.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    ...figures(run, took),
    requests: requests.length,
    'received MB': Math.round(received / 1e6),
  };
}

function tenantFor({ plugin, settings }: Shape, folder: string): TenantDefinition {
  const csv = findEmitter('csv');
  const params = csv.params.parse({ output_dir: path.join(folder, 'csv') });
  const host = {
    logger: silent,
    tenantId: 'bench',
    ecosystem: plugin.ecosystem,
    fetch,
    clock: () => new Date(),
    sleep: async () => {},
  };
  return {
    name: 'bench',
    tenantId: 'bench',
    plugin,
    settings: plugin.settings.parse(settings),
    // The simulated days do not move with the clock.
    limits: { ...DEFAULT_LIMITS, retentionDays: 36_500 },
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

function optionsFor({ window, clock = () => new Date(), simulator }: Shape): RunOptions {
  return {
    window,
    regather: false,
    logger: silent,
    signal: new AbortController().signal,
    wait: waitFor,
    onProgress: () => {},
    newId: () => crypto.randomUUID(),
    host: {
      clock,
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

async function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}
