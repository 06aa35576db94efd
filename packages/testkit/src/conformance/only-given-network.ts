import { AsyncLocalStorage } from 'node:async_hooks';
import net from 'node:net';
import type { Fetch } from '@chargeback/plugin-api';

const inGivenFetch = new AsyncLocalStorage<boolean>();

/** The same fetch, marked so that the sockets it opens are allowed. */
export function allowed(fetch: Fetch): Fetch {
  return (...request) => inGivenFetch.run(true, () => fetch(...request));
}

/**
 * Runs something that may reach the network through the given fetch only: the global one and sockets of its own
 * fail, and what tried is told even when it swallowed the failure.
 */
export async function withOnlyGivenNetwork<Result>(work: () => Promise<Result>): Promise<Result> {
  const attempts: string[] = [];
  const refuse = (what: string): Error => {
    attempts.push(what);
    return new Error(`${what} is not the fetch that the host gave`);
  };
  const globalFetch = globalThis.fetch;
  const connect = net.Socket.prototype.connect;
  globalThis.fetch = () => Promise.reject(refuse('the global fetch'));
  net.Socket.prototype.connect = function guarded(this: net.Socket, ...connection: unknown[]) {
    if (inGivenFetch.getStore()) return Reflect.apply(connect, this, connection) as net.Socket;
    throw refuse('a socket of its own');
  } as typeof connect;
  try {
    const result = await work();
    if (attempts.length > 0) throw new Error(`it used ${attempts.join(', ')}`);
    return result;
  } finally {
    globalThis.fetch = globalFetch;
    net.Socket.prototype.connect = connect;
  }
}
