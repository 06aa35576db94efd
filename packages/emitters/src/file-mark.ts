import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { lstat, open, rm } from 'node:fs/promises';
import { z } from 'zod';

const fileMarkSchema = z.object({
  /** Absolute. */
  file: z.string(),
  /** SHA-256 of the content. */
  digest: z.string(),
  /** What the file system said of the file when it was written. */
  seen: z.string(),
});

/** By what a file that was written is recognized later. */
export type FileMark = z.output<typeof fileMarkSchema>;

export function markText(mark: FileMark): string {
  return JSON.stringify(mark);
}

/** Null for what is no mark of a file. */
export function parseMark(text: string | null): FileMark | null {
  if (text === null) return null;
  try {
    return fileMarkSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

/** Changes whenever somebody writes to the file, puts another in its place or turns its clock back. */
export function seenOf({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string {
  return [size, mtimeNs, ctimeNs, ino].join(' ');
}

/** Whether the file is there with the content of the mark. Reads it only when something has touched it. */
export async function isUnchanged({ file, digest, seen }: FileMark): Promise<boolean> {
  const stats = await lstat(file, { bigint: true });
  return stats.isFile() && (seenOf(stats) === seen || (await digestOfFile(file)) === digest);
}

/** Removes the file if its content is that of the mark. */
export async function removeIfUnchanged({ file, digest }: FileMark): Promise<void> {
  const stats = await lstat(file).catch(() => null);
  if (stats?.isFile() && (await digestOfFile(file)) === digest) await rm(file, { force: true });
}

async function digestOfFile(file: string): Promise<string> {
  await using handle = await open(file);
  const hash = createHash('sha256');
  for await (const piece of handle.createReadStream({ autoClose: false })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
