import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { seenOf } from './file-mark.ts';

export interface FileToReplace<Result = unknown> {
  readonly directory: string;
  readonly name: string;
  /** Whose file it is: what a crashed writer left behind is cleared away by the next one of the same name. */
  readonly writer: string;
  /** Asked when the new content is on the disk: whoever may not replace the file any more rejects. */
  readonly confirm?: (written: Result) => Promise<void>;
}

export interface Replaced<Result> {
  readonly result: Result;
  /** By what the file system recognizes the new file (`file-mark.ts`). */
  readonly seen: string;
}

/**
 * Writes a file so that a reader sees the old content or the new, never a part: into a temporary file beside
 * it, to the disk, then, once `confirm` agrees, in its place. A symbolic link in its place is replaced, not followed. When `write`
 * or the disk fails the old file is untouched and the temporary one removed. Each call has a temporary file
 * of its own, so that of two runs at once the later to finish wins with a whole file; one that a crash left
 * behind is removed an hour later.
 */
export async function replaceFile<Result>(
  { directory, name, writer, confirm }: FileToReplace<Result>,
  write: (file: FileHandle) => Promise<Result>,
): Promise<Replaced<Result>> {
  const mark = createHash('sha256')
    .update(JSON.stringify([writer, name]))
    .digest('hex')
    .slice(0, 16);
  const prefix = `.chargeback-${mark}`;
  const temporary = path.join(directory, `${prefix}-${randomUUID()}.tmp`);
  try {
    const { result, inode } = await writeWhole(temporary, write);
    await removeLeftBehind(directory, prefix, temporary);
    await confirm?.(result);
    const file = path.join(directory, name);
    await rename(temporary, file);
    await syncDirectory(directory);
    const stats = await stat(file, { bigint: true });
    // Another process may have put its own there in the meantime.
    return { result, seen: stats.ino === inode ? seenOf(stats) : '' };
  } catch (error) {
    // The first error is the one to tell.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

const LEFT_BEHIND_AFTER = 3_600_000;

/** Compares the file system's own times: this machine's clock may differ. */
async function removeLeftBehind(directory: string, prefix: string, own: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const now = (await stat(own)).mtimeMs;
  for (const name of names) {
    const file = path.join(directory, name);
    if (!name.startsWith(prefix) || file === own) continue;
    const other = await stat(file).catch(() => null);
    if (other && now - other.mtimeMs > LEFT_BEHIND_AFTER) await rm(file, { force: true });
  }
}

async function writeWhole<Result>(
  file: string,
  write: (file: FileHandle) => Promise<Result>,
): Promise<{ result: Result; inode: bigint }> {
  // Exclusive: a link that someone put there is an error, not a way out of the directory.
  const handle = await open(file, 'wx');
  try {
    const result = await write(handle);
    await handle.sync();
    const { ino: inode } = await handle.stat({ bigint: true });
    return { result, inode };
  } finally {
    await handle.close();
  }
}

/** Makes the new name survive a power cut. Not every platform can open a directory; the content is safe. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => null);
  if (handle === null) return;
  try {
    await handle.sync().catch(() => {});
  } finally {
    await handle.close();
  }
}
