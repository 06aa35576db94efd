import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPlugin } from '../src/index.ts';

const here = path.resolve(import.meta.dirname, '..');
const repository = path.resolve(here, '..', '..');
const main = path.join(here, 'src', 'main.ts');

describe('npm create @chargeback/plugin', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'chargeback-create-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const start = (...args: string[]) =>
    spawnSync(process.execPath, ['--conditions=@chargeback/source', main, ...args], {
      cwd: folder,
      encoding: 'utf8',
    });

  /** As `npm install` would, with the packages of this workspace. */
  const install = async (plugin: string): Promise<void> => {
    const modules = path.join(plugin, 'node_modules');
    await mkdir(path.join(modules, '@chargeback'), { recursive: true });
    for (const name of ['allocation', 'money', 'plugin-api', 'testkit']) {
      await symlink(path.join(repository, 'packages', name), path.join(modules, '@chargeback', name));
    }
    await symlink(
      path.join(repository, 'packages', 'plugin-api', 'node_modules', 'zod'),
      path.join(modules, 'zod'),
    );
    await mkdir(path.join(modules, '@types'));
    await symlink(
      path.join(repository, 'node_modules', '@types', 'node'),
      path.join(modules, '@types', 'node'),
    );
  };

  it('writes a plugin that compiles, passes its tests, validates and bills as it is', async () => {
    const created = start('my-cloud');
    expect(created.status, created.stderr).toBe(0);
    expect(created.stdout).toContain('cd my-cloud');
    const plugin = path.join(folder, 'my-cloud');
    await install(plugin);
    const node = (...args: string[]): string =>
      execFileSync(process.execPath, ['--conditions=@chargeback/source', ...args], {
        cwd: plugin,
        encoding: 'utf8',
      });
    execFileSync(path.join(repository, 'node_modules', '.bin', 'tsc'), [], { cwd: plugin });
    expect(node('--test', 'test/plugin.test.ts')).toMatch(/fail 0/);
    const app = path.join(repository, 'apps', 'engine', 'src', 'main.ts');
    expect(node(app, 'validate', '--config', 'config.yaml')).toContain('The configuration is valid.');
    node(app, 'run', '--config', 'config.yaml');
    const bills = await readdir(path.join(plugin, 'out'));
    expect(bills.length).toBeGreaterThanOrEqual(3);
    const bill = await readFile(path.join(plugin, 'out', bills[0]!), 'utf8');
    expect(bill).toMatch(/COMPUTE,team-a,USAGE,12\.0000,/);
    expect(bill).toMatch(/COMPUTE,team-b,USAGE,6\.0000,/);
    expect(bill).toMatch(/NETWORK,team-a,SHARED,0\.6500,/);
  });

  it('leaves no placeholder and no file that npm would hold back', async () => {
    const plugin = createPlugin({ name: 'my-cloud', parent: folder });
    const entries = await readdir(plugin, { recursive: true, withFileTypes: true });
    expect(entries.map(({ name }) => name)).toContain('.gitignore');
    for (const entry of entries.filter((one) => one.isFile())) {
      const text = await readFile(path.join(entry.parentPath, entry.name), 'utf8');
      expect(text, entry.name).not.toMatch(/__[A-Z]+__/);
    }
  });

  it.each([[['Bad Name']], [['-x']], [['../out']], [[]]])('refuses the arguments %j', (args) => {
    const refused = start(...args);
    expect(refused.status).toBe(2);
    expect(refused.stderr).not.toBe('');
  });

  it('does not write into a folder that has something in it', async () => {
    await mkdir(path.join(folder, 'taken'));
    await writeFile(path.join(folder, 'taken', 'thesis.txt'), 'mine');
    expect(start('taken').stderr).toContain('not empty');
    expect(await readdir(path.join(folder, 'taken'))).toEqual(['thesis.txt']);
  });
});
