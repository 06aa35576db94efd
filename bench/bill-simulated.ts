import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findEmitter } from '@chargeback/emitters';
import { type RunOptions, runTenant, type TenantDefinition, type TenantRun } from '@chargeback/engine';
import type { EcosystemPlugin, Logger } from '@chargeback/plugin-api';
import { openStore } from '@chargeback/storage';
import { createSimulatorFetch, type MetricsModel, type SimulatorFetch } from '@chargeback/testkit';

/** What is billed: a plugin with its settings, and the metrics that it finds. */
export interface Shape {
  readonly plugin: EcosystemPlugin;
  readonly settings: object;
  readonly model: MetricsModel;
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** Bills the whole of a model, from metrics to CSV. A second run on the same folder finds what the first one left. */
export async function billSimulated(shape: Shape, folder: string): Promise<Record<string, string | number>> {
  const simulator = createSimulatorFetch(shape.model);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const run = await runTenant(tenantFor(shape, folder), optionsFor(shape, simulator));
  const took = { cpu: process.cpuUsage(cpuBefore), wall: performance.now() - startedAt };
  const received = simulator.requests.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    ...figures(run, took),
    requests: simulator.requests.length,
    'received MB': Math.round(received / 1e6),
  };
}

function tenantFor({ plugin, settings }: Shape, folder: string): TenantDefinition {
  const csv = findEmitter('csv');
  const params = csv.params.parse({ output_dir: path.join(folder, 'csv') });
  const host = { logger: silent, tenantId: 'bench', ecosystem: plugin.ecosystem };
  return {
    name: 'bench',
    tenantId: 'bench',
    plugin,
    settings: plugin.settings.parse(settings),
    limits: {
      allocationRetryLimit: 3,
      gatherFailureThreshold: 5,
      emptyListingThreshold: -1,
      timeoutSeconds: 0,
      // The simulated days do not move with the clock.
      retentionDays: 36_500,
      resumeAfterSeconds: null,
    },
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

function optionsFor({ model }: Shape, simulator: SimulatorFetch): RunOptions {
  return {
    window: model.window,
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
