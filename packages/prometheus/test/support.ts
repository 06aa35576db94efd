import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger, UsageDay, UsageQuery, Window } from '@chargeback/plugin-api';
import {
  createMetricsSource,
  createPrometheusClient,
  type MetricsConnection,
  metricsConnectionSchema,
  type PrometheusClient,
  type PrometheusHost,
} from '../src/index.ts';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export interface TestServer {
  readonly url: string;
  readonly requests: { path: string; body: URLSearchParams; authorization: string | undefined }[];
  stop(): Promise<void>;
}

/** A real HTTP server that answers as told. */
export async function serve(answer: (request: number, body: URLSearchParams) => Answer): Promise<TestServer> {
  const requests: TestServer['requests'] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = new URLSearchParams(Buffer.concat(chunks).toString());
      requests.push({ path: request.url ?? '', body, authorization: request.headers.authorization });
      const {
        status = 200,
        headers = {},
        text = '',
        hang = false,
        truncate = false,
        respond,
      } = answer(requests.length, body);
      if (hang) return;
      if (respond) return respond(response);
      response.writeHead(status, {
        'content-type': 'application/json',
        ...(truncate ? { 'content-length': text.length + 10 } : {}),
        ...headers,
      });
      response.write(text);
      if (truncate) response.destroy();
      else response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
  /** Never answers. */
  readonly hang?: boolean;
  /** Promises more bytes than it sends and breaks off. */
  readonly truncate?: boolean;
  /** Answers in its own way. */
  readonly respond?: (response: ServerResponse) => void;
}

export interface TestClient {
  readonly client: PrometheusClient;
  /** What the client waited between tries, in milliseconds. */
  readonly waits: number[];
}

export const NOW = new Date('2026-02-10T00:00:00Z');

/** A client whose waits end at once and are noted. */
export function clientFor(
  url: string,
  connection: Partial<Record<keyof MetricsConnection, unknown>> = {},
  overrides: Partial<PrometheusHost> = {},
): TestClient {
  const waits: number[] = [];
  const host: PrometheusHost = {
    createFetch: () => globalThis.fetch,
    clock: () => NOW,
    random: () => 0.5,
    sleep: (milliseconds, signal) => {
      signal.throwIfAborted();
      waits.push(milliseconds);
      return Promise.resolve();
    },
    logger: silent,
    ...overrides,
  };
  return {
    client: createPrometheusClient(metricsConnectionSchema.parse({ url, ...connection }), host),
    waits,
  };
}

export const matrix = (result: readonly object[], extra: object = {}): string =>
  JSON.stringify({ status: 'success', data: { resultType: 'matrix', result }, ...extra });

export const days = (first: string, count: number): Window => {
  const start = new Date(`${first}T00:00:00Z`);
  return { start, end: new Date(start.getTime() + count * 86_400_000) };
};

export const never = (): AbortSignal => new AbortController().signal;

export function usageQuery(overrides: Partial<UsageQuery> = {}): UsageQuery {
  return {
    key: 'bytes',
    expression: (range) => `sum by (principal) (increase(bytes_total[${range}]))`,
    stepSeconds: 3600,
    reduce: 'sum',
    identityLabel: 'principal',
    resourceLabel: null,
    ...overrides,
  };
}

export async function usageOf(
  client: PrometheusClient,
  window: Window,
  ...queries: UsageQuery[]
): Promise<UsageDay[]> {
  const answered: UsageDay[] = [];
  const source = createMetricsSource(client, { concurrency: 2, logger: silent });
  for await (const day of source.usage(queries, window, never())) answered.push(day);
  return answered.toSorted((left, right) =>
    `${left.queryKey}${left.date}`.localeCompare(`${right.queryKey}${right.date}`),
  );
}

export const totalsOf = ({ totals }: UsageDay): Record<string, number> =>
  Object.fromEntries(totals.identityIds.map((id, index) => [id, totals.values[index]!]));
