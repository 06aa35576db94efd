import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseConfig } from '@chargeback/config';
import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveOverrides } from '../src/index.ts';
import { silentLogger } from './support.ts';
import { evenRoute } from './worlds.ts';

const packages = path.resolve(import.meta.dirname, '..', '..');
const SECTION = ['tenants', 'prod', 'plugin_settings'];

/** Everything to one recipient, without any import: a file that works in an empty folder needs the Decimal of money. */
const MODULE = `
import { Decimal } from '@chargeback/money';
const plan = (identityId) => ({ portions: [{ ratio: new Decimal(1), recipients: [{ identityId, weight: 1n }],
  costType: 'SHARED', method: 'mine', detail: null, chainTier: null, compositionIndex: null, tiersTried: [] }] });
export const toNobody = () => plan('UNALLOCATED');
export const everybody = ({ inventory }) => ({ resourceActive: [...inventory.identities.values()], metricsDerived: [] });
export const number = 5;
export const stepsAside = () => ({ stepAside: true, because: 'NO_METRICS_LOCATED' });
export const promises = async () => plan('UNALLOCATED');
let calls = 0;
export const fickle = () => ({ portions: [{ ...plan('UNALLOCATED').portions[0], method: 'm' + (calls += 1) }] });
export const loops = () => { for (;;); };
`;

const WITH_PARAMS = `
import { defineAllocator } from '@chargeback/plugin-api';
import { z } from 'zod';
import { toNobody } from './team.mjs';
export const weighted = defineAllocator({
  params: z.strictObject({ weight: z.int().min(1), file: z.string().optional() }),
  create: ({ weight, file }, host) => {
    if (weight === 13) throw new Error('unlucky');
    if (file) host.readText(file);
    return toNobody;
  },
});
`;

describe('overrides are checked before any money moves:', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'chargeback-overrides-'));
    await write('allocators/team.mjs', MODULE);
    await write('allocators/params.mjs', WITH_PARAMS);
    // As an installed application would bring them; with the sources of this workspace behind them.
    await mkdir(path.join(folder, 'node_modules', '@chargeback'), { recursive: true });
    for (const name of ['money', 'plugin-api', 'allocation']) {
      await symlink(path.join(packages, name), path.join(folder, 'node_modules', '@chargeback', name));
    }
    await symlink(
      path.join(packages, 'plugin-api', 'node_modules', 'zod'),
      path.join(folder, 'node_modules', 'zod'),
    );
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const write = async (name: string, content: string): Promise<void> => {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  };

  const resolve = async (
    lines: readonly string[],
    { importCode = true, key = 'allocator_overrides' }: { importCode?: boolean; key?: string } = {},
  ) => {
    const text = [
      'tenants:',
      '  prod:',
      '    ecosystem: demo',
      '    tenant_id: t-1',
      '    storage: { connection_string: "sqlite:///x.db" }',
      '    plugin_settings:',
      `      ${key}:`,
      ...lines.map((line) => `        ${line}`),
    ].join('\n');
    const loaded = parseConfig(text, { file: path.join(folder, 'config.yaml'), environment: {} });
    const settings = loaded.checkSection(SECTION, pluginSettingsBaseSchema);
    if ('problems' in settings) throw new Error(JSON.stringify(settings.problems));
    return resolveOverrides({
      loaded,
      section: SECTION,
      settings: settings.value,
      routing: {
        routes: [evenRoute('COMPUTE', ['a']), evenRoute('STORAGE', ['a'])],
        fallback: evenRoute('*', []),
      },
      places: {
        directory: folder,
        stripsTypes: true,
        resolveFromApplication: (specifier) => {
          if (specifier === 'bundled') return pathToFileURL(path.join(folder, 'allocators', 'team.mjs')).href;
          throw new Error(`Cannot find package '${specifier}'`);
        },
      },
      importCode,
      logger: silentLogger,
    });
  };

  const problemsOf = async (...args: Parameters<typeof resolve>) => {
    const outcome = await resolve(...args);
    if (!('problems' in outcome)) throw new Error('there are no problems');
    return outcome.problems;
  };

  const overridesOf = async (...args: Parameters<typeof resolve>) => {
    const outcome = await resolve(...args);
    if ('problems' in outcome) throw new Error(outcome.problems.map(({ message }) => message).join('\n'));
    return outcome.overrides;
  };

  it.each([
    ['COMPUTE: allocators.team.toNobody'],
    ['COMPUTE: ./allocators/team.mjs#toNobody'],
    ['COMPUTE: bundled#toNobody'],
    ['COMPUTE: { use: allocators.params.weighted, params: { weight: 2 } }'],
    ['"*": allocators.team.toNobody'],
    ['COMPUTE: "@chargeback/allocation#evenSplitAllocator"'],
    ['COMPUTE: { use: "@chargeback/allocation#usageRatioAllocator", params: { queries: [bytes] } }'],
    ['COMPUTE: { use: "@chargeback/allocation#directOwnerAllocator", params: { owner: finance } }'],
    ['COMPUTE: { use: "@chargeback/allocation#terminalAllocator", params: { to: resource } }'],
  ])('%s is found, run and rehearsed', async (line) => {
    const { allocators } = await overridesOf([line]);
    expect([...allocators.values()]).toMatchObject([{ place: 'config.yaml:8' }]);
  });

  it('TypeScript is run where the runtime strips types', async () => {
    await write(
      'allocators/typed.ts',
      `import type { CostAllocator } from '@chargeback/plugin-api';
       import { toNobody } from './team.mjs';
       export const typed: CostAllocator = (context) => toNobody(context);`,
    );
    expect((await overridesOf(['COMPUTE: allocators.typed.typed'])).allocators.size).toBe(1);
  });

  it('a resolver is found as an allocator is', async () => {
    const { resolvers } = await overridesOf(['COMPUTE: allocators.team.everybody'], {
      key: 'identity_resolution_overrides',
    });
    expect(resolvers.get('COMPUTE')?.use).toBe('allocators.team.everybody');
  });

  it.each<[line: string, code: string, message: RegExp, fix: RegExp]>([
    ['COMPUTE: nodots', 'CB_OVERRIDE_SYNTAX', /module and its export/, /dir\.module\.export/],
    ['COMPUTE: a..b', 'CB_OVERRIDE_SYNTAX', /"" is no name/, /package#export/],
    ['COMPUTE: ./x.mjs#a#b', 'CB_OVERRIDE_SYNTAX', /more than one #/, /dir\.module/],
    ['COMPUTE: "spa ce#a"', 'CB_OVERRIDE_SYNTAX', /neither package nor file/, /dir\.module/],
    ['COMPUTE: "./x.mjs#1a"', 'CB_OVERRIDE_SYNTAX', /no name of an export/, /dir\.module/],
    [
      'COMPUT: allocators.team.toNobody',
      'CB_OVERRIDE_PRODUCT_TYPE',
      /did you mean COMPUTE\?/,
      /\*, COMPUTE, STORAGE/,
    ],
    ['COMPUTE: allocators.gone.x', 'CB_OVERRIDE_MODULE', /gone\.js, .*gone\.mjs.*gone\.ts/, /paths tried/],
    ['COMPUTE: ./gone.mjs#x', 'CB_OVERRIDE_MODULE', /tried .*gone\.mjs/, /paths tried/],
    ['COMPUTE: "@acme/gone/sub#x"', 'CB_OVERRIDE_MODULE', /found neither from/, /npm install @acme\/gone\./],
    [
      'COMPUTE: allocators.team.toNobdy',
      'CB_OVERRIDE_EXPORT',
      /does not export toNobdy/,
      /exports: .*toNobody/,
    ],
    ['COMPUTE: allocators.team.number', 'CB_OVERRIDE_KIND', /of kind number/, /defineAllocator/],
    [
      'COMPUTE: "@chargeback/plugin-api#NO_PARAMS"',
      'CB_OVERRIDE_KIND',
      /allocator is wanted/,
      /defineAllocator/,
    ],
    ['COMPUTE: { use: allocators.params.weighted, params: { weight: 0 } }', 'CB_CONFIG_VALUE', /1/, /./],
    [
      'COMPUTE: { use: allocators.params.weighted, params: { wieght: 1 } }',
      'CB_CONFIG_VALUE',
      /required|missing/,
      /./,
    ],
    [
      'COMPUTE: { use: allocators.params.weighted, params: { weight: 13 } }',
      'CB_OVERRIDE_CREATE',
      /unlucky/,
      /./,
    ],
    [
      'COMPUTE: { use: allocators.params.weighted, params: { weight: 1, file: gone.csv } }',
      'CB_OVERRIDE_CREATE',
      /gone\.csv/,
      /./,
    ],
    ['COMPUTE: { use: allocators.team.toNobody, params: { a: 1 } }', 'CB_CONFIG_UNKNOWN_KEY', /./, /./],
    [
      'COMPUTE: allocators.team.everybody',
      'CB_OVERRIDE_REHEARSAL',
      /no identities: .*plan with portions/,
      /Return/,
    ],
    ['COMPUTE: allocators.team.stepsAside', 'CB_OVERRIDE_REHEARSAL', /stepped aside/, /./],
    ['COMPUTE: allocators.team.promises', 'CB_OVERRIDE_REHEARSAL', /got a promise/, /./],
    ['COMPUTE: allocators.team.fickle', 'CB_OVERRIDE_REHEARSAL', /answered differently twice/, /no clock/],
    ['COMPUTE: allocators.team.loops', 'CB_OVERRIDE_REHEARSAL', /did not end within 2 s/, /./],
  ])('%s is refused with %s', async (line, code, message, fix) => {
    const problems = await problemsOf([line]);
    expect(problems.map((problem) => problem.code)).toContain(code);
    const problem = problems.find((found) => found.code === code)!;
    expect(problem).toMatchObject({ line: 8, severity: 'error' });
    expect(problem.message).toMatch(message);
    expect(problem.fix).toMatch(fix);
  });

  it('a module that cannot be loaded is quoted with its cause, and a missing package with what to install', async () => {
    await write('broken.mjs', 'throw new Error("no licence");');
    await write('lonely.mjs', 'import "left-out";');
    const [broken, lonely] = await problemsOf(['COMPUTE: ./broken.mjs#x', 'STORAGE: ./lonely.mjs#x']);
    expect(broken).toMatchObject({ code: 'CB_OVERRIDE_IMPORT', line: 8 });
    expect(broken!.message).toContain('no licence');
    expect(lonely).toMatchObject({ code: 'CB_OVERRIDE_IMPORT', line: 9 });
    expect(lonely!.message).toContain('left-out');
  });

  it('two files that both answer are refused', async () => {
    await write('allocators/team.js', MODULE);
    expect(await problemsOf(['COMPUTE: allocators.team.toNobody'])).toMatchObject([
      { code: 'CB_OVERRIDE_MODULE' },
    ]);
  });

  it('all problems are told together, each with its line', async () => {
    const problems = await problemsOf(['COMPUT: allocators.gone.x', 'STORAGE: nodots']);
    expect(problems.map(({ code, line }) => `${line} ${code}`)).toEqual([
      '8 CB_OVERRIDE_PRODUCT_TYPE',
      '8 CB_OVERRIDE_MODULE',
      '9 CB_OVERRIDE_SYNTAX',
    ]);
  });

  it('without import nothing is run, and what can be seen without is still told', async () => {
    await write('trap.mjs', 'globalThis.trapped = true; export const x = 1;');
    expect((await overridesOf(['COMPUTE: ./trap.mjs#x'], { importCode: false })).allocators.size).toBe(0);
    expect('trapped' in globalThis).toBe(false);
    const problems = await problemsOf(['COMPUTE: ./gone.mjs#x'], { importCode: false });
    expect(problems).toMatchObject([{ code: 'CB_OVERRIDE_MODULE' }]);
  });

  it('the digest follows parameters, the module, what it imports and what it reads, and nothing else', async () => {
    const line = 'COMPUTE: { use: allocators.params.weighted, params: { weight: 2, file: teams.csv } }';
    await write('teams.csv', 'a,1');
    const digest = async (text = line) => (await overridesOf([text])).digest;
    const first = await digest();
    expect(await digest()).toBe(first);
    await write('unrelated.mjs', 'export {};');
    expect(await digest()).toBe(first);
    expect(await digest(line.replace('weight: 2', 'weight: 3'))).not.toBe(first);
    await write('teams.csv', 'a,2');
    const second = await digest();
    expect(second).not.toBe(first);
    await write('allocators/team.mjs', `${MODULE}// edited`);
    const third = await digest();
    expect(third).not.toBe(second);
    await write('allocators/params.mjs', `${WITH_PARAMS}// edited`);
    expect(await digest()).not.toBe(third);
  });
});
