import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

const API_VERSIONS = 18;
const METADATA = 3;
const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;
const UNSUPPORTED_MECHANISM = 33;
const ILLEGAL_STATE = 34;
const AUTHENTICATION_FAILED = 58;
const ITERATIONS = 4096;

type Mechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

export interface ScriptedTopic {
  readonly name: string;
  readonly internal?: boolean;
  readonly errorCode?: number;
  /** The replicas of each partition; with an error code where the partition has no leader. */
  readonly partitions: readonly { replicas: readonly number[]; errorCode?: number }[];
}

export interface BrokerScript {
  readonly tls?: TlsOptions;
  readonly sasl?: { mechanisms: readonly Mechanism[]; user: string; password: string };
  /** The message beside the error code when credentials are refused. */
  readonly refusal?: string;
  /** Answers the first message of an exchange with these bytes. */
  readonly saslAnswer?: string;
  /** `silent`: never answers. `hang_up`: closes at the first request. `reset`: resets after a refusal. `tls_alert`: as TLS does to plain text. */
  readonly behaviour?: 'silent' | 'hang_up' | 'reset' | 'tls_alert';
  /** API key of requests that are never answered. */
  readonly ignores?: number;
  readonly topics?: readonly ScriptedTopic[];
}

export interface ScriptedBroker {
  readonly port: number;
  /** Requests by API key, in order of arrival. */
  readonly requests: number[];
  /** Resolves once a request of that API key has arrived. */
  arrival(apiKey: number): Promise<void>;
  stop(): Promise<void>;
}

/** A listener on loopback that answers what the Admin API client needs, bytes written by hand. */
export async function startScriptedBroker(script: BrokerScript): Promise<ScriptedBroker> {
  const sockets = new Set<Socket>();
  const requests: number[] = [];
  const waiting: { apiKey: number; resolve: () => void }[] = [];
  const arrived = (apiKey: number): void => {
    requests.push(apiKey);
    for (const one of waiting) if (one.apiKey === apiKey) one.resolve();
  };
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  };
  const accept = (socket: Socket): void => {
    socket.on('error', () => {});
    serve(socket, script, { port: () => (server.address() as AddressInfo).port, arrived });
  };
  // Half-open: this end never closes by itself, so a client that does not close leaks.
  const server: Server = script.tls
    ? createTlsServer({ ...script.tls, allowHalfOpen: true }, accept)
    : createServer({ allowHalfOpen: true }, accept);
  server.on('connection', track);
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    arrival: (apiKey) =>
      new Promise((resolve) => {
        if (requests.includes(apiKey)) resolve();
        else waiting.push({ apiKey, resolve });
      }),
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

interface Line {
  readonly port: () => number;
  readonly arrived: (apiKey: number) => void;
}

function serve(socket: Socket, script: BrokerScript, { port, arrived }: Line): void {
  let pending = Buffer.alloc(0);
  const session = new SaslSession(script);
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
      const size = pending.readInt32BE(0);
      const request = readRequest(pending.subarray(4, 4 + size));
      pending = pending.subarray(4 + size);
      arrived(request.apiKey);
      if (script.behaviour === 'silent' || script.ignores === request.apiKey) continue;
      if (script.behaviour === 'tls_alert') return void socket.end(Buffer.from('15030300020246', 'hex'));
      if (script.behaviour === 'hang_up') return void socket.end();
      const answer = answerTo(request, { script, session, port: port() });
      // A listener that wants SASL hangs up on whoever asks for more without it.
      if (answer === null) return void socket.end();
      socket.write(framed(request.correlationId, answer));
      if (script.behaviour === 'reset' && session.refused) return void socket.resetAndDestroy();
    }
  });
}

interface Request {
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  readonly body: Buffer;
}

function readRequest(bytes: Buffer): Request {
  const clientIdLength = bytes.readInt16BE(8);
  return {
    apiKey: bytes.readInt16BE(0),
    version: bytes.readInt16BE(2),
    correlationId: bytes.readInt32BE(4),
    body: bytes.subarray(10 + Math.max(0, clientIdLength)),
  };
}

function answerTo(
  { apiKey, version, body }: Request,
  { script, session, port }: { script: BrokerScript; session: SaslSession; port: number },
): Buffer | null {
  if (apiKey === API_VERSIONS) return apiVersions(version);
  if (apiKey === SASL_HANDSHAKE) return session.handshake(body.toString('utf8', 2, 2 + body.readInt16BE(0)));
  if (apiKey === SASL_AUTHENTICATE) return session.authenticate(body.subarray(4, 4 + body.readInt32BE(0)));
  return apiKey === METADATA && (!script.sasl || session.passed) ? metadata(port, script.topics ?? []) : null;
}

const SPOKEN = [
  [METADATA, 1, 1],
  [API_VERSIONS, 0, 3],
  [SASL_HANDSHAKE, 1, 1],
  [SASL_AUTHENTICATE, 0, 0],
] as const;

function apiVersions(version: number): Buffer {
  const flexible = version >= 3;
  const keys = SPOKEN.map((entry) =>
    Buffer.concat([...entry.map(int16), flexible ? Buffer.from([0]) : Buffer.alloc(0)]),
  );
  const length = flexible ? Buffer.from([SPOKEN.length + 1]) : int32(SPOKEN.length);
  return Buffer.concat([int16(0), length, ...keys, int32(0), flexible ? Buffer.from([0]) : Buffer.alloc(0)]);
}

/** Metadata version 1: brokers, controller, topics. */
function metadata(port: number, topics: readonly ScriptedTopic[]): Buffer {
  const none = int16(-1);
  return Buffer.concat([
    int32(2),
    int32(1),
    text('127.0.0.1'),
    int32(port),
    text('rack-a'),
    int32(2),
    text('broker-2.test'),
    int32(9092),
    none,
    int32(1),
    int32(topics.length),
    ...topics.flatMap(({ name, internal, errorCode, partitions }) => [
      int16(errorCode ?? 0),
      text(name),
      Buffer.from([internal ? 1 : 0]),
      int32(partitions.length),
      ...partitions.flatMap((partition, index) => [
        int16(partition.errorCode ?? 0),
        int32(index),
        int32(partition.errorCode === undefined ? (partition.replicas[0] ?? -1) : -1),
        array(partition.replicas),
        array(partition.errorCode === undefined ? partition.replicas : []),
      ]),
    ]),
  ]);
}

/** The broker's side of SASL, after RFC 4616 (PLAIN) and RFC 5802 (SCRAM). */
class SaslSession {
  readonly script: BrokerScript;
  passed = false;
  refused = false;
  mechanism = '';
  clientFirst = '';
  serverFirst = '';

  constructor(script: BrokerScript) {
    this.script = script;
  }

  handshake(mechanism: string): Buffer {
    const { sasl } = this.script;
    this.mechanism = mechanism;
    if (!sasl) return Buffer.concat([int16(ILLEGAL_STATE), int32(0)]);
    const known = (sasl.mechanisms as readonly string[]).includes(mechanism);
    return Buffer.concat([
      int16(known ? 0 : UNSUPPORTED_MECHANISM),
      int32(sasl.mechanisms.length),
      ...sasl.mechanisms.map(text),
    ]);
  }

  authenticate(bytes: Buffer): Buffer {
    const { saslAnswer } = this.script;
    if (saslAnswer !== undefined) return accepted(saslAnswer);
    return this.mechanism === 'PLAIN' ? this.plain(bytes) : this.scram(bytes.toString());
  }

  plain(bytes: Buffer): Buffer {
    const { user, password } = this.script.sasl!;
    if (!bytes.equals(Buffer.from(`\0${user}\0${password}`))) return this.refuse();
    this.passed = true;
    return accepted('');
  }

  scram(message: string): Buffer {
    const { user, password } = this.script.sasl!;
    const [hash, length] =
      this.mechanism === 'SCRAM-SHA-512' ? (['sha512', 64] as const) : (['sha256', 32] as const);
    const salt = createHash('md5').update(user).digest();
    if (this.serverFirst === '') {
      const found = /^n,,(n=([^,]*),r=(.+))$/.exec(message);
      if (!found || found[2] !== user) return this.refuse();
      this.clientFirst = found[1]!;
      const nonce = `${found[3]}${randomBytes(9).toString('base64')}`;
      this.serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${ITERATIONS}`;
      return accepted(this.serverFirst);
    }
    const found = /^(c=biws,r=[^,]+),p=(.+)$/.exec(message);
    if (!found) return this.refuse();
    const hmac = (key: Buffer, data: string): Buffer => createHmac(hash, key).update(data).digest();
    const salted = pbkdf2Sync(password, salt, ITERATIONS, length, hash);
    const storedKey = createHash(hash).update(hmac(salted, 'Client Key')).digest();
    const exchange = `${this.clientFirst},${this.serverFirst},${found[1]}`;
    const proof = Buffer.from(found[2]!, 'base64');
    const signature = hmac(storedKey, exchange);
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ signature[index]!));
    if (!createHash(hash).update(clientKey).digest().equals(storedKey)) return this.refuse();
    this.passed = true;
    return accepted(`v=${hmac(hmac(salted, 'Server Key'), exchange).toString('base64')}`);
  }

  refuse(): Buffer {
    this.refused = true;
    const reason = text(this.script.refusal ?? 'Authentication failed: Invalid username or password');
    return Buffer.concat([int16(AUTHENTICATION_FAILED), reason, int32(0)]);
  }
}

function accepted(answer: string): Buffer {
  return Buffer.concat([int16(0), int16(-1), int32(Buffer.byteLength(answer)), Buffer.from(answer)]);
}

function framed(correlationId: number, body: Buffer): Buffer {
  return Buffer.concat([int32(4 + body.length), int32(correlationId), body]);
}

function array(values: readonly number[]): Buffer {
  return Buffer.concat([int32(values.length), ...values.map(int32)]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
