import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { findEmitter } from '@chargeback/emitters';
import { failedRun, type TenantRun } from '@chargeback/engine';
import { type Logger, makeProblem } from '@chargeback/plugin-api';
import { openStore } from '@chargeback/storage';
import { requireReal, type RealPrometheus, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createHealthMetrics, type HealthMetrics } from '../src/health-metrics.ts';
import { type MetricsServer, type MetricsServerOptions, startMetricsServer } from '../src/metrics-server.ts';
import { observedFetch, type RequestOutcome } from '../src/observed-fetch.ts';
import { readTenantHealth } from '../src/tenant-health.ts';
import { chargeback, filesIn, repository, temporaryFolder } from './support.ts';

const ENDED = new Date('2026-02-07T12:00:00Z');

const completed: TenantRun = {
  ...failedRun('alpha', makeProblem('CB_USAGE_INCOMPLETE', 'a gap')),
  status: 'completed',
  milliseconds: 4_500,
  stages: { gather: 3_000, calculate: 1_000, emit: 500 },
};

function logger(errors: string[] = []): Logger {
  const made: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (_fields, message) => void errors.push(message),
    child: () => made,
  };
  return made;
}

function serve(options: Partial<MetricsServerOptions> = {}): Promise<MetricsServer> {
  return startMetricsServer({
    host: '127.0.0.1',
    port: 0,
    expositions: [],
    health: () => ({ healthy: true }),
    logger: logger(),
    ...options,
  });
}

describe('the metrics server', () => {
  it('serves all expositions as one text in which each metric stands together', async () => {
    const first = '# HELP a_cost Costs.\n# TYPE a_cost gauge\na_cost{tenant="x"} 1\n# TYPE b gauge\nb 2\n';
    const second = '# made elsewhere\n# HELP a_cost Costs.\n# TYPE a_cost gauge\na_cost{tenant="y"} 3';
    const server = await serve({ expositions: [async () => first, async () => second, async () => ''] });
    try {
      const response = await fetch(`${server.url}/metrics?x=1`);
      expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect(response.headers.get('content-encoding')).toBe('gzip');
      const text = await response.text();
      expect(text.split('\n').slice(0, 7)).toEqual([
        '# HELP a_cost Costs.',
        '# TYPE a_cost gauge',
        'a_cost{tenant="x"} 1',
        'a_cost{tenant="y"} 3',
        '# TYPE b gauge',
        'b 2',
        '# HELP chargeback_exposition_failures Sources of metrics that could not be read for this scrape.',
      ]);
      expect(text).toMatch(/^chargeback_exposition_failures 0$/m);
      const plain = await fetch(`${server.url}/metrics`, { headers: { 'accept-encoding': 'identity' } });
      expect(plain.headers.get('content-encoding')).toBeNull();
      expect(await plain.text()).toBe(text);
    } finally {
      await server.stop();
    }
  });

  it('serves the others when one exposition fails, counts it and tells nobody the cause', async () => {
    const errors: string[] = [];
    const failing = () => Promise.reject(new Error('/secret/path'));
    const server = await serve({ expositions: [failing, async () => 'up 1\n'], logger: logger(errors) });
    try {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      expect(text).toMatch(/^up 1$/m);
      expect(text).toMatch(/^chargeback_exposition_failures 1$/m);
      expect(text).not.toContain('secret');
      expect(errors).toEqual(['metrics could not be read']);
    } finally {
      await server.stop();
    }
  });

  it.each([
    ['is well', () => ({ healthy: true, tenants: 2 }), 200, { healthy: true, tenants: 2 }],
    ['is not well', () => ({ healthy: false, reason: 'x' }), 503, { healthy: false, reason: 'x' }],
    ['cannot tell', () => Promise.reject(new Error('/secret/path')), 503, { healthy: false }],
  ])('answers /health when the engine %s', async (_what, health, status, body) => {
    const server = await serve({ health });
    try {
      const response = await fetch(`${server.url}/health`);
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual(body);
    } finally {
      await server.stop();
    }
  });

  it('answers nothing else', async () => {
    const server = await serve();
    try {
      expect((await fetch(`${server.url}/`)).status).toBe(404);
      const posted = await fetch(`${server.url}/metrics`, { method: 'POST' });
      expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      const head = await fetch(`${server.url}/health`, { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
    } finally {
      await server.stop();
    }
    await expect(fetch(`${server.url}/health`)).rejects.toThrow('fetch failed');
  });

  it('says which address it cannot have', async () => {
    const server = await serve();
    try {
      const port = Number(new URL(server.url).port);
      await expect(serve({ port })).rejects.toMatchObject({
        code: 'CB_SERVE_LISTEN',
        message: expect.stringContaining(String(port)),
      });
    } finally {
      await server.stop();
    }
  });
});

describe('the engine’s own metrics', () => {
  const samples = async (metrics: HealthMetrics, name: string): Promise<string[]> =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith(name));

  it('count runs by how they ended and forget problems that are gone', async () => {
    const metrics = createHealthMetrics({ clock: () => ENDED });
    metrics.observeRun(failedRun('alpha', makeProblem('CB_RUN_TIMEOUT', 'too slow')));
    expect(await samples(metrics, 'chargeback_last_completed_run')).toEqual([]);
    metrics.observeRun(completed);
    metrics.observeRun({ ...completed, problems: [] });
    expect(await samples(metrics, 'chargeback_runs_total')).toEqual([
      'chargeback_runs_total{tenant="alpha",status="failed"} 1',
      'chargeback_runs_total{tenant="alpha",status="completed"} 2',
    ]);
    expect(await samples(metrics, 'chargeback_problems')).toEqual([]);
    expect(await samples(metrics, 'chargeback_last_completed_run')).toEqual([
      `chargeback_last_completed_run_timestamp_seconds{tenant="alpha"} ${ENDED.getTime() / 1000}`,
    ]);
  });

  it('show a residue of the smallest unit as something other than 0', async () => {
    const metrics = createHealthMetrics({ clock: () => ENDED });
    const dates = { gathered: 1, held: 2, calculated: 3 };
    const residue = new Map([['USD', 1n]]);
    metrics.observeTenant('alpha', { dates, samplesSeen: 23, samplesExpected: 24, residue });
    expect(await samples(metrics, 'chargeback_reconciliation_residue')).toEqual([
      'chargeback_reconciliation_residue{tenant="alpha",currency="USD"} 1e-8',
    ]);
  });

  it('tell the outcomes of requests apart', async () => {
    const statuses = [200, 404, 429, 500];
    const server = createServer((request, response) => {
      const status = statuses[Number(request.url?.slice(1))];
      if (status !== undefined) response.writeHead(status).end();
      else if (request.url === '/hang') request.resume();
      else request.destroy();
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      const outcomes: RequestOutcome[] = [];
      const observed = observedFetch(globalThis.fetch, (outcome) => outcomes.push(outcome));
      for (const index of statuses.keys()) await observed(`http://127.0.0.1:${port}/${index}`);
      await expect(observed(`http://127.0.0.1:${port}/cut`)).rejects.toThrow('fetch failed');
      const abort = new AbortController();
      const hanging = observed(`http://127.0.0.1:${port}/hang`, { signal: abort.signal });
      abort.abort();
      await expect(hanging).rejects.toThrow('aborted');
      expect(outcomes).toEqual([
        'success',
        'client_error',
        'rate_limited',
        'server_error',
        'failed',
        'aborted',
      ]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

describe.skipIf(!requireReal('scraping with a real Prometheus', process.env))(
  'scraped by a real Prometheus',
  () => {
    const config = path.join(repository, 'examples', 'prometheus-emitter', 'config.yaml');
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let output: string;
    let server: MetricsServer;
    let prometheus: RealPrometheus;

    async function run(): Promise<{ periods_emitted: number; status: string }> {
      const env = {
        DATABASE: `sqlite:///${path.join(folder.path, 'platform.db')}`,
        OUTPUT_DIR: folder.path,
      };
      const result = await chargeback(['run', '--config', config, '--json'], { env, cwd: folder.path });
      if (result.exitCode !== 0) throw new Error(result.stdout + result.stderr);
      return (JSON.parse(result.stdout) as { runs: [{ periods_emitted: number; status: string }] }).runs[0];
    }

    async function query(expression: string): Promise<Sample[]> {
      const response = await fetch(
        `${prometheus.url}/api/v1/query?${new URLSearchParams({ query: expression })}`,
      );
      const answer = (await response.json()) as { data: { result: Sample[] } };
      return answer.data.result;
    }

    const valueOf = async (expression: string): Promise<string | undefined> =>
      (await query(expression))[0]?.value[1];

    beforeAll(async () => {
      folder = await temporaryFolder();
      output = path.join(folder.path, 'prometheus');
      await run();
      const health = createHealthMetrics({ clock: () => ENDED });
      health.observeRun(completed);
      await using store = await openStore({
        connectionString: `sqlite:///${path.join(folder.path, 'platform.db')}`,
        ecosystem: 'generic-metrics',
        tenantId: 'platform',
        workingDirectory: folder.path,
      });
      const window = { start: new Date(Date.now() - 40 * 86_400_000), end: new Date() };
      health.observeTenant('alpha', await readTenantHealth(store, window));
      health.observeRequest({ tenant: 'alpha', outcome: 'rate_limited' });
      const { create, params } = findEmitter('prometheus');
      const host = {
        logger: logger(),
        tenantId: 'platform',
        ecosystem: 'generic-metrics',
        fetch,
        clock: () => new Date(),
        sleep: async () => {},
      };
      // Emitters of another process than the one that emitted.
      const emitters = [{}, { metric_prefix: 'chargeback_team' }].map((more) =>
        create(params.parse({ output_dir: output, ...more }), host),
      );
      server = await serve({
        expositions: [...emitters.map((emitter) => () => emitter.exposition!()), health.text],
      });
      prometheus = await startRealPrometheus({ scrape: [new URL(server.url).host] });
      await vi.waitFor(async () => expect(await valueOf('up')).toBe('1'), { timeout: 20_000 });
    });

    afterAll(async () => {
      await prometheus?.stop();
      await server?.stop();
      await folder?.remove();
    });

    it('answers with the costs of the last day and of the month so far', async () => {
      // 3 instances × 24 hours × 0.50, evenly to three teams
      expect(await valueOf('sum(chargeback_last_day_cost)')).toBe('36');
      const lastDay = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);
      const teams = await query('chargeback_last_day_cost');
      expect(teams.map(({ metric, value }) => [metric['identity_id'], value[1]]).toSorted()).toEqual([
        ['checkout', '12'],
        ['reports', '12'],
        ['search', '12'],
      ]);
      expect(await valueOf('chargeback_last_day_timestamp_seconds')).toBe(
        String(Date.parse(`${lastDay}T00:00:00Z`) / 1000),
      );
      const days = Number(lastDay.slice(8));
      expect(await valueOf('sum(chargeback_month_to_date_cost)')).toBe(String(36 * days));
      expect(await valueOf('chargeback_month_to_date_periods')).toBe(String(days));
    });

    it('answers with the monthly emitter’s costs under its own names and labels', async () => {
      const days = new Date(Date.now() - 2 * 86_400_000).getUTCDate();
      const teams = await query('chargeback_team_month_to_date_cost');
      expect(teams.map(({ metric, value }) => [{ ...metric, job: '', instance: '' }, value[1]])).toEqual(
        ['checkout', 'reports', 'search'].map((identity_id) => [
          {
            __name__: 'chargeback_team_month_to_date_cost',
            job: '',
            instance: '',
            tenant_id: 'platform',
            ecosystem: 'generic-metrics',
            identity_id,
            product_type: 'PLATFORM_COMPUTE',
            currency: 'USD',
          },
          String(12 * days),
        ]),
      );
    });

    it('answers with the engine’s own metrics', async () => {
      expect(await valueOf('chargeback_runs_total{tenant="alpha",status="completed"}')).toBe('1');
      expect(await valueOf('chargeback_stage_duration_seconds_sum{stage="gather"}')).toBe('3');
      expect(await valueOf('chargeback_run_duration_seconds_sum')).toBe('4.5');
      expect(await valueOf('chargeback_problems{code="CB_USAGE_INCOMPLETE"}')).toBe('1');
      expect(await valueOf('chargeback_dates{state="calculated"}')).toBe('34');
      expect(await valueOf('chargeback_dates{state="held"}')).toBe('0');
      expect(await valueOf('chargeback_usage_samples_expected - chargeback_usage_samples_seen')).toBe('0');
      expect(await valueOf('chargeback_reconciliation_residue{currency="USD"}')).toBe('0');
      expect(await valueOf('chargeback_http_requests_total{outcome="rate_limited"}')).toBe('1');
      expect(await valueOf('chargeback_last_run_timestamp_seconds')).toBe(String(ENDED.getTime() / 1000));
      expect(await valueOf('chargeback_exposition_failures')).toBe('0');
    });

    it('emits again what was lost, and nothing else', async () => {
      expect((await run()).periods_emitted).toBe(0);
      const before = await filesIn(output);
      const lost = Object.keys(before).filter((name) => name.startsWith('chargeback+'));
      await rm(path.join(output, lost[3]!));
      expect((await run()).periods_emitted).toBe(1);
      expect(await filesIn(output)).toEqual(before);
      await rm(output, { recursive: true });
      expect((await run()).status).toBe('completed');
      expect(await filesIn(output)).toEqual(before);
    });
  },
);
