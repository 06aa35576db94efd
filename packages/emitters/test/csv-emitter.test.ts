import { mkdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { money } from '@chargeback/money';
import { ChargebackError, type ChargebackRow } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { builtInEmitters, createCsvEmitter, csvEmitter, csvParamsSchema, findEmitter } from '../src/index.ts';
import { batch, DAY, host, never, row, temporaryFolder } from './support.ts';

const NAME = 'acme_2026-02-01.csv';

function emitterIn(
  folder: string,
  filename_template = '{tenant_id}_{date}.csv',
): ReturnType<typeof createCsvEmitter> {
  return createCsvEmitter({ output_dir: folder, filename_template });
}

async function* failing(error: unknown): AsyncGenerator<readonly ChargebackRow[]> {
  yield [row({ identityId: 'half' })];
  throw error;
}

describe('where a CSV file goes', () => {
  it('makes the folder and names the file after tenant and day', async () => {
    await using folder = await temporaryFolder();
    await emitterIn(path.join(folder.path, 'deep', 'out')).emit(batch([[row()]]), never);
    expect(await readFile(path.join(folder.path, 'deep', 'out', NAME), 'utf8')).toContain('team-a');
  });

  it('names a month after its first day', async () => {
    await using folder = await temporaryFolder();
    const period = { start: DAY.start, end: new Date('2026-03-01T00:00:00Z') };
    await emitterIn(folder.path, 'bill-{date}.csv').emit(
      batch([], { period, aggregation: 'monthly' }),
      never,
    );
    expect(await folder.list()).toEqual(['bill-2026-02-01.csv']);
  });

  it('starts a relative output_dir at the working directory it is given', async () => {
    await using folder = await temporaryFolder();
    const params = csvParamsSchema.parse({ output_dir: 'out' });
    await createCsvEmitter(params, { workingDirectory: folder.path }).emit(batch([[row()]]), never);
    expect(await readFile(path.join(folder.path, 'out', NAME), 'utf8')).toContain('team-a');
  });

  it.each(['../evil', '..\\evil', '/etc/evil', 'a/b', 'nul\0byte'])(
    'refuses the tenant id %j, which would lead out of output_dir',
    async (tenantId) => {
      await using folder = await temporaryFolder();
      const out = path.join(folder.path, 'out');
      await expect(emitterIn(out).emit(batch([[row()]], { tenantId }), never)).rejects.toMatchObject({
        code: 'CB_EMIT_PATH',
      });
      expect(await folder.list()).toEqual([]);
      const params = csvParamsSchema.parse({ output_dir: out });
      expect(() => csvEmitter.create(params, host(tenantId))).toThrow(
        expect.objectContaining({ code: 'CB_EMIT_PATH' }),
      );
    },
  );

  it('refuses a tenant id that is a folder by itself', async () => {
    await using folder = await temporaryFolder();
    const emitter = emitterIn(folder.path, '{tenant_id}');
    for (const tenantId of ['.', '..', '']) {
      await expect(emitter.emit(batch([], { tenantId }), never)).rejects.toMatchObject({
        code: 'CB_EMIT_PATH',
      });
    }
  });

  it('takes a tenant id literally, replacement patterns and braces included', async () => {
    await using folder = await temporaryFolder();
    await emitterIn(folder.path).emit(batch([], { tenantId: '$&{date}' }), never);
    expect(await folder.list()).toEqual(['$&{date}_2026-02-01.csv']);
  });

  it('refuses a template with folders before anything is written', () => {
    expect(() => emitterIn('out', '../{date}.csv')).toThrow(
      expect.objectContaining({ code: 'CB_EMIT_PATH' }),
    );
    expect(() => emitterIn('out', '/tmp/{date}.csv')).toThrow(
      expect.objectContaining({ code: 'CB_EMIT_PATH' }),
    );
  });

  it('names its destination, the same for the same files however their folder is written', async () => {
    const destination = (output_dir: string, filename_template = '{tenant_id}_{date}.csv') =>
      csvEmitter.create(csvParamsSchema.parse({ output_dir, filename_template }), host('t1')).destination;
    expect(destination('out')).toBe(destination('./out/'));
    expect(destination('out')).toBe(destination('out', 't1_{date}.csv'));
    expect(destination('out')).not.toBe(destination('out', 'monthly_{date}.csv'));
  });

  it('leaves one whole file when two emit it at once', async () => {
    await using folder = await temporaryFolder();
    const many = [Array.from({ length: 9000 }, () => row())];
    const emitters = [emitterIn(folder.path), emitterIn(folder.path)];
    await Promise.all(emitters.map((emitter) => emitter.emit(batch(many), never)));
    expect(await folder.list()).toEqual([NAME]);
    const text = await readFile(path.join(folder.path, NAME), 'utf8');
    expect(text.trimEnd().split('\r\n')).toHaveLength(9001);
  });

  it('replaces a symbolic link instead of following it', async () => {
    await using folder = await temporaryFolder();
    const victim = path.join(folder.path, 'victim.txt');
    const out = path.join(folder.path, 'out');
    await mkdir(out);
    await writeFile(victim, 'untouched');
    await symlink(victim, path.join(out, NAME));
    await emitterIn(out).emit(batch([[row()]]), never);
    expect(await readFile(victim, 'utf8')).toBe('untouched');
    expect(await readFile(path.join(out, NAME), 'utf8')).toContain('team-a');
  });
});

describe('what a CSV emitter confirms', () => {
  it('counts rows and totals per currency while it writes', async () => {
    await using folder = await temporaryFolder();
    const chunks = [
      [row({ amount: money(1n, 'USD') }), row({ amount: money(-3n, 'EUR') })],
      [],
      [row({ amount: money(2n ** 62n, 'USD') }), row({ amount: money(2n ** 62n, 'USD') })],
    ];
    const receipt = await emitterIn(folder.path).emit(batch(chunks), never);
    expect(receipt.rowCount).toBe(4);
    expect(receipt.totals).toEqual(
      new Map([
        ['USD', 2n ** 63n + 1n],
        ['EUR', -3n],
      ]),
    );
  });

  it('leaves one file with the same bytes when a batch is emitted twice', async () => {
    await using folder = await temporaryFolder();
    await emitterIn(folder.path).emit(batch([[row()]]), never);
    const first = await readFile(path.join(folder.path, NAME));
    await emitterIn(folder.path).emit(batch([[row()]]), never);
    expect(await readFile(path.join(folder.path, NAME))).toEqual(first);
    expect(await folder.list()).toEqual([NAME]);
  });

  it('writes a chunk that is larger than one write in order', async () => {
    await using folder = await temporaryFolder();
    const rows = Array.from({ length: 9_001 }, (_, index) => row({ identityId: `id-${index}` }));
    const receipt = await emitterIn(folder.path).emit(batch([rows]), never);
    const lines = (await readFile(path.join(folder.path, NAME), 'utf8')).trimEnd().split('\r\n');
    expect(receipt.rowCount).toBe(9_001);
    expect(lines.slice(1).map((line) => line.split(',')[6])).toEqual(
      rows.map(({ identityId }) => identityId),
    );
  });
});

describe('a CSV file that cannot be written', () => {
  it('stays as it was when the rows fail half way, and no other file is left', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, NAME);
    await writeFile(file, 'the old books');
    const cause = new Error('the source broke');
    const emission = emitterIn(folder.path).emit(batch([], { rows: failing(cause) }), never);
    await expect(emission).rejects.toMatchObject({ code: 'CB_EMIT_FAILED', path: file, cause });
    expect(await readFile(file, 'utf8')).toBe('the old books');
    expect(await folder.list()).toEqual([NAME]);
  });

  it('shows the old content to readers until the new one is whole', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, NAME);
    await writeFile(file, 'the old books');
    const seen: string[] = [];
    async function* watched(): AsyncGenerator<readonly ChargebackRow[]> {
      for (let chunk = 0; chunk < 5; chunk += 1) {
        yield Array.from({ length: 5_000 }, () => row());
        seen.push(await readFile(file, 'utf8'));
      }
    }
    await emitterIn(folder.path).emit(batch([], { rows: watched() }), never);
    expect(seen).toEqual(Array.from({ length: 5 }, () => 'the old books'));
    expect((await readFile(file, 'utf8')).split('\r\n')).toHaveLength(25_002);
  });

  it('passes a coded error of the rows on as it is', async () => {
    await using folder = await temporaryFolder();
    const cause = new ChargebackError('CB_STORAGE_BUSY', 'locked');
    await expect(emitterIn(folder.path).emit(batch([], { rows: failing(cause) }), never)).rejects.toBe(cause);
  });

  it('says so when output_dir is a file, or a folder is in the way', async () => {
    await using folder = await temporaryFolder();
    await writeFile(path.join(folder.path, 'file'), '');
    await mkdir(path.join(folder.path, NAME));
    const onFile = emitterIn(path.join(folder.path, 'file')).emit(batch([[row()]]), never);
    await expect(onFile).rejects.toMatchObject({
      code: 'CB_EMIT_FAILED',
      cause: expect.objectContaining({ code: 'EEXIST' }),
    });
    const onFolder = emitterIn(folder.path).emit(batch([[row()]]), never);
    await expect(onFolder).rejects.toMatchObject({ code: 'CB_EMIT_FAILED' });
    expect(await folder.list()).toEqual([NAME, 'file']);
  });

  it('stops when it is told to, leaving the old file and no other', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, NAME);
    await writeFile(file, 'the old books');
    const abort = new AbortController();
    const reason = new Error('stop');
    let returned = false;
    async function* endless(): AsyncGenerator<readonly ChargebackRow[]> {
      try {
        for (let chunk = 0; ; chunk += 1) {
          if (chunk === 3) abort.abort(reason);
          yield [row()];
        }
      } finally {
        returned = true;
      }
    }
    await expect(emitterIn(folder.path).emit(batch([], { rows: endless() }), abort.signal)).rejects.toBe(
      reason,
    );
    expect(returned).toBe(true);
    expect(await readFile(file, 'utf8')).toBe('the old books');
    expect(await folder.list()).toEqual([NAME]);
  });

  it('clears away what a crash left behind, but not what another run is writing', async () => {
    await using folder = await temporaryFolder();
    let left = '';
    async function* spied(): AsyncGenerator<readonly ChargebackRow[]> {
      left = (await folder.list())[0]!;
      yield [row()];
    }
    await emitterIn(folder.path).emit(batch([], { rows: spied() }), never);
    const other = path.join(folder.path, left);
    await writeFile(other, 'half a file');
    await emitterIn(folder.path).emit(batch([[row()]]), never);
    expect(await folder.list()).toEqual([left, NAME]);
    const anHourAgo = new Date((await stat(other)).mtimeMs - 3_700_000);
    await utimes(other, anHourAgo, anHourAgo);
    await emitterIn(folder.path).emit(batch([[row()]]), never);
    expect(await folder.list()).toEqual([NAME]);
  });

  it('asks for the next rows only when the last are written', async () => {
    await using folder = await temporaryFolder();
    const sizes: number[] = [];
    async function* spied(): AsyncGenerator<readonly ChargebackRow[]> {
      for (let chunk = 0; chunk < 3; chunk += 1) {
        yield [row()];
        const [name] = await folder.list();
        sizes.push((await readFile(path.join(folder.path, name!), 'utf8')).split('\r\n').length - 2);
      }
    }
    await emitterIn(folder.path).emit(batch([], { rows: spied() }), never);
    expect(sizes).toEqual([1, 2, 3]);
  });
});

describe('the settings of a CSV emitter', () => {
  it('default to one file per tenant and day', () => {
    expect(csvParamsSchema.parse({ output_dir: 'out' })).toEqual({
      output_dir: 'out',
      filename_template: '{tenant_id}_{date}.csv',
    });
  });

  it.each([
    [{}],
    [{ output_dir: '' }],
    [{ output_dir: 'out', unknown: 1 }],
    [{ output_dir: 'out', filename_template: '{day}.csv' }],
  ])('refuse %j', (params) => {
    expect(csvParamsSchema.safeParse(params).success).toBe(false);
  });

  it('name every unknown placeholder', () => {
    const { error } = csvParamsSchema.safeParse({ output_dir: 'out', filename_template: '{tenant}{date}{}' });
    expect(error?.issues.map(({ message, path: place }) => [place.join('.'), message])).toEqual([
      ['filename_template', 'unknown placeholder {tenant}; use {tenant_id} and {date}'],
      ['filename_template', 'unknown placeholder {}; use {tenant_id} and {date}'],
    ]);
    expect(() => emitterIn('out', '{day}.csv')).toThrow(
      expect.objectContaining({ code: 'CB_EMIT_SETTINGS' }),
    );
  });

  it('warn of a template without a date', () => {
    const warned = host();
    csvEmitter.create({ output_dir: 'out', filename_template: '{tenant_id}.csv' }, warned);
    expect(warned.warnings).toHaveLength(1);
    const content = host();
    csvEmitter.create({ output_dir: 'out', filename_template: '{date}.csv' }, content);
    expect(content.warnings).toEqual([]);
  });
});

describe('the built-in emitters', () => {
  it('are found by type', () => {
    expect(findEmitter('csv')).toBe(csvEmitter);
    expect(builtInEmitters.map(({ type }) => type)).toContain('csv');
  });

  it('are listed when a type is not among them', () => {
    expect(() => findEmitter('cvs')).toThrow(
      expect.objectContaining({ code: 'CB_EMIT_SETTINGS', fix: expect.stringContaining('csv') }),
    );
  });
});
