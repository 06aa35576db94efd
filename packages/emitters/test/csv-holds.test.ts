import {
  appendFile,
  chmod,
  copyFile,
  link,
  mkdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import type { EmissionBatch, EmittedBatch, Emitter } from '@chargeback/plugin-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCsvEmitter } from '../src/index.ts';
import { batch, DAY, never, row, temporaryFolder } from './support.ts';

const MONTH = { start: DAY.start, end: new Date('2026-03-01T00:00:00Z') };
const NEXT_DAY = { start: DAY.end, end: new Date('2026-02-03T00:00:00Z') };

describe('a CSV emitter', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let file: string;

  const emitterFor = (filename_template = '{tenant_id}_{date}.csv', output_dir = folder.path): Emitter =>
    createCsvEmitter({ output_dir, filename_template });
  const emitted = async (emitter: Emitter, overrides: Partial<EmissionBatch> = {}): Promise<EmittedBatch> => {
    const sent = batch([[row({ timestamp: (overrides.period ?? DAY).start })]], overrides);
    const { mark } = await emitter.emit(sent, never);
    return { ...sent, mark: mark ?? null };
  };

  beforeEach(async () => {
    folder = await temporaryFolder();
    file = path.join(folder.path, 'acme_2026-02-01.csv');
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  it.each<[string, () => Promise<unknown>]>([
    ['untouched', async () => {}],
    ['touched only', () => utimes(file, 1, 1)],
    ['given other permissions', () => chmod(file, 0o600)],
    [
      'restored from a backup',
      async () => {
        await copyFile(file, `${file}.bak`);
        await rm(file);
        await rename(`${file}.bak`, file);
      },
    ],
  ])('still holds a file that was %s', async (_what, change) => {
    const emitter = emitterFor();
    const sent = await emitted(emitter);
    await change();
    const held = await emitter.holds?.(sent);
    expect(held).toBeTruthy();
    // By the mark that it gives then it is known without being read, and so without being allowed to.
    const mark = typeof held === 'object' ? held.mark : sent.mark;
    expect(await emitter.holds?.({ ...sent, mark })).toBe(true);
  });

  it('still holds the file of a run that died before it could say how the file system sees it', async () => {
    let mark: string | undefined;
    const confirm = async (intended?: string): Promise<void> => void (mark = intended);
    const sent = batch([[row()]], { confirm });
    await emitterFor().emit(sent, never);
    expect(await emitterFor().holds?.({ ...sent, mark: mark! })).toEqual({ mark: expect.any(String) });
    await appendFile(file, 'x');
    expect(await emitterFor().holds?.({ ...sent, mark: mark! })).toBe(false);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['deleted', () => rm(file)],
    ['cut short', async () => writeFile(file, (await readFile(file)).subarray(0, -3))],
    ['added to', () => appendFile(file, 'my own line\r\n')],
    [
      'changed in one digit, with its time put back',
      async () => {
        const text = await readFile(file, 'utf8');
        await writeFile(file, text.replace('1.05', '1.06'));
        await utimes(file, 1, 1);
      },
    ],
    [
      'made a folder',
      async () => {
        await rm(file);
        await mkdir(file);
      },
    ],
    [
      'made a link to its old content',
      async () => {
        await rename(file, `${file}.old`);
        await symlink(`${file}.old`, file);
      },
    ],
  ])('no longer holds a file that was %s', async (_what, change) => {
    const emitter = emitterFor();
    const sent = await emitted(emitter);
    await change();
    expect(await emitter.holds?.(sent)).toBe(false);
  });

  it('no longer holds what a process that came too late put over it', async () => {
    const emitter = emitterFor();
    const sent = await emitted(emitter);
    await emitter.emit(batch([[row({ identityId: 'stale' })]]), never);
    expect(await emitter.holds?.(sent)).toBe(false);
  });

  it('holds, of two that write one file at once, the batch of the later one', async () => {
    const emitter = emitterFor();
    const late = emitterFor();
    let theirs: EmittedBatch | undefined;
    // The other one finishes between this one's confirmation and its end.
    const confirm = async (): Promise<void> => {
      theirs = await emitted(late, { batchId: 'theirs' });
    };
    const { mark = null } = await emitter.emit(batch([[row({ identityId: 'own' })]], { confirm }), never);
    expect(await emitter.holds?.({ ...theirs!, mark })).toBe(true);
    expect(await late.holds?.(theirs!)).toBe(false);
  });

  it('does not hold in a new folder, or under a new name, what it wrote elsewhere, nor what has no mark', async () => {
    const sent = await emitted(emitterFor());
    expect(await emitterFor('{tenant_id}_{date}.csv', `${folder.path}/new`).holds?.(sent)).toBe(false);
    expect(await emitterFor('bill_{date}.csv').holds?.(sent)).toBe(false);
    for (const mark of [null, '', 'x', '{}']) {
      expect(await emitterFor().holds?.({ ...sent, mark })).toBe(false);
    }
  });

  it('misses a file that all periods share only when it is gone', async () => {
    const emitter = emitterFor('{tenant_id}.csv');
    const first = await emitted(emitter);
    const second = await emitted(emitter, { period: NEXT_DAY });
    expect([await emitter.holds?.(first), await emitter.holds?.(second)]).toEqual([true, true]);
    await rm(path.join(folder.path, 'acme.csv'));
    expect(await emitter.holds?.(first)).toBe(false);
  });

  it('replaces nothing when it is told at the last moment that it may not, with everything else done', async () => {
    await writeFile(file, 'newer');
    const seen: string[][] = [];
    const confirm = async (): Promise<void> => {
      seen.push(await folder.list());
      throw new Error('another process has taken over');
    };
    await expect(emitterFor().emit(batch([[row()]], { confirm }), never)).rejects.toThrow(/could not write/);
    expect(seen).toEqual([[expect.stringMatching(/^\.chargeback-.*\.tmp$/), 'acme_2026-02-01.csv']]);
    expect(await readFile(file, 'utf8')).toBe('newer');
    expect(await folder.list()).toEqual(['acme_2026-02-01.csv']);
  });

  it('takes back, once the file has a new name, the one that it wrote under the old name, and no changed one', async () => {
    const first = await emitted(emitterFor());
    const second = await emitted(emitterFor(), { period: NEXT_DAY });
    await appendFile(path.join(folder.path, 'acme_2026-02-02.csv'), 'my own line\r\n');
    await writeFile(path.join(folder.path, 'other.csv'), 'of somebody else');
    const renamed = emitterFor('bill_{date}.csv');
    const firstAgain = await emitted(renamed);
    const secondAgain = await emitted(renamed, { period: NEXT_DAY });
    expect(await renamed.withdraw?.(first, firstAgain)).toBeNull();
    expect(await renamed.withdraw?.(second, secondAgain)).toBeNull();
    expect(await folder.list()).toEqual([
      'acme_2026-02-02.csv',
      'bill_2026-02-01.csv',
      'bill_2026-02-02.csv',
      'other.csv',
    ]);
  });

  it('leaves the files of a former folder where they are', async () => {
    const first = await emitted(emitterFor());
    const moved = emitterFor('{tenant_id}_{date}.csv', `${folder.path}/new`);
    expect(await moved.withdraw?.(first, await emitted(moved))).toBeNull();
    expect(await folder.list()).toEqual(['acme_2026-02-01.csv', 'new']);
  });

  it('withdraws days once their month is there, and only as they were written', async () => {
    const emitter = emitterFor();
    const first = await emitted(emitter);
    const second = await emitted(emitter, { period: NEXT_DAY });
    const third = await emitted(emitter, { period: { start: NEXT_DAY.end, end: MONTH.end } });
    await appendFile(path.join(folder.path, 'acme_2026-02-03.csv'), 'my own line\r\n');
    const month = await emitted(emitter, { period: MONTH, aggregation: 'monthly' });
    for (const day of [first, second, third, second]) {
      expect(await emitter.withdraw?.(day, month)).toBeNull();
    }
    expect(await folder.list()).toEqual(['acme_2026-02-01.csv', 'acme_2026-02-03.csv']);
    expect(await emitter.holds?.(month)).toBe(true);
  });

  it('does not take for a former file the one it has just written, known by another name too', async () => {
    // As on a file system that does not tell upper case from lower case.
    const former = await emitted(emitterFor('bill_{date}.csv'));
    const renamed = emitterFor('BILL_{date}.csv');
    const sent = await emitted(renamed);
    const [old, now] = ['bill', 'BILL'].map((name) => path.join(folder.path, `${name}_2026-02-01.csv`));
    await rm(old!);
    await link(now!, old!);
    expect(await renamed.withdraw?.(former, sent)).toBeNull();
    expect(await folder.list()).toEqual(['BILL_2026-02-01.csv', 'bill_2026-02-01.csv']);
  });

  it('names what may be a day of a former version, which kept no marks, until somebody has removed it', async () => {
    const emitter = emitterFor();
    const first = { ...(await emitted(emitter)), mark: null };
    const second = { ...(await emitted(emitter, { period: NEXT_DAY })), mark: null };
    const month = await emitted(emitter, { period: MONTH, aggregation: 'monthly' });
    expect(await emitter.withdraw?.(first, month)).toBeNull();
    const left = path.join(folder.path, 'acme_2026-02-02.csv');
    expect(await emitter.withdraw?.(second, month)).toBe(left);
    await rm(left);
    expect(await emitter.withdraw?.(second, month)).toBeNull();
  });
});
