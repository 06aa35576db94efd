import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import {
  confluentOrganization,
  createConfluentFetch,
  fictionalCompany,
  postgresAvailable,
  type RealPostgres,
  scaleConfigYaml,
  scaleModel,
  startPrometheusSimulator,
  startRealPostgres,
} from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfluentTenant } from './confluent-support.ts';
import { chargeback, filesIn, temporaryFolder, until } from './support.ts';

const KILLS = 20;
const today = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000);
// The configuration leaves out the newest day.
const endDate = new Date(today.getTime() - 86_400_000);
const shape = { identities: 150, costTypes: 4, queries: 3, appearing: true, days: 10, endDate };

const MIGRATIONS = ['0001-initial', '0002-marks-and-pruning', '0003-other-batches', '0004-doubted-sightings'];

describe.skipIf(!postgresAvailable())('the product on PostgreSQL', () => {
  let server: RealPostgres;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    server = await startRealPostgres();
  });
  afterAll(async () => {
    await server?.dispose();
    await folder?.remove();
  });

  /** Writes a configuration that stores in a schema of its own. */
  async function onPostgres(name: string, yaml: string): Promise<string> {
    const config = path.join(folder.path, `${name}.yaml`);
    const url = `${server.url('postgres')}?schema=${name}`;
    await writeFile(config, yaml.replace(/sqlite:\/\/\/[^\s"']*/, url));
    return config;
  }

  it('writes the same files as on SQLite, byte for byte', async () => {
    const company = fictionalCompany({ seed: 7, days: 30, endDate });
    const simulator = await startPrometheusSimulator({ model: company.model });
    try {
      const files: Record<string, string>[] = [];
      for (const database of ['sqlite', 'postgres']) {
        const out = path.join(folder.path, `demo-${database}`);
        const paths = { outputDirectory: out, database: path.join(folder.path, 'demo.db') };
        const yaml = company.configYaml(simulator.url, paths);
        const config = path.join(folder.path, `demo-${database}.yaml`);
        if (database === 'sqlite') await writeFile(config, yaml);
        const used = database === 'sqlite' ? config : await onPostgres('demo', yaml);
        const result = await chargeback(['run', '--config', used]);
        expect(result.exitCode, result.stderr).toBe(0);
        const reconciled = await chargeback(['reconcile', '--config', used, '--tenant', tenantOf(yaml)]);
        expect(reconciled).toMatchObject({ exitCode: 0 });
        files.push(await filesIn(out));
      }
      expect(Object.keys(files[0]!).length).toBeGreaterThan(20);
      expect(files[1]).toEqual(files[0]);
    } finally {
      await simulator.stop();
    }
  }, 300_000);

  it('writes the same files of a month of Confluent Cloud as on SQLite, byte for byte', async () => {
    const organization = confluentOrganization({
      clusters: 5,
      serviceAccounts: 200,
      days: 30,
      endDate: new Date('2026-07-01T00:00:00Z'),
    });
    const now = new Date(organization.window.end.getTime() + 5 * MILLISECONDS_PER_DAY);
    const files: Record<string, string>[] = [];
    for (const database of ['sqlite', 'postgres']) {
      const csvFolder = path.join(folder.path, `confluent-${database}`);
      await mkdir(csvFolder);
      const connectionString = `${server.url('postgres')}?schema=confluent`;
      await using tenant = await ConfluentTenant.create({
        fetch: createConfluentFetch({ organization, clock: () => now }),
        now,
        csvFolder,
        settings: { metrics: { url: 'http://metrics.example/prometheus' } },
        ...(database === 'postgres' ? { connectionString } : {}),
      });
      const run = await tenant.run(organization.window);
      expect([run.datesGathered, run.problems.map(({ code }) => code)]).toEqual([30, expect.any(Array)]);
      expect(run.rowsWritten).toBeGreaterThan(5000);
      files.push(await filesIn(csvFolder));
    }
    expect(Object.keys(files[0]!).length).toBeGreaterThan(20);
    expect(files[1]).toEqual(files[0]);
  }, 300_000);

  it(`ends in the same bytes when the server fails at ${KILLS} points of a run and starts again`, async () => {
    const simulator = await startPrometheusSimulator({ model: scaleModel(shape) });
    try {
      const prepare = async (name: string) => {
        const out = path.join(folder.path, name);
        const paths = { database: 'unused.db', outputDirectory: out };
        return { out, config: await onPostgres(name, scaleConfigYaml(shape, simulator.url, paths)) };
      };
      /** Milliseconds from the first question to the source to the end; `stop` is called in between. */
      const run = async (config: string, stopAfter: number | null) => {
        const before = simulator.requests.length;
        const running = chargeback(['run', '--config', config, '--json']);
        const asked = until(
          () => pause(2),
          () => simulator.requests.length > before,
        );
        await Promise.race([asked, running]);
        const startedAt = performance.now();
        if (stopAfter !== null) {
          await pause(stopAfter);
          await server.stop('immediate');
        }
        const result = await running;
        return { result, milliseconds: performance.now() - startedAt };
      };
      const whole = await prepare('undisturbed');
      const first = await run(whole.config, null);
      expect(first.result).toMatchObject({ exitCode: 0 });
      const undisturbed = await filesIn(whole.out);
      let failed = 0;
      const told = new Set<string>();
      for (let kill = 0; kill < KILLS; kill += 1) {
        const { config, out } = await prepare(`killed_${kill}`);
        const moment = ((kill + Math.random()) / KILLS) * first.milliseconds;
        const { result } = await run(config, moment);
        if (result.exitCode !== 0) {
          failed += 1;
          told.add(/CB_STORAGE_\w+/.exec(result.stdout + result.stderr)?.[0] ?? result.stdout);
        }
        await server.start();
        const again = await chargeback(['run', '--config', config, '--json']);
        expect(again.exitCode, `killed after ${moment} ms: ${again.stdout}`).toBe(0);
        expect(await filesIn(out), `killed after ${moment} ms`).toEqual(undisturbed);
      }
      expect(failed).toBeGreaterThan(KILLS / 4);
      expect([...told]).toEqual(['CB_STORAGE_UNREACHABLE']);
    } finally {
      await simulator.stop();
    }
  }, 900_000);

  it('shows, migrates and copies databases', async () => {
    const company = fictionalCompany({ seed: 7, days: 3, endDate });
    const simulator = await startPrometheusSimulator({ model: company.model });
    try {
      const paths = {
        outputDirectory: path.join(folder.path, 'commands'),
        database: path.join(folder.path, 'commands.db'),
      };
      const yaml = company.configYaml(simulator.url, paths);
      const config = await onPostgres('commands', yaml);
      const status = async (command: string) => {
        const result = await chargeback(['storage', command, '--config', config, '--json']);
        expect(result.exitCode, result.stderr).toBe(0);
        expect(result.stdout).not.toContain('only-on-loopback');
        return (JSON.parse(result.stdout) as { tenants: { executed: string[]; pending: string[] }[] })
          .tenants[0]!;
      };
      expect(await status('status')).toMatchObject({ executed: [], pending: MIGRATIONS });
      expect(await status('migrate')).toMatchObject({ executed: MIGRATIONS, pending: [] });
      expect((await chargeback(['run', '--config', config])).exitCode).toBe(0);
      const from = `${server.url('postgres')}?schema=commands`;
      const to = `sqlite:///${paths.database}`;
      const args = ['storage', 'copy', '--from', from, '--to', to, '--tenant', tenantOf(yaml)];
      const copied = await chargeback(args);
      expect(copied.exitCode, copied.stderr).toBe(0);
      expect(copied.stdout).toContain('3 days compared');
      expect(copied.stdout).not.toContain('only-on-loopback');
      const twice = await chargeback(args);
      expect(twice.exitCode).toBe(1);
      expect(twice.stderr).toContain('CB_STORAGE_COPY');
    } finally {
      await simulator.stop();
    }
  }, 300_000);
});

function tenantOf(yaml: string): string {
  return /tenant_id: "?([\w-]+)"?/.exec(yaml)![1]!;
}
