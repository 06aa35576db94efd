import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type EmitterWorld, testEmitter } from '@chargeback/testkit';
import { describe, it } from 'vitest';
import { webhook } from './webhook.ts';

/** A real server that keeps what it was last sent to each address, and refuses every third request. */
async function makeWorld(): Promise<EmitterWorld> {
  const kept = new Map<string, string>();
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    if (requests % 3 === 0) {
      response.writeHead(503).end();
      return;
    }
    const keep = async (): Promise<void> => {
      kept.set(request.url!, await text(request));
      response.writeHead(204).end();
    };
    void keep();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    params: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/billing` },
    fetch,
    contents: async () => [...kept].toSorted(([left], [right]) => (left < right ? -1 : 1)),
    dispose: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

testEmitter({ describe, it }, webhook, makeWorld);
