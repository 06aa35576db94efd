// One process of a benchmark: the engine bills a whole window, from its source to CSV.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findEmitter } from '@chargeback/emitters';
import { DEFAULT_LIMITS, type RunOptions, runTenant, type TenantDefinition } from '@chargeback/engine';
import type { Fetch, Logger } from '@chargeback/plugin-api';
import { openStore } from '@chargeback/storage';
import { figuresOfProcess } from './figures.ts';
import { type EngineJob, type EngineResult, requestsFile } from './jobs.ts';
import { pluginOf, settingsOf } from './plugins.ts';
import { recordingFetch, type SentRequest } from './recording-fetch.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

async function tenantFor({ shape, served, folder, database }: EngineJob): Promise<TenantDefinition> {
  const plugin = await pluginOf(shape);
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
    settings: settingsOf(plugin, served.settings),
    limits: { ...DEFAULT_LIMITS, retentionDays: 36_500 },
    openStore: () =>
      openStore({
        connectionString: database,
        ecosystem: plugin.ecosystem,
        tenantId: 'bench',
        workingDirectory: folder,
      }),
    makeEmitters: () => [
      { name: 'csv', aggregation: 'daily', lookbackDays: null, emitter: csv.create(params, host) },
    ],
  };
}

async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}

function optionsFor({ served, laterMilliseconds }: EngineJob, fetch: Fetch): RunOptions {
  // Running, so that what counts requests in time counts real time.
  const ahead = Date.parse(served.now) + laterMilliseconds - Date.now();
  return {
    window: { start: new Date(served.start), end: new Date(served.end) },
    regather: false,
    logger: silent,
    signal: new AbortController().signal,
    wait,
    elapsed: () => performance.now(),
    onProgress: () => {},
    newId: () => crypto.randomUUID(),
    host: {
      clock: () => new Date(Date.now() + ahead),
      fetch,
      createFetch: () => fetch,
      resolvePath: (file) => file,
      random: Math.random,
      sleep: wait,
      concurrency: 4,
    },
  };
}

const job = JSON.parse(process.argv[2]!) as EngineJob;
const sent: SentRequest[] = [];
const run = await runTenant(await tenantFor(job), optionsFor(job, recordingFetch(sent)));
if (run.status !== 'completed')
  throw new Error(`the run ${run.status}: ${JSON.stringify(run.problems.slice(0, 3))}`);
const figures = figuresOfProcess();
if (job.laterMilliseconds === 0) await writeFile(requestsFile(job.folder), JSON.stringify(sent));
const result: EngineResult = {
  ...figures,
  rows: run.rowsWritten,
  requests: sent.length,
  stages: run.stages,
};
process.send!(result);
process.disconnect();
