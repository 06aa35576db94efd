import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ChargebackError, type ResourceBatch } from '@chargeback/plugin-api';
import type { Connection } from '@platformatic/kafka';
import { expect } from 'vitest';
import type { KafkaAdminSettings } from '../src/admin/kafka-admin-settings.ts';
import { listKafkaResources } from '../src/admin/list-kafka-resources.ts';

export const never = (): AbortSignal => new AbortController().signal;

export interface Listing {
  readonly batch: ResourceBatch | null;
  readonly error: unknown;
  /** What was waited between tries. */
  readonly waits: readonly number[];
}

/** Lists once and then checks that every socket that the client opened is closed. */
export async function list(
  settings: Partial<KafkaAdminSettings> & { bootstrap_servers: string | readonly string[] },
  signal: AbortSignal = never(),
): Promise<Listing> {
  const opened: Connection[] = [];
  const onCreation = (message: unknown): void => {
    const { type, instance } = message as { type: string; instance: Connection };
    if (type === 'connection') opened.push(instance);
  };
  const waits: number[] = [];
  const source = { security_protocol: 'PLAINTEXT', timeout_seconds: 5, ...settings } as const;
  const context = {
    clusterId: 'kafka-1',
    sleep: async (milliseconds: number) => void waits.push(milliseconds),
  };
  subscribe('plt:kafka:instances', onCreation);
  try {
    return { batch: await listKafkaResources(source, context, signal), error: null, waits };
  } catch (error) {
    return { batch: null, error, waits };
  } finally {
    unsubscribe('plt:kafka:instances', onCreation);
    expect(opened.filter(({ socket }) => socket && !socket.closed).map(({ port }) => port)).toEqual([]);
    if (!signal.aborted) expect(opened.length).toBeGreaterThan(0);
  }
}

/** The coded error of a listing that must have failed. */
export async function failure(
  ...parameters: Parameters<typeof list>
): Promise<{ error: ChargebackError; waits: readonly number[] }> {
  const { error, waits } = await list(...parameters);
  if (!ChargebackError.isInstance(error)) throw error ?? new Error('the listing succeeded');
  return { error, waits };
}

/** Like `requireReal` of the testkit: a missing program is loud, and with `REQUIRE_REAL=1` an error. */
export function requireProgram(name: string, versionFlag: string, what: string): boolean {
  if (spawnSync(name, [versionFlag]).error === undefined) return true;
  const message = `${what}: ${name} is not on the path (Debian: apt-get install ${name})`;
  if (process.env['REQUIRE_REAL'] === '1') throw new Error(`REQUIRE_REAL=1, but ${message}`);
  console.warn(`\nSKIPPED ${message}\n`);
  return false;
}

export interface MockCluster {
  /** `host:port` of each broker. */
  readonly servers: readonly string[];
  stop(): Promise<void>;
}

/** The mock cluster of librdkafka, which lives inside a consumer. */
export async function startMockCluster(brokers: number): Promise<MockCluster> {
  const child = spawn(
    'kcat',
    ['-C', '-X', `test.mock.num.brokers=${brokers}`, '-t', 'orders', '-b', 'mock:9092'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let output = '';
  const servers = await new Promise<string[]>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = /replaced with (\S+)\n/.exec(output);
      if (found) resolve(found[1]!.split(','));
    });
    child.once('error', reject);
    child.once('close', () => reject(new Error(`kcat ended: ${output}`)));
  });
  return {
    servers,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export interface TestCertificates {
  readonly folder: string;
  readonly read: (file: string) => Buffer;
  readonly remove: () => void;
}

/** A test authority (`ca.pem`), another one (`stranger.pem`), and certificates of the first for some names. */
export function makeCertificates(): TestCertificates {
  const folder = mkdtempSync(path.join(tmpdir(), 'chargeback-tls-'));
  const run = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout'];
  for (const name of ['ca', 'stranger']) {
    run('req', '-x509', ...key, `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '2');
  }
  const names = {
    loopback: 'IP:127.0.0.1,DNS:localhost',
    elsewhere: 'DNS:kafka.elsewhere.test',
    client: 'DNS:client',
  };
  for (const [name, alternatives] of Object.entries(names)) {
    writeFileSync(path.join(folder, `${name}.cnf`), `subjectAltName=${alternatives}\n`);
    run('req', ...key, `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = [
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-extfile',
      `${name}.cnf`,
      '-days',
      '2',
    ];
    run('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`);
  }
  return {
    folder,
    read: (file) => readFileSync(path.join(folder, file)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
