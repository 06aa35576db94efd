import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findEmitter } from '@chargeback/emitters';
import { createPlainFetch } from '@chargeback/engine-app/plain-fetch';
import {
  DEFAULT_LIMITS,
  type RunOptions,
  runTenant,
  type TenantDefinition,
  type TenantRun,
} from '@chargeback/engine';
import type { Logger, PlainFetch } from '@chargeback/plugin-api';
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

function optionsFor({ served, laterMilliseconds }: EngineJob, network: PlainFetch): RunOptions {
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
      createFetch: () => network,
      resolvePath: (file) => file,
      random: Math.random,
      sleep: wait,
      concurrency: 4,
    },
  };
}

/** Bills a window, from its source to CSV. @param sent collects the requests. @throws unless the run completed. */
export async function billWindow(job: EngineJob, sent: SentRequest[]): Promise<TenantRun> {
  const outcome = await runTenant(
    await tenantFor(job),
    optionsFor(job, recordingFetch(createPlainFetch(), sent)),
  );
  if (outcome.status === 'completed') return outcome;
  throw new Error(`the run ${outcome.status}: ${JSON.stringify(outcome.problems.slice(0, 3))}`);
}

/** Bills a window and tells the parent process what that took. */
export async function billOnce(text: string): Promise<void> {
  const job = JSON.parse(text) as EngineJob;
  const sent: SentRequest[] = [];
  const outcome = await billWindow(job, sent);
  const figures = figuresOfProcess();
  if (job.laterMilliseconds === 0) await writeFile(requestsFile(job.folder), JSON.stringify(sent));
  const result: EngineResult = {
    ...figures,
    rows: outcome.rowsWritten,
    requests: sent.length,
    stages: outcome.stages,
  };
  process.send!(result);
  process.disconnect();
}
