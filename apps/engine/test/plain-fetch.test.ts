import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { PlainFetch, PlainRequest, PlainResponse } from '@chargeback/plugin-api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createHost } from '../src/host.ts';
import { createPlainFetch } from '../src/plain-fetch.ts';
import { repository, temporaryFolder } from './support.ts';

const running: Server[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) {
    (server as Partial<ReturnType<typeof createServer>>).closeAllConnections?.();
    server.close();
    await once(server, 'close');
  }
});

async function listening(server: Server): Promise<number> {
  running.push(server);
  server.listen(0, 'localhost');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function serve(answer: RequestListener): Promise<string> {
  return `http://localhost:${await listening(createServer(answer))}`;
}

const get = (changes: Partial<PlainRequest> = {}): PlainRequest => ({
  method: 'GET',
  headers: {},
  redirect: 'manual',
  signal: new AbortController().signal,
  ...changes,
});

async function bytesOf({ body }: PlainResponse): Promise<string> {
  return body === null ? '' : (await buffer(body)).toString('latin1');
}

const fetch = createPlainFetch();

describe('what is sent', () => {
  it('is what was asked for, over one connection', async () => {
    const seen: unknown[] = [];
    const ports = new Set<number | undefined>();
    const url = await serve(async (request, response) => {
      const { method, url: target, headers, socket } = request;
      ports.add(socket.remotePort);
      const names = ['authorization', 'content-type', 'content-length', 'x-scope', 'user-agent'] as const;
      seen.push([method, target, names.map((name) => headers[name]), (await buffer(request)).toString()]);
      response.end('ok');
    });
    const headers = { authorization: 'Basic abc', 'content-type': 'text/plain', 'X-Scope': 'one' };
    const post = get({ method: 'POST', headers, body: 'grüße' });
    expect(await (await fetch(`${url}/a?b=c%20d`, post)).text()).toBe('ok');
    expect(await (await fetch(`${url}/e`, get({ headers: { 'User-Agent': 'mine' } }))).text()).toBe('ok');
    expect(seen).toEqual([
      ['POST', '/a?b=c%20d', ['Basic abc', 'text/plain', '7', 'one', 'chargeback'], 'grüße'],
      ['GET', '/e', [undefined, undefined, undefined, undefined, 'mine'], ''],
    ]);
    expect(ports.size).toBe(1);
  });

  it('is refused where a header would break out of its line, and not quoted', async () => {
    const headers = { authorization: 'secret\r\nx: y' };
    const refused = await fetch('http://localhost:1', get({ headers })).catch((error: Error) => error);
    expect(String(refused)).toContain('authorization');
    expect(String(refused)).not.toContain('secret');
  });
});

describe('what comes', () => {
  const answers: Record<string, (response: ServerResponse, request: IncomingMessage) => void> = {
    '/plain': (response) =>
      response.writeHead(200, { 'content-type': 'text/plain', 'x-many': ['a', 'b'] }).end('grüße'),
    '/pieces': (response) => {
      response.write('a'.repeat(70_000));
      response.end('b');
    },
    '/empty': (response) => response.writeHead(204).end(),
    '/unchanged': (response) => response.writeHead(304, { etag: '"x"' }).end(),
    '/elsewhere': (response) => response.writeHead(302, { location: 'http://localhost:1/' }).end('moved'),
    '/missing': (response) => response.writeHead(404, 'Gone Fishing').end('{"message":"no"}'),
    '/busy': (response) => response.writeHead(503, { 'Retry-After': '7' }).end(),
    '/packed': (response, request) => {
      const packs = request.headers['accept-encoding']!.includes('gzip');
      if (packs) response.setHeader('Content-Encoding', 'GZIP');
      response.end(packs ? gzipSync('g'.repeat(200_000)) : 'not asked for');
    },
    '/packed-nothing': (response) =>
      response.writeHead(503, { 'content-encoding': 'gzip', 'content-length': '0' }).end(),
  };

  it.each(Object.keys(answers))('is what the standard fetch says of %s', async (target) => {
    const url = `${await serve((request, response) => answers[request.url!]!(response, request))}${target}`;
    const summary = async (by: PlainFetch): Promise<unknown> => {
      const response = await by(url, get());
      const names = ['content-type', 'X-Many', 'etag', 'location', 'retry-after', 'x-none'];
      const headers = names.map((name) => response.headers.get(name));
      return [response.ok, response.status, headers, await bytesOf(response)];
    };
    expect(await summary(fetch)).toEqual(await summary(globalThis.fetch));
  });

  it('can be read as text or JSON', async () => {
    const url = await serve((_request, response) => response.end('{"gruß":[1]}'));
    expect(await (await fetch(url, get())).text()).toBe('{"gruß":[1]}');
    expect(await (await fetch(url, get())).json()).toEqual({ gruß: [1] });
  });

  it('in an encoding that nobody asked for is refused by its name, and its connection closed', async () => {
    const closed = vi.fn<() => void>();
    const url = await serve((request, response) => {
      request.socket.once('close', closed);
      response.writeHead(200, { 'content-encoding': 'br' }).end(brotliCompressSync('x'.repeat(1_000_000)));
    });
    await expect(fetch(url, get())).rejects.toThrow('encoded as br, which was not asked for');
    await vi.waitFor(() => expect(closed).toHaveBeenCalled());
  });
});

describe('an answer that breaks off', () => {
  const packed = gzipSync(Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 251)));

  it.each<[string, RequestListener]>([
    [
      'before the length that it named',
      (request, response) => {
        response.writeHead(200, { 'content-length': '1000' }).write('half', () => request.socket.destroy());
      },
    ],
    [
      'in the middle of its pieces',
      (request, response) => void response.write('half', () => request.socket.destroy()),
    ],
    [
      'in the middle of what is packed, though the transfer ends well',
      (_request, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed.subarray(0, packed.length / 2));
      },
    ],
    [
      'with bytes that are not packed as it says',
      (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('<html>'),
    ],
    [
      'in the middle of what is packed and of the transfer',
      (request, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.write(packed.subarray(0, packed.length / 2), () => request.socket.destroy());
      },
    ],
  ])('%s is an error', async (_how, answer) => {
    const url = await serve(answer);
    await expect(fetch(url, get()).then(bytesOf)).rejects.toThrow(/\S/);
  });

  it('before it began is one too, and one that never connected says why', async () => {
    const url = await serve((request) => request.socket.destroy());
    await expect(fetch(url, get())).rejects.toThrow('socket hang up');
    const port = await listening(createServer());
    running.pop()!.close();
    const error = await fetch(`http://127.0.0.1:${port}`, get()).catch((cause: Error) => cause);
    expect(String(error)).toContain(`ECONNREFUSED 127.0.0.1:${port}`);
  });
});

describe('an answer that is given up', () => {
  it.each([['plain'], ['gzip']])('in the middle closes its connection (%s)', async (encoding) => {
    const closed = vi.fn<() => void>();
    const url = await serve((request, response) => {
      request.socket.once('close', closed);
      const packed = encoding === 'gzip';
      response.writeHead(200, packed ? { 'content-encoding': encoding } : {});
      response.write(packed ? gzipSync('x'.repeat(100_000)) : 'x'.repeat(100_000));
    });
    const { body } = await fetch(url, get());
    for await (const chunk of body!) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    await vi.waitFor(() => expect(closed).toHaveBeenCalled());
  });

  it('by the signal before it is sent, while it is awaited and while it is read ends with its reason', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/begun') response.write('x');
    });
    const reason = new Error('enough');
    await expect(fetch(url, get({ signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    const waiting = new AbortController();
    const awaited = fetch(`${url}/never`, get({ signal: waiting.signal }));
    waiting.abort(reason);
    await expect(awaited).rejects.toBe(reason);
    const reading = new AbortController();
    const response = await fetch(`${url}/begun`, get({ signal: reading.signal }));
    const read = bytesOf(response);
    reading.abort(reason);
    await expect(read).rejects.toThrow('aborted');
  });
});

describe('a server with a certificate', () => {
  const certificates = path.join(repository, 'packages', 'storage', 'test', 'certificates');

  async function serveSecurely(): Promise<string> {
    const [key, cert] = await Promise.all(
      ['server.key', 'server.pem'].map((name) => readFile(path.join(certificates, name))),
    );
    const server = createSecureServer({ key, cert }, (_request, response) => void response.end('secured'));
    return `https://localhost:${await listening(server)}`;
  }

  it('is believed only by a connection that was given its authority, from beside the configuration', async () => {
    const url = await serveSecurely();
    const host = createHost({ configDirectory: certificates });
    expect(await (await host.createFetch({ caFile: 'ca.pem' })(url, get())).text()).toBe('secured');
    for (const options of [{}, { caFile: 'other-ca.pem' }]) {
      await expect(host.createFetch(options)(url, get())).rejects.toThrow(/certificate/);
    }
  });

  it('whose authority cannot be read is told with the file', async () => {
    await using folder = await temporary();
    const host = createHost({ configDirectory: folder.path });
    expect(() => host.createFetch({ caFile: 'ca.pem' })).toThrow(path.join(folder.path, 'ca.pem'));
    await writeFile(path.join(folder.path, 'ca.pem'), 'no certificate');
    const url = await serveSecurely();
    await expect(host.createFetch({ caFile: 'ca.pem' })(url, get())).rejects.toThrow(/\S/);
  });

  async function temporary(): Promise<AsyncDisposable & { path: string }> {
    const { path: place, remove } = await temporaryFolder();
    return { path: place, [Symbol.asyncDispose]: remove };
  }
});
