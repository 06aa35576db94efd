import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { IncomingRequest, SimulatorReaction } from './simulator-request.ts';

export interface LoopbackServer {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** Breaks open connections and frees the port. */
  stop(): Promise<void>;
}

type React = (request: IncomingRequest) => SimulatorReaction;

/** A server on a free port of this machine only. */
export async function startLoopbackServer(react: React): Promise<LoopbackServer> {
  const stopping = new AbortController();
  const server = createServer((request, response) => {
    serve(react, { request, response, signal: stopping.signal }).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    async stop() {
      stopping.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

async function serve(react: React, { request, response, signal }: Exchange): Promise<void> {
  const { delay, answer } = react({
    method: request.method ?? 'GET',
    url: new URL(request.url ?? '/', `http://${request.headers.host ?? '127.0.0.1'}`),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: await text(request),
  });
  if (delay > 0) await pause(delay, undefined, { signal });
  if (answer === null) {
    request.socket.resetAndDestroy();
    return;
  }
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
  response.end(answer.body);
}
