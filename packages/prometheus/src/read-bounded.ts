import type { PlainResponse } from '@chargeback/plugin-api';

/** Reads the body of a response up to a limit in bytes; null when it is larger. */
export async function readBounded({ body }: PlainResponse, limit: number): Promise<Buffer | null> {
  if (body === null) return Buffer.alloc(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) return null;
    chunks.push(chunk);
  }
  const [only] = chunks;
  return only && chunks.length === 1
    ? Buffer.from(only.buffer, only.byteOffset, size)
    : Buffer.concat(chunks);
}
