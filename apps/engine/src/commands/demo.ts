import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exitCodeOf } from '@chargeback/engine';
import { ChargebackError, type Fetch } from '@chargeback/plugin-api';
import {
  createConfluentFetch,
  createSimulatorFetch,
  fictionalCompany,
  fictionalOrganization,
  tenantsYaml,
} from '@chargeback/testkit';
import {
  type DemoResult,
  demoSummaryJson,
  type DemoTenant,
  renderDemoSummary,
} from '../output/demo-summary.ts';
import { openSession, type ProcessContext } from '../session.ts';
import { configureTenants } from '../tenants.ts';
import { runWindow } from '../window.ts';
import { execute } from './run.ts';

export interface DemoOptions {
  readonly output: string;
  readonly json?: boolean;
}

/** The demo's "now": it always begins then, so that everyone sees the same numbers. */
const NOW = new Date('2026-07-02T06:00:00.000Z');
const MONTH = { days: 30, endDate: new Date('2026-07-01T00:00:00.000Z'), seed: 20_260_701 };
const PROMETHEUS_URL = 'http://prometheus.demo.invalid';
const CONFLUENT_URL = 'http://confluent.demo.invalid';

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
 * `chargeback demo`: the real engine on real databases, against a simulated Prometheus and a simulated Confluent
 * Cloud that hold a month of two small fictional companies. Leaves configuration, databases and CSV files to
 * look at.
 */
export async function demo(
  options: DemoOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const folder = path.resolve(context.cwd(), options.output);
  await clearFolder(folder);
  await mkdir(folder, { recursive: true });
  await writeFile(
    path.join(folder, MARKER),
    'Everything in this folder is written by the demo, and removed by the next one.\n',
  );
  const world = await makeWorld(folder);
  const session = await openSession({ config: world.config }, context);
  const tenants = await configureTenants(session);
  const startedAt = performance.now();
  const host = { clock: () => new Date(NOW.getTime() + performance.now() - startedAt), fetch: world.fetch };
  const runs = await execute(session, tenants, { context, signal, host, json: options.json ?? false });
  await using stores = new AsyncDisposableStack();
  const results: DemoTenant[] = [];
  for (const tenant of tenants.definitions) {
    const run = runs.find(({ tenant: name }) => name === tenant.name);
    if (!run) continue;
    const store = stores.use(await tenant.openStore());
    results.push({ run, store, window: runWindow(tenant.config, {}, NOW) });
  }
  const result: DemoResult = {
    tenants: results,
    folder,
    displayFolder: path.relative(context.cwd(), folder) || '.',
    seconds: (performance.now() - startedAt) / 1000,
  };
  context.stdout.write(
    options.json ? await demoSummaryJson(result) : await renderDemoSummary(result, context.stdout),
  );
  return exitCodeOf(runs);
}

interface World {
  /** Configuration file that bills it. */
  readonly config: string;
  readonly fetch: Fetch;
}

/** Two companies, and the simulators that know them. */
async function makeWorld(folder: string): Promise<World> {
  const company = fictionalCompany(MONTH);
  const cloud = fictionalOrganization(MONTH);
  const pathsOf = async (name: string) => {
    const outputDirectory = path.join(folder, 'csv', name);
    await mkdir(outputDirectory, { recursive: true });
    return { outputDirectory, database: path.join(folder, `${name}.db`) };
  };
  const config = path.join(folder, 'config.yaml');
  const text = tenantsYaml({
    ...company.tenant(PROMETHEUS_URL, await pathsOf('nordwind')),
    ...cloud.tenant(CONFLUENT_URL, await pathsOf('lindqvist')),
  });
  await writeFile(config, `logging: { level: WARNING }\n${text}`);
  const prometheus = createSimulatorFetch(company.model);
  const confluent = createConfluentFetch({ organization: cloud.organization, clock: () => NOW });
  const fetch: Fetch = (input, init) => {
    const { origin } = new URL(input instanceof Request ? input.url : input);
    return (origin === CONFLUENT_URL ? confluent : prometheus)(input, init);
  };
  return { config, fetch };
}
