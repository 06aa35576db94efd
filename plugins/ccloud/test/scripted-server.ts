import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Fetch, Logger, PluginHost } from '@chargeback/plugin-api';
import { type CcloudClient, createCcloudClient } from '../src/http/ccloud-client.ts';
import type { CcloudConnection } from '../src/http/ccloud-request.ts';

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

export const SECRET = 'canary-s3cr3t/with+signs';
export const NOW = new Date('2026-02-20T00:00:00Z');

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
  readonly json?: unknown;
  /** Promises more bytes than it sends and breaks off. */
  readonly truncate?: boolean;
  /** Never answers. */
  readonly hang?: boolean;
}

export interface SeenRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly method: string;
}

/** A real HTTP server that answers as told. */
export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: SeenRequest[];
}

export async function serve(
  answer: (request: SeenRequest, number: number) => Answer,
): Promise<ScriptedServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    incoming.resume();
    incoming.on('end', () => {
      const seen = seenOf(incoming);
      requests.push(seen);
      send(response, answer(seen, requests.length));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function seenOf(incoming: IncomingMessage): SeenRequest {
  const url = new URL(incoming.url ?? '/', 'http://server');
  const { authorization } = incoming.headers;
  return { path: url.pathname, query: url.searchParams, authorization, method: incoming.method ?? '' };
}

function send(response: ServerResponse, answer: Answer): void {
  if (answer.hang) return;
  const text = answer.text ?? JSON.stringify(answer.json ?? {});
  const length = answer.truncate ? { 'content-length': String(text.length + 10) } : {};
  response.writeHead(answer.status ?? 200, {
    'content-type': 'application/json',
    ...length,
    ...answer.headers,
  });
  response.write(text);
  if (answer.truncate) response.destroy();
  else response.end();
}

/** A clock that passes only while somebody sleeps. */
export interface TestHost {
  readonly host: PluginHost;
  readonly sleeps: number[];
}

export function testHost(random = 0.5, fetch: Fetch = globalThis.fetch): TestHost {
  const sleeps: number[] = [];
  let time = NOW.getTime();
  return {
    sleeps,
    host: {
      logger: silentLogger,
      clock: () => new Date(time),
      fetch,
      createFetch: () => fetch,
      resolvePath: (file) => file,
      random: () => random,
      sleep: async (milliseconds, signal) => {
        signal.throwIfAborted();
        sleeps.push(milliseconds);
        time += milliseconds;
        await Promise.resolve();
      },
      signal: new AbortController().signal,
      tenantId: 'tenant-1',
      concurrency: 4,
    },
  };
}

export function clientOf(
  url: string,
  { random, ...overrides }: Partial<CcloudConnection> & { random?: number } = {},
  fetch?: Fetch,
): { client: CcloudClient; sleeps: number[] } {
  const { host, sleeps } = testHost(random, fetch);
  const connection: CcloudConnection = {
    baseUrl: url,
    key: 'KEY',
    secret: SECRET,
    settingsPath: 'ccloud_api',
    timeoutSeconds: 10,
    maxAttempts: 6,
    maxInFlight: 8,
    requestsPerSecond: 1000,
    maxResponseBytes: 1_000_000,
    ...overrides,
  };
  return { client: createCcloudClient(connection, host), sleeps };
}

export const live = (): AbortSignal => new AbortController().signal;

/** A listing page. */
export function page(items: readonly unknown[], next?: string): Answer {
  return { json: { data: items, metadata: next === undefined ? {} : { next } } };
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
