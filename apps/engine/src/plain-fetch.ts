import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { PlainFetch, PlainRequest, PlainResponse } from '@chargeback/plugin-api';

/** As long as Node keeps a connection of its own that nobody uses. */
const IDLE_MILLISECONDS = 5_000;

/** More than are kept for one tenant: the next connection is a new one. */
const MOST_STALE = 64;

export interface PlainFetchOptions {
  /** PEM certificates to trust; where none are given, those that the process trusts. */
  readonly authorities?: readonly string[];
  /** Until a connection is made: a server that is not there is no server that takes its time. */
  readonly connectMilliseconds?: number;
}

type Send = (url: URL, options: RequestOptions) => ClientRequest;

/**
 * Requests through Node's own HTTP client. The global `fetch` takes two to three times the CPU for the same answers,
 * with streams of many layers and a parser that every process compiles anew.
 */
export function createPlainFetch(options: PlainFetchOptions = {}): PlainFetch {
  const { authorities, connectMilliseconds = 10_000 } = options;
  let secured: Promise<Send> | undefined;
  return async (url, { method, headers, body, signal }) => {
    signal.throwIfAborted();
    const target = new URL(url);
    const send = target.protocol === 'https:' ? await (secured ??= secureSender(authorities)) : openSender();
    // As text it would be sent together with the headers, in its own encoding instead of theirs.
    const bytes = body === undefined ? undefined : Buffer.from(body);
    for (let stale = 0; ; stale += 1) {
      const request = send(target, { method, headers: headersOf(headers), signal });
      request.on('socket', (socket) => limitConnecting(request, socket, connectMilliseconds));
      try {
        return responseOf(await answerTo(request, bytes), signal);
      } catch (cause) {
        signal.throwIfAborted();
        if (stale === MOST_STALE || !wasClosedBefore(request, cause)) throw cause;
      }
    }
  };
}

/** What a configuration says goes before. */
function headersOf(headers: PlainRequest['headers']): PlainRequest['headers'] {
  return { 'user-agent': 'chargeback', 'accept-encoding': 'gzip', ...headers };
}

function answerTo(request: ClientRequest, body: Buffer | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', resolve);
    // An answer that would change the protocol is neither an error nor a response.
    request.on('close', () => reject(new Error('the connection was closed without an answer')));
    request.end(body);
  });
}

function limitConnecting(request: ClientRequest, socket: Socket, milliseconds: number): void {
  if (!socket.connecting) return;
  const giveUp = (): void => void request.destroy(new Error(`no connection within ${milliseconds / 1000} s`));
  const timer = setTimeout(giveUp, milliseconds);
  socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => clearTimeout(timer));
  socket.once('close', () => clearTimeout(timer));
}

/** A kept connection may be closed by the server just when it is used again: nothing was wrong with the request. */
function wasClosedBefore({ reusedSocket }: ClientRequest, cause: unknown): boolean {
  return (
    reusedSocket &&
    cause instanceof Error &&
    'code' in cause &&
    /^(?:ECONNRESET|EPIPE)$/.test(`${cause.code}`)
  );
}

/** Loaded only here: many a command asks nobody. An import would load Node's `fetch`, which it exports parts of: 40 ms. */
function openSender(): Send {
  return process.getBuiltinModule('node:http').request;
}

/** Loaded only here: most metrics servers are asked without TLS. */
async function secureSender(authorities: readonly string[] | undefined): Promise<Send> {
  const { Agent, request } = await import('node:https');
  if (authorities === undefined) return request;
  const agent = new Agent({ ca: [...authorities], keepAlive: true, timeout: IDLE_MILLISECONDS });
  return (url, options) => request(url, { ...options, agent });
}

/** @throws {Error} for what is encoded in a way that was not asked for, unless it is an error by its status. */
function responseOf(message: IncomingMessage, signal: AbortSignal): PlainResponse {
  const { statusCode: status = 0, headers } = message;
  const ok = status >= 200 && status < 300;
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  const isPacked = encoding === 'gzip' || encoding === 'x-gzip';
  if (ok && !isPacked && encoding !== '' && encoding !== 'identity') {
    message.destroy();
    throw new Error(`the answer is encoded as ${encoding}, which is not understood`);
  }
  const body = bytesOf(message, { isPacked, signal });
  return {
    ok,
    status,
    headers: {
      get(name) {
        const value = headers[name.toLowerCase()];
        return Array.isArray(value) ? value.join(', ') : (value ?? null);
      },
    },
    body,
    text: async () => (await import('node:stream/consumers')).text(body),
    json: async () => (await import('node:stream/consumers')).json(body),
  };
}

/** Node ends a body that says no length quietly when it is aborted, so that a part would look like the whole. */
async function* bytesOf(
  message: IncomingMessage,
  { isPacked, signal }: { isPacked: boolean; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted();
  if (isPacked) yield* unpacked(message);
  else yield* message;
  signal.throwIfAborted();
}

/** What was packed must come whole; nothing at all is an empty body. */
async function* unpacked(message: IncomingMessage): AsyncGenerator<Uint8Array> {
  // Whoever reads gets the errors of both, and giving up one ends the other.
  const bytes = pipeline(message, process.getBuiltinModule('node:zlib').createGunzip(), () => {});
  try {
    yield* bytes;
  } catch (cause) {
    const isEnd = cause instanceof Error && 'code' in cause && cause.code === 'Z_BUF_ERROR';
    if (!isEnd || !message.complete || bytes.bytesWritten > 0) throw cause;
  }
}
