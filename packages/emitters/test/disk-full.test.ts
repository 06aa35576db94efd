import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { temporaryFolder } from './support.ts';

const script = fileURLToPath(new URL('./emit-many-rows.ts', import.meta.url));

// A real refusal of the operating system in the middle of a file, as a full disk gives it.
it.skipIf(process.platform === 'win32')(
  'leaves the old file untouched when the disk takes no more',
  async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'acme_2026-02-01.csv');
    await writeFile(file, 'the old books');
    const limited = 'ulimit -f 256; exec "$0" --conditions=@chargeback/source --no-warnings "$1" "$2"';
    const { stdout } = await promisify(execFile)('sh', [
      '-c',
      limited,
      process.execPath,
      script,
      folder.path,
    ]);
    expect(stdout.trim()).toBe('CB_EMIT_FAILED EFBIG');
    expect(await readFile(file, 'utf8')).toBe('the old books');
    expect(await folder.list()).toEqual(['acme_2026-02-01.csv']);
  },
);
