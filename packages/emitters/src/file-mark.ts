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

/**
 * What the file system says of the file now, if it is there with the content of the mark; else null. Reads it only
 * when something has touched it.
 */
export async function seenIfUnchanged({ file, digest, seen }: FileMark): Promise<string | null> {
  const stats = await statsOf(file);
  if (!stats?.isFile()) return null;
  // Taken before the content is read: whoever writes in the meantime is noticed the next time.
  const now = seenOf(stats);
  if (now === seen) return seen;
  return (await digestOfFile(file).catch(() => null)) === digest ? now : null;
}

/**
 * Removes the file if its content is that of the mark and it is not the other one, which it also is under a name that
 * differs only in what the file system does not tell apart.
 */
export async function removeIfUnchanged({ file, digest }: FileMark, other: string): Promise<void> {
  const [stats, others] = await Promise.all([statsOf(file), statsOf(other)]);
  if (!stats?.isFile() || (stats.ino === others?.ino && stats.dev === others.dev)) return;
  if ((await digestOfFile(file)) === digest) await rm(file, { force: true });
}

export async function isFile(file: string): Promise<boolean> {
  return (await statsOf(file))?.isFile() ?? false;
}

async function statsOf(file: string): Promise<BigIntStats | null> {
  return lstat(file, { bigint: true }).catch(() => null);
}

async function digestOfFile(file: string): Promise<string> {
  await using handle = await open(file);
  const hash = createHash('sha256');
  for await (const piece of handle.createReadStream({ autoClose: false })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
