import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chargeback, filesIn, parseCsv, repository, temporaryFolder, unitsOf } from './support.ts';

const ALLOCATOR = `
import { Decimal } from '@chargeback/money';
import { defineAllocator } from '@chargeback/plugin-api';
import { z } from 'zod';

export const weighted = defineAllocator({
  params: z.strictObject({ weights: z.record(z.string(), z.int().min(0)) }),
  create: ({ weights }) => () => ({
    portions: [{
      ratio: new Decimal(1),
      recipients: Object.entries(weights).map(([identityId, weight]) => ({ identityId, weight: BigInt(weight) })),
      costType: 'SHARED', method: 'weighted', detail: null, chainTier: null, compositionIndex: null, tiersTried: [],
    }],
  }),
});
`;

const RESOLVER = `
export const onlyTeamB = ({ inventory }) => ({
  resourceActive: [...inventory.identities.values()].filter(({ identityId }) => identityId === 'team-b'),
  metricsDerived: [],
});
`;

const EMITTER = `
import { appendFileSync } from 'node:fs';
import { defineEmitter } from '@chargeback/plugin-api';
import { z } from 'zod';

export const tally = defineEmitter({
  type: 'tally',
  params: z.strictObject({ file: z.string().min(1) }),
  create: ({ file }) => ({
    async emit({ rows }) {
      const totals = new Map();
      let rowCount = 0;
      for await (const chunk of rows) for (const { amount } of chunk) {
        rowCount += 1;
        totals.set(amount.currency, (totals.get(amount.currency) ?? 0n) + amount.units);
      }
      appendFileSync(file, rowCount + ' ' + totals.get('USD') + '\\n');
      return { rowCount, totals };
    },
  }),
});
`;

const PLUGIN = `
import { terminal } from '@chargeback/allocation';
import { Decimal, parseMoney } from '@chargeback/money';
import { daysOf, pluginSettingsBaseSchema, startOfDay } from '@chargeback/plugin-api';

const route = (productType) => ({
  productType, usage: [], resolve: () => ({ resourceActive: [], metricsDerived: [] }), allocate: terminal('resource'),
});

export const register = () => ({
  apiVersion: 1, ecosystem: 'tin', settings: pluginSettingsBaseSchema,
  create: async () => ({
    routes: [route('TIN')], fallback: route('*'), regather: 'always', gatherKey: 'tin',
    async *billing(window) {
      yield { window, problems: [], lines: daysOf(window).map((date) => ({
        lineId: date, timestamp: startOfDay(date), granularity: 'daily', resourceId: 'mine', environmentId: null,
        productCategory: 'metal', productType: 'TIN', quantity: new Decimal(1), unitPrice: new Decimal(7),
        totalCost: parseMoney('7', 'USD').amount, coverage: null, metadata: {},
      })) };
    },
    async [Symbol.asyncDispose]() {},
  }),
});
`;

describe('a configuration with code of its own', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const file = (name: string): string => path.join(folder.path, name);

  beforeEach(async () => {
    folder = await temporaryFolder();
    await write('allocators/teams.mjs', ALLOCATOR);
    await write('resolvers.mjs', RESOLVER);
    await write('emitters/tally.mjs', EMITTER);
    await mkdir(file('node_modules/@chargeback'), { recursive: true });
    for (const name of ['money', 'plugin-api', 'allocation']) {
      await symlink(path.join(repository, 'packages', name), file(`node_modules/@chargeback/${name}`));
    }
    await symlink(path.join(repository, 'packages/plugin-api/node_modules/zod'), file('node_modules/zod'));
  });
  afterEach(() => folder.remove());

  const write = async (name: string, content: string): Promise<void> => {
    await mkdir(path.dirname(file(name)), { recursive: true });
    await writeFile(file(name), content);
  };

  const weighted = { use: 'allocators.teams.weighted', params: { weights: { 'team-a': 3, 'team-b': 1 } } };

  /** 2.50 × 3 × 24 = 180.00 a day, evenly across two teams unless something replaces that. */
  const configure = (settings: object = {}, top: object = {}): Promise<void> =>
    write(
      'config.yaml',
      JSON.stringify(
        {
          ...top,
          tenants: {
            prod: {
              ecosystem: 'generic-metrics',
              tenant_id: 'prod',
              lookback_days: 10,
              cutoff_days: 1,
              storage: { connection_string: 'sqlite:///prod.db' },
              plugin_settings: {
                cluster_id: 'c1',
                metrics: { url: 'http://127.0.0.1:9' },
                min_refresh_gap_seconds: 0,
                identity_source: {
                  source: 'static',
                  static_identities: [
                    { identity_id: 'team-a', identity_type: 'team' },
                    { identity_id: 'team-b', identity_type: 'team' },
                  ],
                },
                cost_types: [
                  {
                    name: 'COMPUTE',
                    product_category: 'compute',
                    rate: '2.50',
                    cost_quantity: { type: 'fixed', count: 3 },
                    allocation_strategy: 'even_split',
                  },
                ],
                emitters: [{ type: 'csv', params: { output_dir: 'out' } }],
                ...settings,
              },
            },
          },
        },
        undefined,
        2,
      ),
    );

  const command = (...args: string[]) => chargeback(args, { cwd: folder.path });
  const run = () => command('run', '--config', 'config.yaml', '--json');

  const shares = async (): Promise<Record<string, bigint>> => {
    const [text] = Object.values(await filesIn(file('out')));
    return Object.fromEntries(parseCsv(text!).map(({ identity, amount }) => [identity, unitsOf(amount)]));
  };

  it('allocates by it, tells so in the wiring, and recalculates when it is edited', async () => {
    await configure({ allocator_overrides: { COMPUTE: weighted } });
    expect((await run()).exitCode).toBe(0);
    expect(await shares()).toEqual({ 'team-a': 13_500_000_000n, 'team-b': 4_500_000_000n });
    const wiring = await command(
      'plugins',
      'wiring',
      '--config',
      'config.yaml',
      '--tenant',
      'prod',
      '--json',
    );
    const line = (await readFile(file('config.yaml'), 'utf8'))
      .split('\n')
      .findIndex(
        (text, index, all) =>
          text.includes('"COMPUTE": {') && all[index - 1]!.includes('allocator_overrides'),
      );
    expect(JSON.parse(wiring.stdout)).toMatchObject({
      tenant: 'prod',
      wiring: [
        {
          product_type: 'COMPUTE',
          resolver_origin: 'plugin',
          allocator: 'allocators.teams.weighted',
          allocator_origin: `config.yaml:${line + 1}`,
        },
        { product_type: '*', allocator: 'terminal(resource)', allocator_origin: 'plugin' },
      ],
    });
    const again = JSON.parse((await run()).stdout) as { runs: { dates_unchanged: number }[] };
    expect(again.runs[0]!.dates_unchanged).toBeGreaterThan(0);
    await write('allocators/teams.mjs', ALLOCATOR.replace('BigInt(weight)', 'BigInt(weight * weight)'));
    const edited = JSON.parse((await run()).stdout) as { runs: { dates_unchanged: number }[] };
    expect(edited.runs[0]!.dates_unchanged).toBe(0);
    expect(await shares()).toEqual({ 'team-a': 16_200_000_000n, 'team-b': 1_800_000_000n });
  });

  it('resolves and emits by it', async () => {
    await configure({
      identity_resolution_overrides: { COMPUTE: './resolvers.mjs#onlyTeamB' },
      emitters: [
        { type: 'csv', params: { output_dir: 'out' } },
        { type: 'emitters.tally.tally', name: 'tally', params: { file: 'tally.txt' } },
      ],
    });
    const result = await run();
    expect(result.exitCode, result.stdout + result.stderr).toBe(0);
    expect(await shares()).toEqual({ 'team-b': 18_000_000_000n });
    const tallies = (await readFile(file('tally.txt'), 'utf8')).trimEnd().split('\n');
    expect(new Set(tallies)).toEqual(new Set(['1 18000000000']));
  });

  it('is refused by validate with every problem at once, and not run with --no-import', async () => {
    await write(
      'trap.mjs',
      `import { writeFileSync } from 'node:fs'; writeFileSync('trapped', ''); export const x = 1;`,
    );
    await configure({
      allocator_overrides: { COMPUT: './trap.mjs#x' },
      identity_resolution_overrides: { COMPUTE: 'gone.module.x' },
      emitters: [
        { type: 'emitters.tally.tally', params: { fil: 'x' } },
        { type: 'emitters.tally.tall', name: 'b' },
      ],
    });
    const checked = await command('validate', '--config', 'config.yaml', '--no-import');
    expect(checked.exitCode).toBe(2);
    expect(checked.stderr).toContain('did you mean COMPUTE?');
    expect(checked.stderr).toContain('gone/module.js');
    expect(checked.stderr).not.toContain('of kind');
    await expect(readFile(file('trapped'))).rejects.toThrow('ENOENT');
    const validated = await command('validate', '--config', 'config.yaml', '--json');
    const { problems } = JSON.parse(validated.stdout) as { problems: { code: string; line: number }[] };
    expect(problems.map(({ code }) => code).toSorted()).toEqual([
      'CB_CONFIG_UNKNOWN_KEY',
      'CB_CONFIG_VALUE',
      'CB_OVERRIDE_EXPORT',
      'CB_OVERRIDE_KIND',
      'CB_OVERRIDE_MODULE',
      'CB_OVERRIDE_PRODUCT_TYPE',
    ]);
    expect(problems.every(({ line }) => line > 0)).toBe(true);
    await expect(readFile(file('trapped'))).resolves.toBeDefined();
  });

  it('bills by a plugin of plugins_path, and goes on beside one that does not load, whose whole cause is logged', async () => {
    await write('plugins/tin/index.mjs', PLUGIN);
    await write('plugins/bad/index.mjs', 'function deep() { throw new Error("moon full"); } deep();');
    await configure(
      { cluster_id: undefined, metrics: undefined, identity_source: undefined, cost_types: undefined },
      { plugins_path: 'plugins' },
    );
    const text = await readFile(file('config.yaml'), 'utf8');
    await write('config.yaml', text.replace('generic-metrics', 'tin'));
    const result = await run();
    expect(result.exitCode, result.stdout + result.stderr).toBe(0);
    expect(await shares()).toEqual({ mine: 700_000_000n });
    const warning = result.stderr.split('\n').find((logged) => logged.includes('moon full'))!;
    expect(JSON.parse(warning)).toMatchObject({ level: 40, code: 'CB_PLUGIN_LOAD' });
    expect(warning).toContain('at deep');
  });

  it('bills by a plugin package that is installed beside the configuration only', async () => {
    await write('node_modules/chargeback-plugin-tin/index.mjs', PLUGIN);
    await write(
      'node_modules/chargeback-plugin-tin/package.json',
      '{"name":"chargeback-plugin-tin","version":"1.0.0","type":"module","exports":"./index.mjs"}',
    );
    await configure(
      { cluster_id: undefined, metrics: undefined, identity_source: undefined, cost_types: undefined },
      { plugins: ['chargeback-plugin-tin'] },
    );
    const text = await readFile(file('config.yaml'), 'utf8');
    await write('config.yaml', text.replace('generic-metrics', 'tin'));
    expect((await run()).exitCode).toBe(0);
    // This plugin tells its product types only once it is connected.
    const wiring = await command('plugins', 'wiring', '--config', 'config.yaml', '--tenant', 'prod');
    expect(wiring.stdout).toContain('terminal(resource)');
  });
});
