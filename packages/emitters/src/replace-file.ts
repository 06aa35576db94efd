import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

export interface FileToReplace {
  readonly directory: string;
  readonly name: string;
  /** Whose file it is: two writers never share a temporary file. */
  readonly writer: string;
}

/**
 * Writes a file so that a reader sees the old content or the new, never a part: into a temporary file beside
 * it, to the disk, then in its place. A symbolic link in its place is replaced, not followed. When `write`
 * or the disk fails the old file is untouched and the temporary one removed; one that a crash left behind is
 * taken over the next time.
 */
export async function replaceFile<Result>(
  { directory, name, writer }: FileToReplace,
  write: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  const mark = createHash('sha256')
    .update(JSON.stringify([writer, name]))
    .digest('hex')
    .slice(0, 16);
  const temporary = path.join(directory, `.chargeback-${mark}.tmp`);
  await rm(temporary, { force: true });
  try {
    const result = await writeWhole(temporary, write);
    await rename(temporary, path.join(directory, name));
    await syncDirectory(directory);
    return result;
  } catch (error) {
    // The first error is the one to tell.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

async function writeWhole<Result>(
  file: string,
  write: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  // Exclusive: a link that someone put there is an error, not a way out of the directory.
  const handle = await open(file, 'wx');
  try {
    const result = await write(handle);
    await handle.sync();
    return result;
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
