import { setTimeout as pause } from 'node:timers/promises';
import type { IncomingRequest, SimulatorReaction } from './simulator-request.ts';

export interface InProcessFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>;
}

/** A `fetch` without sockets. It sees every request, whatever the host of the address. */
export function inProcessFetch(react: (request: IncomingRequest) => SimulatorReaction): InProcessFetch {
  return async (input, init = {}) => {
    const request = input instanceof Request ? input : null;
    const signal = init.signal ?? request?.signal ?? null;
    signal?.throwIfAborted();
    const { delay, answer } = react({
      method: (init.method ?? request?.method ?? 'GET').toUpperCase(),
      url: new URL(request?.url ?? String(input)),
      headers: Object.fromEntries(new Headers(init.headers ?? request?.headers)),
      body: await bodyText(init.body ?? (await request?.text())),
    });
    if (delay > 0) await pauseUnlessAborted(delay, signal);
    if (answer === null) {
      const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      throw new TypeError('fetch failed', { cause });
    }
    return new Response(streamOf(answer.body), { status: answer.status, headers: answer.headers });
  };
}

/** The body in one piece, which unlike a plain array is not copied: answers have megabytes. */
function streamOf(body: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(body);
      controller.close();
    },
  });
}

async function bodyText(body: RequestInit['body'] | undefined): Promise<string> {
  if (body === undefined || body === null) return '';
  if (typeof body === 'string' || body instanceof URLSearchParams) return String(body);
  return await new Response(body).text();
}

async function pauseUnlessAborted(milliseconds: number, signal: AbortSignal | null): Promise<void> {
  try {
    await pause(milliseconds, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
