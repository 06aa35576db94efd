import type { PlainResponse } from '@chargeback/plugin-api';

/** An answer beyond this many bytes is read into memory of its own. */
const MOST_KEPT = 4_194_304;

/** What one answer after another is put together in: to get fresh memory takes longer than to fill it. */
let kept = Buffer.alloc(0);

/**
 * Reads the body of a response up to a limit in bytes and hands it to `use`: null when it is larger. `use` must be done
 * with the bytes when it returns, as the next answer is put in the same place.
 */
export async function readBounded<Result>(
  { body }: PlainResponse,
  limit: number,
  use: (bytes: Buffer | null) => Result,
): Promise<Result> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > limit) return use(null);
    chunks.push(chunk);
  }
  return use(joined(chunks, size));
}

function joined(chunks: readonly Uint8Array[], size: number): Buffer {
  const [only] = chunks;
  if (only && chunks.length === 1) return Buffer.from(only.buffer, only.byteOffset, size);
  if (size > MOST_KEPT) return Buffer.concat(chunks, size);
  if (kept.length < size) kept = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const chunk of chunks) {
    kept.set(chunk, at);
    at += chunk.length;
  }
  return kept.subarray(0, size);
}
