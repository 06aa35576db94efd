import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { ChargebackError, describeCause } from '@chargeback/plugin-api';
import pg from 'pg';
import type { PostgresLocation } from '../postgres-location.ts';

const INT8 = 20;
const KEEP_ALIVE_MILLISECONDS = 30_000;
const IDLE_MILLISECONDS = 30_000;

/** A pool of sessions of one store, none of them connected yet. */
export function createPool(location: PostgresLocation): pg.Pool {
  const pool = new pg.Pool({
    host: location.host,
    port: location.port,
    database: location.database,
    ...(location.user === undefined ? {} : { user: location.user }),
    ...(location.password === undefined ? {} : { password: location.password }),
    ssl: tlsOptions(location),
    application_name: location.applicationName,
    connectionTimeoutMillis: location.connectTimeout,
    idleTimeoutMillis: IDLE_MILLISECONDS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MILLISECONDS,
    max: location.poolSize,
    allowExitOnIdle: true,
    // Statements are sent without waiting for those before (postgres-session.ts).
    pipeline: true,
    types: { getTypeParser: typeParser as typeof pg.types.getTypeParser },
    // The types of pg say void; a promise is waited for.
    onConnect: (client) => client.query(sessionSettings(location)) as unknown as undefined,
  });
  // An idle session that the server ends is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  return pool;
}

/** A month's sums fit in memory; compiling costs more than it gives in queries as short as ours. */
function sessionSettings(location: PostgresLocation): string {
  const { statementTimeout, lockTimeout, idleInTransactionTimeout, schema } = location;
  return `set search_path to ${pg.escapeIdentifier(schema)};
    set statement_timeout to ${statementTimeout};
    set lock_timeout to ${lockTimeout};
    set idle_in_transaction_session_timeout to ${idleInTransactionTimeout};
    set client_encoding to 'UTF8';
    set default_transaction_isolation to 'read committed';
    set work_mem to '32MB';
    set jit to off`;
}

/** 64-bit integers as numbers: keys, days and instants. Amounts are read as text, by the queries. */
function typeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  return oid === INT8 ? safeInteger : pg.types.getTypeParser(oid, format as 'text');
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new ChargebackError('CB_INTERNAL', `the integer ${text} was to be read as a number`);
}

/** The modes mean what they mean to every PostgreSQL client; `require` checks a root certificate if one is given. */
function tlsOptions(location: PostgresLocation): ConnectionOptions | false {
  const { tls, rootCertificate, certificate, key } = location;
  if (tls === 'disable') return false;
  const verified = tls !== 'require' || rootCertificate !== undefined;
  return {
    rejectUnauthorized: verified,
    ...(rootCertificate === undefined ? {} : { ca: readPem(rootCertificate, 'sslrootcert') }),
    ...(certificate === undefined ? {} : { cert: readPem(certificate, 'sslcert') }),
    ...(key === undefined ? {} : { key: readPem(key, 'sslkey') }),
    ...(tls === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function readPem(path: string, parameter: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ChargebackError('CB_STORAGE_OPEN', `${parameter} cannot be read: ${describeCause(cause)}`, {
      path,
      cause,
      fix: `Correct ${parameter} in storage.connection_string; relative paths start from the working directory.`,
    });
  }
}
