import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exitCodeOf } from '@chargeback/engine';
import { ChargebackError } from '@chargeback/plugin-api';
import { createSimulatorFetch, fictionalCompany } from '@chargeback/testkit';
import { renderDemoSummary, demoSummaryJson, type DemoResult } from '../output/demo-summary.ts';
import { openSession, type ProcessContext } from '../session.ts';
import { configureTenants } from '../tenants.ts';
import { runWindow } from '../window.ts';
import { execute } from './run.ts';

export interface DemoOptions {
  readonly output: string;
  readonly json?: boolean;
}

/** The demo's "now": fixed, so that everyone sees the same numbers. */
const NOW = new Date('2026-07-02T06:00:00.000Z');
const DAYS = 30;
const SEED = 20_260_701;
const SIMULATOR_URL = 'http://prometheus.demo.invalid';

const MARKER = '.chargeback-demo';

/** Empties a folder of an earlier demo. What somebody else put there is never touched. */
async function clearFolder(folder: string): Promise<void> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [] as string[];
    throw new ChargebackError('CB_CONFIG_VALUE', `--output ${folder}: ${cause.message}`, {
      fix: OTHER_FOLDER,
      cause,
    });
  });
  if (names.length > 0 && !names.includes(MARKER)) {
    throw new ChargebackError('CB_CONFIG_VALUE', `--output ${folder} holds files that no demo wrote`, {
      fix: OTHER_FOLDER,
    });
  }
  for (const name of names) await rm(path.join(folder, name), { recursive: true, force: true });
}

const OTHER_FOLDER = 'Choose an empty folder, or one that does not exist yet.';

/**
 * `chargeback demo`: the real engine on a real database, against a simulated Prometheus that holds a month
 * of a small fictional company. Leaves configuration, database and CSV files to look at.
 */
export async function demo(
  options: DemoOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const folder = path.resolve(context.cwd(), options.output);
  const csvFolder = path.join(folder, 'csv');
  await clearFolder(folder);
  await mkdir(csvFolder, { recursive: true });
  await writeFile(
    path.join(folder, MARKER),
    'Everything in this folder is written by the demo, and removed by the next one.\n',
  );
  const company = fictionalCompany({ seed: SEED, days: DAYS, endDate: new Date(Date.UTC(2026, 6, 1)) });
  const config = path.join(folder, 'config.yaml');
  const paths = { outputDirectory: csvFolder, database: path.join(folder, 'chargeback.db') };
  await writeFile(config, `logging: { level: WARNING }\n${company.configYaml(SIMULATOR_URL, paths)}`);

  const session = await openSession({ config }, context);
  const tenants = await configureTenants(session);
  const host = { clock: () => NOW, fetch: createSimulatorFetch(company.model) };
  const startedAt = performance.now();
  const runs = await execute(session, tenants, { context, signal, host, json: options.json ?? false });
  const [tenant] = tenants.definitions;
  if (!tenant) return exitCodeOf(runs);
  await using store = await tenant.openStore();
  const result: DemoResult = {
    runs,
    store,
    window: runWindow(tenant.config, {}, NOW),
    folder,
    displayFolder: path.relative(context.cwd(), folder) || '.',
    seconds: (performance.now() - startedAt) / 1000,
  };
  context.stdout.write(
    options.json ? await demoSummaryJson(result) : await renderDemoSummary(result, context.stdout),
  );
  return exitCodeOf(runs);
}
