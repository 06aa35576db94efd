import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig } from '@chargeback/config';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tenant } from './support.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'chargeback-config-'));
  file = path.join(folder, 'config.yaml');
  await writeFile(file, tenant('plugin_settings: {a: "${A:-none}", b: "${B:-none}"}'));
});

afterEach(() => rm(folder, { recursive: true }));

async function settings(environment: Record<string, string | undefined>, envFile?: string): Promise<unknown> {
  const loaded = await loadConfig({ file, environment, ...(envFile === undefined ? {} : { envFile }) });
  return loaded.config.tenants.prod?.plugin_settings;
}

describe('loading a file', () => {
  it('works without a .env file and tells the folder', async () => {
    const loaded = await loadConfig({ file, environment: { A: 'x' } });
    expect(loaded.config.tenants.prod?.plugin_settings).toEqual({ a: 'x', b: 'none' });
    expect(loaded.directory).toBe(folder);
  });

  it('takes variables from the .env file beside it; the environment wins', async () => {
    await writeFile(path.join(folder, '.env'), 'A=from file\nexport B="two words" # comment\n');
    expect(await settings({})).toEqual({ a: 'from file', b: 'two words' });
    expect(await settings({ A: 'process', B: undefined })).toEqual({ a: 'process', b: 'two words' });
    expect(await settings({ A: '' })).toEqual({ a: 'none', b: 'two words' });
  });

  it('takes the file that is named instead of the one beside it', async () => {
    await writeFile(path.join(folder, '.env'), 'A=beside\nB=beside\n');
    await writeFile(path.join(folder, 'other'), 'A=other\n');
    expect(await settings({}, path.join(folder, 'other'))).toEqual({ a: 'other', b: 'none' });
  });

  it('changes no environment', async () => {
    await writeFile(path.join(folder, '.env'), 'A=from-file\nCHARGEBACK_CONFIG_TEST=1\n');
    const environment = Object.freeze({ B: 'b' });
    const before = { ...process.env };
    await settings(environment);
    expect(environment).toEqual({ B: 'b' });
    expect({ ...process.env }).toEqual(before);
  });

  it('does not mind a folder called .env', async () => {
    await mkdir(path.join(folder, '.env'));
    expect(await settings({})).toEqual({ a: 'none', b: 'none' });
  });

  it('reads a file with a byte order mark and Windows line ends', async () => {
    await writeFile(file, `\uFEFF${tenant('lookback_days: 400').replaceAll('\n', '\r\n')}`);
    await expect(loadConfig({ file, environment: {} })).rejects.toMatchObject({
      problems: [{ line: 5, column: 5, file }],
    });
  });
});

describe('a file that cannot be read', () => {
  it.each([
    ['config.yaml is missing', async () => rm(file), undefined],
    ['config.yaml is a folder', async () => rm(file).then(() => mkdir(file)), undefined],
    ['config.yaml is not UTF-8', async () => writeFile(file, Buffer.from([0x61, 0xff, 0xfe])), undefined],
    ['config.yaml is too large', async () => writeFile(file, '#'.repeat(5_000_001)), undefined],
    ['the named environment file is missing', async () => undefined, 'nowhere.env'],
  ])('because %s is CB_CONFIG_READ with its path', async (_, prepare, envName) => {
    await prepare();
    const envFile = envName === undefined ? undefined : path.join(folder, envName);
    await expect(settings({}, envFile)).rejects.toMatchObject({
      code: 'CB_CONFIG_READ',
      path: envFile ?? file,
    });
  });
});
