import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChargebackError } from '@chargeback/plugin-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RealPostgres, startRealPostgres } from '../../testkit/src/index.ts';
import { postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { openStore } from '../src/index.ts';
import { optionsIn } from './temporary-store.ts';

const certificates = join(import.meta.dirname, 'certificates');
const pem = (name: string) => readFileSync(join(certificates, name), 'utf8');

describe.skipIf(!postgresRuns())('a PostgreSQL server that speaks TLS', () => {
  let server: RealPostgres;
  beforeAll(async () => {
    server = await startRealPostgres({ tls: { certificate: pem('server.pem'), key: pem('server.key') } });
  });
  afterAll(() => server?.dispose());

  async function outcome(host: string, parameters: string): Promise<string> {
    const url = new URL(server.url('postgres'));
    url.hostname = host;
    try {
      const connectionString = `${url.href}?${parameters}`;
      await using store = await openStore(optionsIn(certificates, { connectionString }));
      await store.runs(1);
      return 'opened';
    } catch (error) {
      if (!ChargebackError.isInstance(error)) throw error;
      return error.message.includes(url.password) ? 'a password was told' : error.code;
    }
  }

  it.each([
    ['127.0.0.1', 'sslmode=disable', 'opened'],
    ['127.0.0.1', 'sslmode=require', 'opened'],
    ['127.0.0.1', 'sslmode=require&sslrootcert=ca.pem', 'opened'],
    ['127.0.0.1', 'sslmode=require&sslrootcert=other-ca.pem', 'CB_STORAGE_OPEN'],
    ['127.0.0.1', 'sslmode=verify-ca&sslrootcert=ca.pem', 'opened'],
    ['127.0.0.1', 'sslmode=verify-ca&sslrootcert=other-ca.pem', 'CB_STORAGE_OPEN'],
    ['127.0.0.1', 'sslmode=verify-ca', 'CB_STORAGE_OPEN'],
    ['localhost', 'sslmode=verify-full&sslrootcert=ca.pem', 'opened'],
    ['127.0.0.1', 'sslmode=verify-full&sslrootcert=ca.pem', 'CB_STORAGE_OPEN'],
    ['localhost', 'sslmode=verify-full&sslrootcert=no-such.pem', 'CB_STORAGE_OPEN'],
  ])('on %s with %s: %s', async (host, parameters, expected) => {
    expect(await outcome(host, parameters)).toBe(expected);
  });
});
