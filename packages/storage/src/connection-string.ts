import { resolve } from 'node:path';
import { ChargebackError } from '@chargeback/plugin-api';
import { parsePostgresLocation, type PostgresLocation } from './postgres-location.ts';

export interface SqliteLocation {
  readonly dialect: 'sqlite';
  /** Absolute path of the database file. */
  readonly path: string;
}

/** Where a store keeps its data. */
export type StoreLocation = SqliteLocation | PostgresLocation;

const SQLITE_PREFIX = 'sqlite:///';
const POSTGRESQL = /^postgres(?:ql)?(?:\+\w+)?:\/\//i;

/**
 * Understands `sqlite:///relative.db` (from the working directory), `sqlite:////absolute.db`, and
 * `postgresql://user:password@host:port/database?parameters` (also `postgres://` and with the driver of the
 * existing product, `postgresql+psycopg2://`).
 * @throws {ChargebackError} `CB_STORAGE_CONNECTION` for anything else. The text is never repeated in the
 *   message: it may hold a password.
 */
export function parseConnectionString(connectionString: string, workingDirectory: string): StoreLocation {
  const prefix = POSTGRESQL.exec(connectionString)?.[0];
  if (prefix !== undefined) {
    return parsePostgresLocation(connectionString.slice(prefix.length), workingDirectory);
  }
  if (!connectionString.startsWith(SQLITE_PREFIX)) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(connectionString)?.[1];
    const what = scheme ? `begins with ${scheme}:` : 'has no scheme';
    throw new ChargebackError(
      'CB_STORAGE_CONNECTION',
      `the connection string ${what}, not ${SQLITE_PREFIX} or postgresql://`,
    );
  }
  const path = connectionString.slice(SQLITE_PREFIX.length);
  if (path.trim() === '' || path === ':memory:' || path.endsWith('/')) {
    throw new ChargebackError('CB_STORAGE_CONNECTION', 'the connection string names no database file');
  }
  if (/[?#\0]/.test(path)) {
    throw new ChargebackError(
      'CB_STORAGE_CONNECTION',
      'the connection string has parameters after the path; there are none for SQLite',
    );
  }
  return { dialect: 'sqlite', path: resolve(workingDirectory, path) };
}

/** A location for people: never with user or password. */
export function describeLocation(location: StoreLocation): string {
  if (location.dialect === 'sqlite') return location.path;
  const { host, port, database, schema } = location;
  const server = host.startsWith('/') ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return `PostgreSQL database ${database} on ${server}${schema === 'public' ? '' : `, schema ${schema}`}`;
}
