import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { makeProblem } from '@chargeback/plugin-api';
import { openStore, storageStatus } from '@chargeback/storage';
import { scaleConfigYaml, scaleModel, startPrometheusSimulator } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSchedule } from '../src/commands/worker.ts';
import { chargeback, type CommandResult, filesIn, temporaryFolder, until } from './support.ts';

const DAYS = 6;
const today = Math.floor(Date.now() / 86_400_000) * 86_400_000;
const shape = { identities: 20, costTypes: 2, days: DAYS, endDate: new Date(today - 86_400_000) };

interface Status {
  readonly dates: { calculated: number; held: string[]; gathered: string[] };
  readonly suspended: { because: string } | null;
  readonly next_run_at: string | null;
  readonly runs: readonly { status: string; datesCalculated: number; stages: Record<string, number> }[];
  readonly problems: readonly { code: string }[];
}

interface Health {
  readonly healthy: boolean;
  readonly last_runs: Readonly<Record<string, { readonly status: string }>>;
}

async function answerOf(url: string): Promise<string> {
  try {
    return await (await fetch(url)).text();
  } catch {
    return '';
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

describe('the engine as a service', () => {
  let simulator: Awaited<ReturnType<typeof startPrometheusSimulator>>;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    simulator = await startPrometheusSimulator({ model: scaleModel(shape) });
  });
  afterAll(async () => {
    await simulator?.stop();
    await folder?.remove();
  });

  const prepare = async (name: string, features: string) => {
    const out = path.join(folder.path, name);
    const database = path.join(folder.path, `${name}.db`);
    const config = path.join(folder.path, `${name}.yaml`);
    const yaml = scaleConfigYaml(shape, simulator.url, { database, outputDirectory: out });
    await writeFile(config, `${features}\n${yaml}`);
    return { config, out, database };
  };
  const statusOf = async (config: string): Promise<Status> => {
    const { stdout } = await chargeback(['status', '--config', config, '--json']);
    return (JSON.parse(stdout) as { tenants: Status[] }).tenants[0]!;
  };
  const finished = (status: Status): number =>
    status.runs.filter(({ status: end }) => end === 'completed').length;

  it('runs again and again, shows where it stands, and stops on request', async () => {
    const { config, out } = await prepare('worker', 'features: { refresh_interval: 1 }');
    let stop = (): void => {};
    const worker = chargeback(['worker', '--config', config], {
      onStart: (child) => {
        stop = () => child.kill('SIGTERM');
      },
    });
    const status = await until(
      () => statusOf(config),
      (seen) => finished(seen) >= 2 && seen.next_run_at !== null,
    );
    expect(status.dates).toEqual({ calculated: DAYS, held: [], gathered: [] });
    expect(Object.keys(status.runs[0]!.stages)).toEqual(['gather', 'calculate', 'emit', 'prune']);
    stop();
    const ended = await worker;
    expect([ended.exitCode, ended.signal]).toEqual([0, null]);
    expect(Object.keys(await filesIn(out)).length).toBeGreaterThanOrEqual(DAYS);
    const after = await statusOf(config);
    expect(after.next_run_at).toBeNull();
    expect(after.runs.reduce((sum, { datesCalculated }) => sum + datesCalculated, 0)).toBeLessThanOrEqual(
      DAYS,
    );
  });

  it('serves its metrics and those of its emitters while it works', async () => {
    const { config, out } = await prepare('served', 'features: { refresh_interval: 1 }');
    const port = await freePort();
    const yaml = await readFile(config, 'utf8');
    const emitter = JSON.stringify({ type: 'prometheus', params: { output_dir: out } });
    const withEmitter = yaml.replace(/^( *)emitters:\n( *)- /m, `$1emitters:\n$2- ${emitter}\n$2- `);
    expect(withEmitter).not.toBe(yaml);
    await writeFile(config, `monitoring: { port: ${port} }\n${withEmitter}`);
    let stop = (): void => {};
    const worker = chargeback(['worker', '--config', config], {
      onStart: (child) => {
        stop = () => child.kill('SIGTERM');
      },
    });
    try {
      const text = await until(
        () => answerOf(`http://127.0.0.1:${port}/metrics`),
        (seen) => /^chargeback_runs_total\{.*status="completed"\} [2-9]/m.test(seen),
      );
      expect(text).toMatch(/^chargeback_last_day_cost\{/m);
      expect(text).toMatch(new RegExp(`^chargeback_dates\\{.*state="calculated"\\} ${DAYS}$`, 'm'));
      expect(text).toMatch(/^chargeback_reconciliation_residue\{.*\} 0$/m);
      expect(text).toMatch(/^chargeback_http_requests_total\{.*outcome="success"\} [1-9]/m);
      const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      const series = samples.map((line) => line.slice(0, line.lastIndexOf(' ')));
      expect(new Set(series).size).toBe(series.length);
      const health = JSON.parse(await answerOf(`http://127.0.0.1:${port}/health`)) as Health;
      expect(health.healthy).toBe(true);
      expect(Object.values(health.last_runs).map(({ status }) => status)).toEqual(['completed']);
    } finally {
      stop();
    }
    expect((await worker).exitCode).toBe(0);
  });

  it('ends with exit code 2 when its port is taken', async () => {
    const { config } = await prepare('taken', '');
    const port = Number(new URL(simulator.url).port);
    await writeFile(config, `monitoring: { port: ${port} }\n${await readFile(config, 'utf8')}`);
    const ended = await chargeback(['worker', '--config', config]);
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toContain('CB_SERVE_LISTEN');
  });

  it('calculates every date once, however many workers share a database', async () => {
    const { config } = await prepare('shared', 'features: { refresh_interval: 1 }');
    const children: (() => void)[] = [];
    const workers = [1, 2, 3].map(() =>
      chargeback(['worker', '--config', config], {
        onStart: (child) => children.push(() => child.kill('SIGTERM')),
      }),
    );
    await until(
      () => statusOf(config),
      (seen) => finished(seen) >= 4,
    );
    for (const stop of children) stop();
    await Promise.all(workers);
    const lines = (await Promise.all(workers)).flatMap(({ stderr }) => stderr.split('\n')).filter(Boolean);
    const runs = lines.map((text) => JSON.parse(text) as { msg: string; calculated?: number });
    const calculated = runs.filter(({ msg }) => msg === 'run finished').map((run) => run.calculated ?? 0);
    expect(calculated.reduce((sum, count) => sum + count, 0)).toBe(DAYS);
  });

  it('suspends a tenant whose source is gone, and takes it up again when told', async () => {
    const { config } = await prepare('suspended', '');
    simulator.setFaults([{ effect: { kind: 'status', status: 401 } }]);

    const run = (): Promise<CommandResult> => chargeback(['run', '--config', config, '--json']);
    for (let tries = 0; tries < 5; tries += 1) expect((await run()).exitCode).toBe(1);
    expect((await statusOf(config)).suspended?.because).toMatch(/5 gathers in a row/);
    const suspended = JSON.parse((await run()).stdout) as { runs: { status: string }[] };
    expect(suspended.runs[0]?.status).toBe('suspended');
    const name = (JSON.parse((await run()).stdout) as { runs: { tenant: string }[] }).runs[0]!.tenant;
    expect((await chargeback(['resume', name, '--config', config])).stdout).toMatch(/is resumed/);
    expect((await statusOf(config)).suspended).toBeNull();
    simulator.setFaults([]);
    expect((await run()).exitCode).toBe(0);
  });

  it('calculates days anew and removes old ones on request', async () => {
    const { config } = await prepare('commands', '');
    await chargeback(['run', '--config', config]);
    const { tenant } = (
      JSON.parse((await chargeback(['run', '--config', config, '--json'])).stdout) as {
        runs: { tenant: string }[];
      }
    ).runs[0]!;
    const again = await chargeback(['recalculate', '--config', config, '--tenant', tenant, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ runs: [{ status: 'completed', periods_emitted: 0 }] });
    const dry = await chargeback(['prune', '--config', config, '--dry-run', '--json']);
    expect(JSON.parse(dry.stdout)).toMatchObject({ tenants: [{ tenant, days: 0 }], failures: [] });
  });

  it('removes old days of the tenants it can, and says of which it cannot', async () => {
    const { config } = await prepare('pair', '');
    await chargeback(['run', '--config', config]);
    const yaml = await readFile(config, 'utf8');
    const [head = '', tenant = ''] = yaml.split(/^tenants:\n/m);
    const absent = tenant.replace(/^ {2}\S+:$/m, '  absent:').replaceAll('/pair', '/absent');
    await writeFile(config, `${head}tenants:\n${absent}${tenant}`);
    const prune = await chargeback(['prune', '--config', config]);
    expect(prune.exitCode).toBe(2);
    expect(prune.stdout).toMatch(/scale/);
    expect(prune.stderr).toMatch(/absent\n.*CB_STORAGE_OPEN/);
  });

  it('shows, with its problems, a day that waits although the lookback has left it', async () => {
    const { config, database } = await prepare('left-behind', '');
    await chargeback(['run', '--config', config]);
    const place = { connectionString: `sqlite:////${database}`, workingDirectory: folder.path };
    const { owner } = await storageStatus(place);
    const date = new Date(today - 40 * 86_400_000).toISOString().slice(0, 10);
    const before = new Date(today - 41 * 86_400_000).toISOString().slice(0, 10);
    {
      await using store = await openStore({ ...place, ...owner! });
      const day = { lines: [], usage: [], gatherFingerprint: '', complete: true, gatheredAt: new Date() };
      for (const one of [before, date]) await store.saveGatheredDay({ ...day, date: one });
      const done = { calculationFingerprint: '', calculationId: '', calculatedAt: new Date(), runId: '' };
      await store.saveCalculatedDay({ ...done, date: before, state: 'calculated', lines: [], problems: [] });
      const problems = [before, date].map((one) => makeProblem('CB_BILLING_GATHER', one, { date: one }));
      await store.saveProblems('gather', [before, date], problems);
    }
    const status = await statusOf(config);
    expect(status.dates).toEqual({ calculated: DAYS, held: [], gathered: [date] });
    expect(status.problems).toMatchObject([{ code: 'CB_BILLING_GATHER', date }]);
    expect((await chargeback(['status', '--config', config])).exitCode).toBe(1);
  });

  it('says what it does not know of a database that is not there yet', async () => {
    const { config } = await prepare('fresh', '');
    const status = await chargeback(['status', '--config', config]);
    expect([status.exitCode, status.stdout]).toEqual([1, expect.stringContaining('nothing was run yet')]);
    const prune = await chargeback(['prune', '--config', config]);
    expect([prune.exitCode, prune.stderr]).toEqual([2, expect.stringContaining('there is no database')]);
    const one = await chargeback(['prune', '--config', config, '--json']);
    expect([one.exitCode, JSON.parse(one.stdout)]).toMatchObject([
      2,
      { tenants: [], failures: [{ problem: { code: 'CB_STORAGE_OPEN' } }] },
    ]);
  });
});

describe('a refresh schedule', () => {
  it('is a cron expression in UTC', () => {
    const next = parseSchedule('15 3 * * *').nextRun(new Date('2026-02-01T12:00:00Z'));
    expect(next?.toISOString()).toBe('2026-02-02T03:15:00.000Z');
  });

  it.each(['every day', '61 * * * *', '0 0 31 2 *'])('is refused when it is %j', (expression) => {
    expect(() => parseSchedule(expression)).toThrow(expect.objectContaining({ code: 'CB_CONFIG_VALUE' }));
  });
});
