import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import type { PlainFetch, PlainRequest, PlainResponse } from '@chargeback/plugin-api';

// Importing the module would load the `fetch` of Node too, whose WebSocket it exports: 40 ms.
const { request: sendOpenly } = process.getBuiltinModule('node:http');

/** As long as Node keeps a connection of its own that nobody uses. */
const IDLE_MILLISECONDS = 5_000;

type Send = (url: string, options: RequestOptions) => ClientRequest;

/**
 * Requests through Node's own HTTP client. The global `fetch` takes two to three times the CPU for the same answers,
 * with streams of many layers and a parser that every process compiles anew.
 * @param authorities PEM certificates to trust; where none are given, those that the process trusts.
 */
export function createPlainFetch(authorities?: readonly string[]): PlainFetch {
  let secured: Promise<Send> | undefined;
  return async (url, { method, headers, body, signal }) => {
    signal.throwIfAborted();
    const send: Send = url.startsWith('https:') ? await (secured ??= secureSender(authorities)) : sendOpenly;
    return await new Promise((resolve, reject) => {
      const request = send(url, { method, headers: headersOf(headers), signal });
      request.on('error', (error) => reject(signal.aborted ? signal.reason : error));
      request.on('response', (message) => {
        try {
          resolve(responseOf(message));
        } catch (cause) {
          message.destroy();
          reject(cause);
        }
      });
      request.end(body);
    });
  };
}

/** The encoding is ours to choose: it is undone here. */
function headersOf(headers: PlainRequest['headers']): PlainRequest['headers'] {
  return { 'user-agent': 'chargeback', ...headers, 'accept-encoding': 'gzip' };
}

/** Loaded only here: most metrics servers are asked without TLS. */
async function secureSender(authorities: readonly string[] | undefined): Promise<Send> {
  const { Agent, request } = await import('node:https');
  if (authorities === undefined) return request;
  const agent = new Agent({ ca: [...authorities], keepAlive: true, timeout: IDLE_MILLISECONDS });
  return (url, options) => request(url, { ...options, agent });
}

function responseOf(message: IncomingMessage): PlainResponse {
  const { statusCode: status = 0, headers } = message;
  const body = decoded(message);
  return {
    ok: status >= 200 && status < 300,
    status,
    headers: {
      get(name) {
        const value = headers[name.toLowerCase()];
        return Array.isArray(value) ? value.join(', ') : (value ?? null);
      },
    },
    body,
    text: () => text(body),
    json: () => json(body),
  };
}

/** @throws {Error} for an encoding that was not asked for. */
function decoded(message: IncomingMessage): Readable {
  const { statusCode, headers } = message;
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  const isEmpty = statusCode === 204 || statusCode === 304 || headers['content-length'] === '0';
  if (isEmpty || encoding === '' || encoding === 'identity') return message;
  if (encoding !== 'gzip' && encoding !== 'x-gzip')
    throw new Error(`the answer is encoded as ${encoding}, which was not asked for`);
  // Whoever reads gets the errors of both, and giving up one ends the other.
  return pipeline(message, createGunzip(), () => {});
}
