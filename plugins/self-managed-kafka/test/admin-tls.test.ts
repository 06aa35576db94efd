import path from 'node:path';
import type { TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChargebackError } from '@chargeback/plugin-api';
import { listKafkaResources } from '../src/admin/list-kafka-resources.ts';
import { type BrokerScript, type ScriptedBroker, startScriptedBroker } from './admin-scripted-broker.ts';
import {
  failure,
  list,
  makeCertificates,
  never,
  requireProgram,
  type TestCertificates,
} from './admin-support.ts';

const available = requireProgram('openssl', 'version', 'TLS to brokers with a test authority');

describe.skipIf(!available)('TLS, a node:tls server with a test authority in a broker’s place', () => {
  let files: TestCertificates;
  const running: ScriptedBroker[] = [];
  beforeAll(() => {
    files = makeCertificates();
  });
  afterAll(() => files?.remove());
  afterEach(async () => {
    await Promise.all(running.splice(0).map((broker) => broker.stop()));
  });

  const at = (name: string): string => path.join(files.folder, name);
  async function start(script: BrokerScript): Promise<number> {
    const broker = await startScriptedBroker(script);
    running.push(broker);
    return broker.port;
  }
  const serverWith = (name: string): TlsOptions => ({
    cert: files.read(`${name}.pem`),
    key: files.read(`${name}.key`),
  });

  it.each([['127.0.0.1'], ['localhost']])(
    'lists over SSL when the authority is trusted, by %s',
    async (host) => {
      const port = await start({ tls: serverWith('loopback') });
      const { batch, error } = await list({
        bootstrap_servers: `${host}:${port}`,
        security_protocol: 'SSL',
        ca_file: at('ca.pem'),
      });
      expect(error).toBeNull();
      expect(batch!.resources).toHaveLength(3);
    },
  );

  it('lists over SASL_SSL', async () => {
    const sasl = { mechanisms: ['SCRAM-SHA-512'], user: 'u', password: 'p' } as const;
    const port = await start({ tls: serverWith('loopback'), sasl });
    const { error } = await list({
      bootstrap_servers: `127.0.0.1:${port}`,
      security_protocol: 'SASL_SSL',
      ca_file: at('ca.pem'),
      sasl_mechanism: 'SCRAM-SHA-512',
      sasl_username: 'u',
      sasl_password: 'p',
    });
    expect(error).toBeNull();
  });

  it.each([
    ['no authority named', null],
    ['another authority named', 'stranger.pem'],
  ])('refuses an untrusted certificate, at once: %s', async (_, authority) => {
    const port = await start({ tls: serverWith('loopback') });
    const {
      error: { code, fix },
      waits,
    } = await failure({
      bootstrap_servers: `127.0.0.1:${port}`,
      security_protocol: 'SSL',
      ca_file: authority === null ? null : at(authority),
    });
    expect(code).toBe('CB_ADMIN_TLS');
    expect(fix).toContain('ca_file');
    expect(waits).toEqual([]);
  });

  it('refuses a certificate for another name', async () => {
    const port = await start({ tls: serverWith('elsewhere') });
    const {
      error: { code, message, fix },
    } = await failure({
      bootstrap_servers: `localhost:${port}`,
      security_protocol: 'SSL',
      ca_file: at('ca.pem'),
    });
    expect(code).toBe('CB_ADMIN_TLS');
    expect(message).toContain('kafka.elsewhere.test');
    expect(fix).toContain('Name the brokers');
  });

  it('presents the client certificate where the listener wants one', async () => {
    const tls = {
      ...serverWith('loopback'),
      ca: files.read('ca.pem'),
      requestCert: true,
      rejectUnauthorized: true,
    };
    const port = await start({ tls });
    const settings = {
      bootstrap_servers: `127.0.0.1:${port}`,
      security_protocol: 'SSL',
      ca_file: at('ca.pem'),
    } as const;
    const { error } = await list({ ...settings, cert_file: at('client.pem'), key_file: at('client.key') });
    expect(error).toBeNull();
    const {
      error: { code, fix },
    } = await failure(settings);
    expect(code).toBe('CB_ADMIN_TLS');
    expect(fix).toContain('cert_file');
  });

  it('says which protocol fits when only one side speaks TLS', async () => {
    const secure = await start({ tls: serverWith('loopback') });
    const plain = await start({});
    const { error: toSecure } = await failure({
      bootstrap_servers: `127.0.0.1:${secure}`,
      timeout_seconds: 2,
    });
    expect(toSecure.code).toBe('CB_ADMIN_UNREACHABLE');
    expect(toSecure.fix).toContain('security_protocol PLAINTEXT');
    const settings = { security_protocol: 'SSL', ca_file: at('ca.pem'), timeout_seconds: 0.3 } as const;
    const { error: toPlain } = await failure({ bootstrap_servers: `127.0.0.1:${plain}`, ...settings });
    expect(toPlain.code).toBe('CB_ADMIN_TIMEOUT');
    expect(toPlain.fix).toContain('security_protocol SSL');
  });

  it.each([
    ['CB_CONFIG_READ', { ca_file: 'missing.pem' }],
    ['CB_ADMIN_TLS', { cert_file: 'client.pem', key_file: 'loopback.key' }],
    ['CB_ADMIN_TLS', { cert_file: 'client.cnf', key_file: 'client.key' }],
  ])('says %s of certificate files that cannot be used, before it connects: %o', async (code, names) => {
    const settings = {
      bootstrap_servers: '127.0.0.1:1',
      security_protocol: 'SSL',
      timeout_seconds: 1,
      ...names,
    } as const;
    const context = { clusterId: 'kafka-1', configDirectory: files.folder };
    const error = (await listKafkaResources(settings, context, never()).catch(
      (cause) => cause,
    )) as ChargebackError;
    expect(error.code).toBe(code);
    expect(error.path).toContain('resource_source');
  });
});
