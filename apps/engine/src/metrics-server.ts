import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { ChargebackError, describeCause, type Logger } from '@chargeback/plugin-api';
import { mergeExpositions } from './merge-expositions.ts';

const compress = promisify(gzip);

/** What `GET /health` answers, as JSON: with 200 when healthy, with 503 when not. Nothing secret belongs in it. */
export interface HealthReport {
  readonly healthy: boolean;
  readonly [fact: string]: unknown;
}

/** Gives text in the Prometheus format, such as an emitter's `exposition` or the health metrics. */
export type Exposition = () => Promise<string>;

export interface MetricsServerOptions {
  /** Address to listen on. There is no authentication: leave it on loopback, or protect it from outside. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly expositions: readonly Exposition[];
  readonly health: () => HealthReport | Promise<HealthReport>;
  readonly logger: Logger;
}

export interface MetricsServer {
  /** With the port that was taken. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Serves `GET /metrics`, all expositions as one, and `GET /health`. An exposition that fails is left out, logged
 * and counted in `chargeback_exposition_failures`; the others are served.
 * @throws {ChargebackError} `CB_SERVE_LISTEN` when the address cannot be had.
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    answer(request, response, options).catch((cause: unknown) => {
      options.logger.error(
        { path: request.url, cause: describeCause(cause) },
        'a request could not be answered',
      );
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  const port = await listen(server, options);
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: MetricsServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `cannot listen on ${host}, port ${port}: ${describeCause(cause)}`;
      reject(new ChargebackError('CB_SERVE_LISTEN', message, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: MetricsServerOptions,
): Promise<void> {
  const [path] = (request.url ?? '').split('?');
  if (path !== '/metrics' && path !== '/health') {
    send(response, { status: 404, type: 'text/plain; charset=utf-8', body: 'Try /metrics or /health.\n' });
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    send(response, { status: 405, type: 'text/plain; charset=utf-8', body: 'Only GET is answered.\n' });
  } else if (path === '/health') {
    const report = await reportOf(options);
    const body = `${JSON.stringify(report)}\n`;
    send(response, { status: report.healthy ? 200 : 503, type: 'application/json', body });
  } else {
    const text = await metricsText(options);
    const zipped = /\bgzip\b/u.test(String(request.headers['accept-encoding'] ?? ''));
    response.setHeader('vary', 'accept-encoding');
    if (zipped) response.setHeader('content-encoding', 'gzip');
    const body = zipped ? await compress(text) : text;
    send(response, { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body });
  }
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  // To HEAD Node sends the headers alone.
  response.end(body);
}

async function reportOf({ health, logger }: MetricsServerOptions): Promise<HealthReport> {
  try {
    return await health();
  } catch (cause) {
    logger.error({ cause: describeCause(cause) }, 'the health could not be told');
    return { healthy: false };
  }
}

async function metricsText({ expositions, logger }: MetricsServerOptions): Promise<string> {
  const texts: string[] = [];
  let failures = 0;
  for (const outcome of await Promise.allSettled(expositions.map((read) => read()))) {
    if (outcome.status === 'fulfilled') texts.push(outcome.value);
    else {
      failures += 1;
      logger.error({ cause: describeCause(outcome.reason) }, 'metrics could not be read');
    }
  }
  const name = 'chargeback_exposition_failures';
  texts.push(
    `# HELP ${name} Sources of metrics that could not be read for this scrape.\n# TYPE ${name} gauge\n${name} ${failures}\n`,
  );
  return mergeExpositions(texts);
}
