import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chargeback, type CommandResult, repository, temporaryFolder } from './support.ts';

const SECRET = 'canary-7f3a-secret';

interface Tenant {
  readonly [key: string]: unknown;
}

/** A whole configuration as JSON, which is YAML too, with the given plugin settings on top. */
function configText(settings: Tenant = {}, tenant: Tenant = {}): string {
  return JSON.stringify(
    {
      tenants: {
        prod: {
          ecosystem: 'generic-metrics',
          tenant_id: 'prod',
          lookback_days: 4,
          cutoff_days: 1,
          storage: { connection_string: 'sqlite:///prod.db' },
          ...tenant,
          plugin_settings: {
            cluster_id: 'c1',
            metrics: { url: 'http://127.0.0.1:9' },
            identity_source: {
              source: 'static',
              static_identities: [{ identity_id: 'team-a', identity_type: 'team' }],
            },
            cost_types: [fixedCost()],
            ...settings,
          },
        },
      },
    },
    undefined,
    2,
  );
}

function fixedCost(overrides: Tenant = {}): Tenant {
  return {
    name: 'COMPUTE',
    product_category: 'compute',
    rate: '2.50',
    cost_quantity: { type: 'fixed', count: 3 },
    allocation_strategy: 'even_split',
    ...overrides,
  };
}

const ingress = {
  name: 'INGRESS',
  product_category: 'network',
  rate: '0.01',
  cost_quantity: { type: 'network_gib', query: 'sum(increase(x_total[1h]))' },
  allocation_strategy: 'even_split',
};

describe('the command line', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: Server | undefined;

  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    await folder.remove();
  });

  const file = (name: string): string => path.join(folder.path, name);
  const withConfig = async (text: string, ...args: readonly string[]): Promise<CommandResult> => {
    await writeFile(file('config.yaml'), text);
    const [command = 'run', ...rest] = args;
    return chargeback([command, '--config', 'config.yaml', ...rest], { cwd: folder.path });
  };
  const serve = async (listener: RequestListener): Promise<string> => {
    server = createServer(listener);
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  it('bills fixed costs for whole UTC days and reconciles them', async () => {
    const result = await withConfig(configText(), 'run', '--json');
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    const reconciled = await withConfig(configText(), 'reconcile', '--tenant', 'prod', '--by', 'day');
    expect(reconciled.stdout).toMatch(/180\.0000 .*180\.0000/);
    expect(reconciled.stdout).toMatch(/540\.0000/);
    expect(reconciled.stdout).toMatch(/Every line adds up to its last digit/);
    expect(reconciled.exitCode).toBe(0);
  });

  it('says what a run without changes did: nothing', async () => {
    await withConfig(configText());
    expect((await withConfig(configText())).stdout).toMatch(/Nothing changed/);
  });

  it('restates the days when a rate changes, and only then', async () => {
    await withConfig(configText());
    const restated = await withConfig(
      configText({ cost_types: [fixedCost({ rate: '5' })] }),
      'run',
      '--json',
    );
    expect(JSON.parse(restated.stdout)).toMatchObject({
      runs: [{ dates_calculated: 3, dates_unchanged: 0 }],
    });
    const reconciled = await withConfig(
      configText({ cost_types: [fixedCost({ rate: '5' })] }),
      'reconcile',
      '--tenant',
      'prod',
    );
    expect(reconciled.stdout).toMatch(/1,080\.0000/);
  });

  it.each<[string, Tenant, RegExp]>([
    [
      'a rate that is no number',
      { cost_types: [fixedCost({ rate: 'abc' })] },
      /cost_types\S*rate.*decimal number/,
    ],
    ['a negative rate', { cost_types: [fixedCost({ rate: '-1' })] }, /decimal number of at least 0/],
    ['a rate beyond reason', { cost_types: [fixedCost({ rate: '1e400' })] }, /rate.*at most/],
    ['a count of zero', { cost_types: [fixedCost({ cost_quantity: { type: 'fixed', count: 0 } })] }, /count/],
    ['no cost types', { cost_types: [] }, /cost_types/],
    ['one cost type twice', { cost_types: [fixedCost(), fixedCost()] }, /COMPUTE is defined twice/],
    [
      'usage_ratio without its query',
      { cost_types: [fixedCost({ allocation_strategy: 'usage_ratio' })] },
      /allocation_query required/,
    ],
    ['an unknown key', { clutser_id: 'x' }, /clutser_id.*cluster_id/s],
    [
      'prometheus identities without a discovery query',
      { identity_source: { source: 'prometheus' } },
      /discovery_query required/,
    ],
    [
      'basic authentication without a password',
      { metrics: { url: 'http://x', auth_type: 'basic', username: 'u' } },
      /password/,
    ],
    [
      'a token with basic authentication',
      { metrics: { url: 'http://x', auth_type: 'none', bearer_token: SECRET } },
      /auth_type is 'none'/,
    ],
    [
      'mixed ranges in one query',
      {
        cost_types: [
          {
            ...ingress,
            cost_quantity: { type: 'network_gib', query: 'sum(increase(a[1h])) + sum(increase(b[30m]))' },
          },
        ],
      },
      /mixes the ranges/,
    ],
    [
      'a rate where an increase is needed',
      { cost_types: [{ ...ingress, cost_quantity: { type: 'network_gib', query: 'sum(rate(a[1h]))' } }] },
      /use increase/,
    ],
    ['an unknown emitter', { emitters: [{ type: 'pigeon' }] }, /pigeon.*csv/s],
    [
      'an emitter finer than the data',
      { emitters: [{ type: 'csv', aggregation: 'hourly', params: { output_dir: 'o' } }] },
      /hourly.*chargeback_granularity is daily/,
    ],
    [
      'two emitters of one name',
      {
        emitters: [
          { type: 'csv', params: { output_dir: 'a' } },
          { type: 'csv', params: { output_dir: 'b' } },
        ],
      },
      /two emitters are named csv/,
    ],
    [
      'two emitters that write the same files',
      {
        emitters: [
          { type: 'csv', name: 'days', params: { output_dir: 'out' } },
          { type: 'csv', name: 'months', aggregation: 'monthly', params: { output_dir: './out/' } },
        ],
      },
      /days and .*months write the same files/,
    ],
    ['an emitter without its folder', { emitters: [{ type: 'csv' }] }, /output_dir/],
  ])('refuses %s with the place and exit code 2', async (_what, settings, message) => {
    const result = await withConfig(configText(settings), 'validate');
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(/config\.yaml:\d+:\d+/);
    expect(result.stderr + result.stdout).not.toContain(SECRET);
  });

  it('reports the problems of several tenants and sections at once', async () => {
    const text = configText(
      { cluster_id: '', cost_types: [fixedCost({ rate: 'abc' })] },
      { lookback_days: 0 },
    );
    const result = await withConfig(text, 'validate');
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/lookback_days/);
    expect(result.stderr).toMatch(/cluster_id/);
    expect(result.stderr).toMatch(/decimal number of at least 0/);
  });

  it.each([
    ['malformed YAML', 'tenants: [', /CB_CONFIG_YAML|config\.yaml:1/],
    [
      'a missing variable',
      'tenants: { a: { ecosystem: generic-metrics, tenant_id: "${NOT_SET_ANYWHERE}" } }',
      /NOT_SET_ANYWHERE/,
    ],
    ['a file that is not there', undefined, /CB_CONFIG_READ/],
  ])('refuses %s', async (_what, text, message) => {
    const result =
      text === undefined
        ? await chargeback(['validate', '--config', 'absent.yaml'], { cwd: folder.path })
        : await withConfig(text, 'validate');
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(message);
  });

  it('lets a tenant with an unknown ecosystem fail alone, quoting why a plugin did not load', async () => {
    await mkdir(file('plugins/broken'), { recursive: true });
    await writeFile(file('plugins/broken/index.mjs'), 'throw new Error("the moon is full");');
    const config = JSON.parse(configText()) as { tenants: Record<string, Tenant>; plugins_path?: string };
    config.plugins_path = 'plugins';
    config.tenants['other'] = {
      ...config.tenants['prod'],
      ecosystem: 'broken',
      storage: { connection_string: 'sqlite:///other.db' },
    };
    const result = await withConfig(JSON.stringify(config), 'run', '--json');
    const { runs } = JSON.parse(result.stdout) as {
      runs: { tenant: string; status: string; problems: { message: string }[] }[];
    };
    expect(runs.map(({ tenant, status }) => `${tenant} ${status}`)).toEqual([
      'prod completed',
      'other failed',
    ]);
    expect(runs[1]!.problems[0]!.message).toMatch(/the moon is full/);
    expect(result.exitCode).toBe(2);
  });

  it.each<[string, RequestListener, RegExp]>([
    [
      'refuses the credentials',
      (_request, response) => response.writeHead(401).end('no'),
      /CB_METRICS_AUTH|401/,
    ],
    [
      'answers HTML',
      (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      /Prometheus HTTP API|HTML|JSON/i,
    ],
    [
      'rejects the query',
      (_request, response) =>
        response.writeHead(400).end('{"status":"error","errorType":"bad_data","error":"parse error"}'),
      /parse error/,
    ],
  ])('holds metric lines, and bills the fixed ones, when the server %s', async (_what, listener, message) => {
    const url = await serve(listener);
    const metrics = { url, auth_type: 'bearer', bearer_token: SECRET };
    const result = await withConfig(
      configText({ metrics, cost_types: [fixedCost(), ingress] }),
      'run',
      '--json',
    );
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(message);
    expect(JSON.parse(result.stdout)).toMatchObject({ runs: [{ dates_held: 3 }] });
    expect(result.stdout + result.stderr).not.toContain(SECRET);
    expect((await readFile(file('prod.db'))).includes(SECRET)).toBe(false);
    const reconciled = await withConfig(
      configText({ metrics, cost_types: [fixedCost(), ingress] }),
      'reconcile',
      '--tenant',
      'prod',
      '--json',
    );
    expect(JSON.parse(reconciled.stdout)).toMatchObject({
      totals: [{ allocated: '540.0000', difference: '0.0000' }],
    });
  });

  it('names the folder of a database that cannot be made', async () => {
    const storage = { connection_string: 'sqlite:///no/such/folder/x.db' };
    const result = await withConfig(configText({}, { storage }), 'run', '--json');
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toMatch(/CB_STORAGE_OPEN/);
    expect(result.stdout).toMatch(/no\/such\/folder/);
  });

  it('refuses the database of another tenant', async () => {
    await withConfig(configText());
    const result = await withConfig(configText({}, { tenant_id: 'somebody-else' }), 'run', '--json');
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toMatch(/CB_STORAGE_OWNER/);
  });

  it('keeps rows safe when the output folder cannot be written, and emits them later', async () => {
    await writeFile(file('out'), 'a file where the folder should be');
    const settings = { emitters: [{ type: 'csv', params: { output_dir: 'out' } }] };
    const failed = await withConfig(configText(settings), 'run', '--json');
    expect(failed.exitCode).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({ runs: [{ dates_calculated: 3, periods_emitted: 0 }] });
    await unlink(file('out'));
    const healed = await withConfig(configText(settings), 'run', '--json');
    expect(JSON.parse(healed.stdout)).toMatchObject({ runs: [{ dates_calculated: 0, periods_emitted: 3 }] });
    expect(healed.exitCode).toBe(0);
  });

  it('accepts the configuration that the README shows, and every example', async () => {
    const readme = await readFile(path.join(repository, 'README.md'), 'utf8');
    const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(await withConfig(yaml!, 'validate')).toMatchObject({ exitCode: 0 });
    const env = { CCLOUD_API_KEY: 'KEY', CCLOUD_API_SECRET: 'SECRET' };
    const files = await readdir(path.join(repository, 'examples'), { recursive: true });
    const configs = files.filter(
      (name) => /^[^.]*config\.yaml$/u.test(name) && !name.includes('node_modules'),
    );
    expect(configs.length).toBeGreaterThanOrEqual(7);
    for (const example of configs) {
      const config = path.join(repository, 'examples', example);
      expect(await chargeback(['validate', '--config', config], { env }), example).toMatchObject({
        exitCode: 0,
      });
    }
  });

  it('never settles a cost without a single sample at zero, however often it is tried', async () => {
    const url = await serve((_request, response) =>
      response.end('{"status":"success","data":{"resultType":"matrix","result":[]}}'),
    );
    const settings = { metrics: { url }, cost_types: [fixedCost(), ingress] };
    for (let tries = 0; tries < 5; tries += 1) {
      const result = await withConfig(configText(settings), 'run', '--json');
      expect(result.exitCode).toBe(1);
      expect(JSON.parse(result.stdout)).toMatchObject({ runs: [{ dates_held: 3 }] });
    }
    const fallback = await withConfig(
      configText({ ...settings, missing_usage: 'fallback' }),
      'run',
      '--json',
    );
    expect(fallback.exitCode).toBe(0);
    expect(fallback.stdout).toMatch(/CB_USAGE_INCOMPLETE/);
  });

  it('refuses days that are not over yet', async () => {
    const result = await withConfig(configText(), 'run', '--from', '2030-01-01', '--to', '2030-01-02');
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/beyond the last day that is over/);
  });

  it('does not reconcile what is not there: neither a missing database nor days without a bill', async () => {
    const missing = await withConfig(configText(), 'reconcile', '--tenant', 'prod');
    expect(missing.exitCode).toBe(2);
    expect(missing.stderr).toMatch(/there is no database .*prod\.db yet/);
    expect(existsSync(file('prod.db'))).toBe(false);
    await withConfig(configText());
    const early = await withConfig(
      configText(),
      'reconcile',
      '--tenant',
      'prod',
      '--from',
      '2020-01-01',
      '--to',
      '2020-01-02',
    );
    expect(early.stdout).toMatch(/Nothing was billed in these days/);
    expect(early.stdout).not.toMatch(/adds up/);
  });

  it('leaves a folder alone that no demo wrote', async () => {
    await writeFile(file('chargeback.db'), 'my ledger');
    const result = await chargeback(['demo', '--output', '.'], { cwd: folder.path });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/holds files that no demo wrote/);
    expect(await readFile(file('chargeback.db'), 'utf8')).toBe('my ledger');
  });

  it.each(['mysql://host/db', 'postgresql://host', 'sqlite://data/x.db', 'x.db'])(
    'refuses the connection string %s when it validates',
    async (text) => {
      const result = await withConfig(configText({}, { storage: { connection_string: text } }), 'validate');
      expect(result.exitCode).toBe(2);
      expect(result.stderr).toMatch(/config\.yaml:\d+:\d+ .*connection string/);
    },
  );

  it('offers the tenants there are when an unknown one is named', async () => {
    const result = await withConfig(configText(), 'run', '--tenant', 'pord');
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toMatch(/Use one of: prod/);
  });

  it.each([
    [['run']],
    [['run', '--config', 'x.yaml', '--from', '2026-02-30']],
    [['reconcile', '--config', 'x.yaml']],
    [['rnu']],
  ])('ends with exit code 2 and a hint for %j', async (args) => {
    const result = await chargeback(args, { cwd: folder.path });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).not.toBe('');
  });

  it('lists the built-in ecosystems and prints a JSON schema that knows them', async () => {
    const list = await chargeback(['plugins', 'list', '--json'], { cwd: folder.path });
    expect(JSON.parse(list.stdout)).toMatchObject({
      plugins: [
        { ecosystem: 'ccloud', aliases: ['confluent_cloud'] },
        { ecosystem: 'generic-metrics', aliases: ['generic_metrics_only'] },
        { ecosystem: 'self-managed-kafka', aliases: ['self_managed_kafka'] },
      ],
      failures: [],
    });
    const schema = await chargeback(['config', 'schema'], { cwd: folder.path });
    const committed = await readFile(path.join(repository, 'docs', 'config.schema.json'), 'utf8');
    expect(JSON.parse(schema.stdout)).toEqual(JSON.parse(committed));
  });

  it('runs the demo to a summary that adds up, in a folder of the caller, the same each time', async () => {
    const first = await chargeback(['demo', '--output', 'one', '--json'], { cwd: folder.path });
    expect(first, first.stderr).toMatchObject({ exitCode: 0 });
    const second = await chargeback(['demo', '--output', 'two', '--json'], { cwd: folder.path });
    const summary = (result: CommandResult): Record<string, unknown> => {
      const { folder: _, ...rest } = JSON.parse(result.stdout) as Record<string, unknown>;
      return rest;
    };
    expect(summary(first)).toEqual(summary(second));
    const addsUp = [{ difference: '0.0000', held: '0.0000' }];
    expect(summary(first)).toMatchObject({
      tenants: [
        { tenant: 'nordwind', reconciliation: addsUp, problems: [] },
        { tenant: 'lindqvist', reconciliation: addsUp, problems: [] },
      ],
    });
    const readable = await chargeback(['demo', '--output', 'one'], { cwd: folder.path });
    expect(readable.stdout).toMatch(
      /Cost by team[\s\S]*Cost by product[\s\S]*How it was allocated[\s\S]*to the last digit[\s\S]*Cost by account[\s\S]*to the last digit/,
    );
  });
});
