import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createPlainServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { PlainFetch, PlainRequest, PlainResponse } from '@chargeback/plugin-api';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createHost } from '../src/host.ts';
import { createPlainFetch } from '../src/plain-fetch.ts';
import { repository, temporaryFolder } from './support.ts';

const running: Server[] = [];
const connected = new Set<Socket>();
afterEach(async () => {
  for (const server of running.splice(0)) {
    server.close();
    for (const socket of connected) socket.destroy();
    await once(server, 'close');
  }
  connected.clear();
});

async function listening(server: Server): Promise<number> {
  running.push(server);
  server.on('connection', (socket) => connected.add(socket.on('error', () => {})));
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

  it('has headers in their own encoding, whatever the body is in', async () => {
    const seen: Buffer[] = [];
    const port = await listening(
      createPlainServer((socket) => {
        socket.on('data', (bytes: Buffer) => {
          seen.push(bytes);
          if (Buffer.concat(seen).includes('grüße')) socket.end('HTTP/1.1 204 OK\r\n\r\n');
        });
      }),
    );
    const post = get({ method: 'POST', headers: { 'x-scope-orgid': 'gr\u00fc\u00df' }, body: 'grüße' });
    expect((await fetch(`http://localhost:${port}`, post)).status).toBe(204);
    const sent = Buffer.concat(seen).toString('latin1');
    expect(sent).toContain('x-scope-orgid: gr\u00fc\u00df\r\n');
  });

  it('leaves the choice of an encoding to who configured one', async () => {
    const url = await serve((request, response) => response.end(request.headers['accept-encoding']));
    expect(await (await fetch(url, get({ headers: { 'Accept-Encoding': 'identity' } }))).text()).toBe(
      'identity',
    );
    expect(await (await fetch(url.replace('http', 'HTTP'), get())).text()).toBe('gzip');
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
    '/packed-nothing-in-pieces': (response) => {
      response.writeHead(503, { 'content-encoding': 'gzip', 'retry-after': '3' }).flushHeaders();
      response.end();
    },
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

  it('in an encoding that is not understood is refused by its name, and its connection closed', async () => {
    const closed = vi.fn<() => void>();
    const url = await serve((request, response) => {
      request.socket.once('close', closed);
      response.writeHead(200, { 'content-encoding': 'br' }).end(brotliCompressSync('x'.repeat(1_000_000)));
    });
    await expect(fetch(url, get())).rejects.toThrow('encoded as br, which is not understood');
    await vi.waitFor(() => expect(closed).toHaveBeenCalled());
  });
});

describe('an answer that is none', () => {
  it.each([
    ['changes the protocol', 'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n'],
    ['speaks no HTTP', 'SSH-2.0-server\r\n'],
    ['ends before its headers do', 'HTTP/1.1 200 OK\r\ncontent-le'],
  ])('because it %s is an error at once', async (_how, words) => {
    const port = await listening(createPlainServer((socket) => socket.end(words)));
    await expect(fetch(`http://localhost:${port}`, get())).rejects.toThrow(/\S/);
  });

  it('keeps its status when it is an error, however it is encoded', async () => {
    const url = await serve((_request, response) =>
      response.writeHead(401, { 'content-encoding': 'br' }).end('x'),
    );
    expect((await fetch(url, get())).status).toBe(401);
  });

  it('because nobody makes the connection is one within the limit for that', async () => {
    const sockets: Socket[] = [];
    const port = await listening(createPlainServer((socket) => void sockets.push(socket.resume())));
    const hasty = createPlainFetch({ connectMilliseconds: 50 });
    await expect(hasty(`https://localhost:${port}`, get())).rejects.toThrow('no connection within 0.05 s');
    for (const socket of sockets) socket.destroy();
  });

  it('in time is not limited once the connection is made', async () => {
    const hasty = createPlainFetch({ connectMilliseconds: 1_000 });
    const waiting: ServerResponse[] = [];
    const url = await serve((_request, response) => void waiting.push(response));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const answer = hasty(url, get());
      await vi.waitUntil(() => waiting.length === 1, { interval: 5 });
      vi.advanceTimersByTime(60_000);
      waiting[0]!.end('late');
      expect(await (await answer).text()).toBe('late');
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a connection that was kept', () => {
  it('and that the server closes as it is used again is made anew', async () => {
    const asked = new Map<Socket, number>();
    const url = await serve((request, response) => {
      const before = asked.get(request.socket) ?? 0;
      asked.set(request.socket, before + 1);
      if (before === 0) response.end('first');
      else request.socket.destroy();
    });
    const ask = async (): Promise<string> => (await fetch(url, get({ method: 'POST', body: 'x' }))).text();
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(['first', 'first', 'first']);
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(['first', 'first', 'first']);
    expect(asked.size).toBe(6);
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
    ...[1, 2, 9, 12].map((length): [string, RequestListener] => [
      `after ${length} bytes of what is packed, though the transfer ends well`,
      (_request, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed.subarray(0, length)),
    ]),
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
    await expect(read).rejects.toThrow(/aborted|enough/);
  });

  it.each([['HTTP/1.0 200 OK'], ['HTTP/1.1 200 OK\r\nconnection: close']])(
    'by the signal is no whole one where it says no length (%s)',
    async (head) => {
      const port = await listening(
        createPlainServer((socket) => void socket.write(`${head}\r\n\r\n{"half":`)),
      );
      const reason = new Error('enough');
      const reading = new AbortController();
      const { body } = await fetch(`http://localhost:${port}`, get({ signal: reading.signal }));
      const read = async (): Promise<void> => {
        for await (const chunk of body!) {
          expect(Buffer.from(chunk).toString()).toBe('{"half":');
          reading.abort(reason);
        }
      };
      await expect(read()).rejects.toThrow('enough');
    },
  );

  it('by the signal before it is read is not empty', async () => {
    const url = await serve((_request, response) => response.end('whole'));
    const reason = new Error('enough');
    const aborting = new AbortController();
    const response = await fetch(url, get({ signal: aborting.signal }));
    aborting.abort(reason);
    await expect(response.text()).rejects.toBe(reason);
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
    const folder = await temporaryFolder();
    onTestFinished(folder.remove);
    const host = createHost({ configDirectory: folder.path });
    expect(() => host.createFetch({ caFile: 'ca.pem' })).toThrow(path.join(folder.path, 'ca.pem'));
    await writeFile(path.join(folder.path, 'ca.pem'), 'no certificate');
    const url = await serveSecurely();
    await expect(host.createFetch({ caFile: 'ca.pem' })(url, get())).rejects.toThrow(/\S/);
  });
});
