import { type ChildProcess, execFile } from 'node:child_process';
import { access, chown, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chargeback, filesIn, PROGRAMS, repository, temporaryFolder } from './support.ts';

/** Beside the package's own package.json, which the program reads. */
const NAME = `bundle-of-test-${process.pid}`;
const folder = path.join(repository, 'apps', 'engine', NAME);
const program = [path.join(folder, 'main.js')];
let work: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  work = await temporaryFolder();
  const script = path.join(repository, '.ci', 'bundle.mjs');
  await promisify(execFile)(process.execPath, [script, 'apps/engine', NAME]);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await work.remove();
});

/** Writes how many files a process loaded into the file that it is told. */
const COUNT_MODULES = `import { registerHooks } from 'node:module';
import { writeFileSync } from 'node:fs';
const urls = new Set();
registerHooks({ load: (url, context, next) => (urls.add(url), next(url, context)) });
process.on('exit', () => {
  writeFileSync(process.env.COUNTED, String([...urls].filter((url) => url.startsWith('file:')).length));
});`;

describe('the bundled program', () => {
  it('has every built-in plugin', async () => {
    const sources = await chargeback(['plugins', 'list', '--json'], { program: PROGRAMS.sources });
    const bundled = await chargeback(['plugins', 'list', '--json'], { program });
    expect(bundled).toEqual(sources);
    expect(JSON.parse(bundled.stdout)).toMatchObject({ failures: [] });
  });

  it('bills as the sources do, and loads few files for a run', async () => {
    const hook = path.join(work.path, 'count-modules.mjs');
    await writeFile(hook, COUNT_MODULES);
    const [one, other] = [path.join(work.path, 'sources'), path.join(work.path, 'bundled')];
    expect((await chargeback(['demo', '--output', one], { program: PROGRAMS.sources })).exitCode).toBe(0);
    expect((await chargeback(['demo', '--output', other], { program })).exitCode).toBe(0);
    expect(await filesIn(path.join(other, 'csv'))).toEqual(await filesIn(path.join(one, 'csv')));
    const counted = path.join(work.path, 'counted');
    const days = ['--from', '2026-06-01', '--to', '2026-06-27'];
    const again = await chargeback(
      ['run', '--config', path.join(other, 'config.yaml'), '--tenant', 'nordwind', ...days],
      { program: ['--import', hook, ...program], env: { COUNTED: counted } },
    );
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(Number(await readFile(counted, 'utf8'))).toBeLessThan(100);
  });

  it('has a driver of PostgreSQL that works', async () => {
    const url = 'postgresql://user:hush@127.0.0.1:1/none';
    const args = ['storage', 'copy', '--from', url, '--to', `${url}2`, '--tenant', 'one'];
    const bundled = await chargeback(args, { program });
    expect(bundled.stderr).toContain('CB_STORAGE');
    expect(bundled).toEqual(await chargeback(args));
  });

  it('carries the licences of what is inside', async () => {
    const inside = new Set<string>();
    for (const file of await readdir(folder)) {
      if (!file.endsWith('.map')) continue;
      const map = JSON.parse(await readFile(path.join(folder, file), 'utf8')) as { sources: string[] };
      for (const source of map.sources) {
        const home = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(source)?.[0];
        if (home !== undefined) inside.add(path.resolve(folder, home, 'package.json'));
      }
    }
    const owners = await Promise.all(
      [...inside].map(async (file) => JSON.parse(await readFile(file, 'utf8')) as Record<string, string>),
    );
    const wanted = owners.map(({ name, version }) => `${name!.replace('/', '__')}@${version}.txt`);
    expect(wanted.length).toBeGreaterThan(50);
    const licenses = path.join(folder, 'licenses');
    expect(await readdir(licenses)).toEqual(expect.arrayContaining(wanted));
    const decimals = wanted.find((name) => name.startsWith('decimal.js@'));
    expect(await readFile(path.join(licenses, decimals!), 'utf8')).toMatch(/Copyright/);
  });

  it('loads the client of the Kafka protocol, whose files stay outside', async () => {
    const sources = await readFile(path.join(folder, 'list-kafka-resources.js'), 'utf8');
    expect(sources).toMatch(/from "@platformatic\/kafka"/);
    expect(await readdir(folder)).not.toContain('better-sqlite3.js');
  });
});

describe('a program whose output nobody reads on', () => {
  it.runIf(process.platform !== 'win32')('ends without a stack trace', async () => {
    const script = '{ "$@"; echo "exit $?" >&2; } | true';
    const shell = ['-c', script, 'sh', process.execPath, ...program, 'config', 'schema'];
    const env = { PATH: process.env['PATH'] ?? '', NODE_DISABLE_COMPILE_CACHE: '1' };
    const { stderr } = await promisify(execFile)('sh', shell, { env });
    expect(stderr).toBe('exit 0\n');
  });
});

describe('what Node compiled of the program', () => {
  const keep = { NODE_DISABLE_COMPILE_CACHE: undefined };

  it('is kept in the cache folder of the user', async () => {
    const cache = path.join(work.path, 'cache');
    const env = { ...keep, XDG_CACHE_HOME: cache, LOCALAPPDATA: cache };
    expect(await chargeback(['--version'], { program, env })).toMatchObject({ exitCode: 0, stderr: '' });
    await access(path.join(cache, 'chargeback', 'compiled'));
  });

  it('is not kept where nothing can be written, and nothing is said', async () => {
    const file = path.join(work.path, 'file');
    await writeFile(file, '');
    const env = { ...keep, XDG_CACHE_HOME: file, LOCALAPPDATA: file };
    expect(await chargeback(['--version'], { program, env })).toMatchObject({ exitCode: 0, stderr: '' });
  });

  // There a folder can be neither made nor found missing: Node's own way to make it tries for ever.
  it.runIf(process.platform === 'linux')('is not kept among the processes, and nothing hangs', async () => {
    const env = { ...keep, XDG_CACHE_HOME: '/proc/self' };
    const onStart = (child: ChildProcess): void => {
      setTimeout(() => child.kill('SIGKILL'), 30_000).unref();
    };
    expect(await chargeback(['--version'], { program, env, onStart })).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
  });

  it.runIf(process.getuid?.() === 0)('is not kept in the home of another user', async () => {
    const cache = path.join(work.path, 'of-another');
    await mkdir(cache);
    await chown(cache, 65_534, 65_534);
    const env = { ...keep, XDG_CACHE_HOME: cache };
    expect(await chargeback(['--version'], { program, env })).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await readdir(cache)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)('is not kept where another user made the folder first', async () => {
    const cache = path.join(work.path, 'of-all');
    const made = path.join(cache, 'chargeback');
    await mkdir(made, { recursive: true });
    await chown(made, 65_534, 65_534);
    const env = { ...keep, XDG_CACHE_HOME: cache };
    expect(await chargeback(['--version'], { program, env })).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await readdir(path.join(made, 'compiled'))).toEqual([]);
  });
});
