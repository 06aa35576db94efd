import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discoverPlugins, type PluginRegistry } from '../src/index.ts';
import { silentLogger } from './support.ts';

const plugin = (ecosystem: string, aliases: readonly string[] = []): string => `
  export const register = () => ({
    apiVersion: 1, ecosystem: ${JSON.stringify(ecosystem)}, aliases: ${JSON.stringify(aliases)},
    settings: { parse: (value) => value }, create: async () => ({}),
  });`;

describe('plugin discovery', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'chargeback-plugins-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const addFile = async (name: string, content: string): Promise<void> => {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  };
  const discover = (builtIns: readonly string[] = []): Promise<PluginRegistry> =>
    discoverPlugins({
      builtIns: builtIns.map((name) => ({
        name,
        load: () => import(`data:text/javascript,${encodeURIComponent(plugin(name))}`),
      })),
      packages: [],
      pluginsPath: path.basename(folder),
      workingDirectory: path.dirname(folder),
      importPackage: (name) => import(name),
      logger: silentLogger,
    });

  it('finds built-ins and every sub-folder of plugins_path, relative to the working directory', async () => {
    await addFile('one/index.mjs', plugin('first', ['first_alias']));
    await addFile('two/package.json', '{"type":"module","main":"./lib/entry.js"}');
    await addFile('two/lib/entry.js', plugin('second'));
    const registry = await discover(['built-in']);
    expect(registry.names()).toEqual(['built-in', 'first', 'second']);
    expect(registry.get('first_alias').plugin.ecosystem).toBe('first');
    expect(registry.failures).toEqual([]);
  });

  it('goes on when a plugin throws, and quotes the full cause to the tenant that names an unknown ecosystem', async () => {
    await addFile('bad/index.mjs', 'throw new Error("license file missing");');
    await addFile('good/index.mjs', plugin('good'));
    await addFile('empty/readme.txt', 'nothing here');
    const registry = await discover();
    expect(registry.names()).toEqual(['good']);
    expect(registry.failures.map(({ error }) => error.message).join('\n')).toMatch(/license file missing/);
    expect(registry.failures.map(({ error }) => error.message).join('\n')).toMatch(/no entry file/);
    expect(() => registry.get('bad')).toThrow(/license file missing/);
  });

  it('keeps the first of two plugins with one name and says where the name is taken', async () => {
    await addFile('a/index.mjs', plugin('same'));
    await addFile('b/index.mjs', plugin('other', ['same']));
    const registry = await discover();
    expect(registry.plugins.map(({ origin }) => path.basename(origin.name))).toEqual(['a']);
    expect(registry.failures[0]?.error).toMatchObject({ code: 'CB_PLUGIN_DUPLICATE' });
    expect(registry.failures[0]?.error.message).toMatch(/already registered by .*\/a$/);
  });

  it.each([
    [
      'no register export',
      'export const nothing = 1;',
      'CB_PLUGIN_LOAD',
      /does not export a function named register/,
    ],
    [
      'a register that throws',
      'export const register = () => { throw new Error("boom"); };',
      'CB_PLUGIN_LOAD',
      /boom/,
    ],
    [
      'a register that returns nothing',
      'export const register = () => undefined;',
      'CB_PLUGIN_LOAD',
      /did not return a plugin/,
    ],
    [
      'another contract version',
      plugin('old').replace('apiVersion: 1', 'apiVersion: 99'),
      'CB_PLUGIN_API_VERSION',
      /version 99/,
    ],
  ])('refuses a plugin with %s', async (_what, source, code, message) => {
    await addFile('it/index.mjs', source);
    const registry = await discover();
    expect(registry.failures[0]?.error.code).toBe(code);
    expect(registry.failures[0]?.error.message).toMatch(message);
  });

  it('reports a plugins_path that does not exist and keeps the built-ins', async () => {
    await rm(folder, { recursive: true });
    const registry = await discover(['built-in']);
    expect(registry.names()).toEqual(['built-in']);
    expect(registry.failures[0]?.error.message).toMatch(/ENOENT/);
  });
});
