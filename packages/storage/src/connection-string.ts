import { resolve } from 'node:path';
import { ChargebackError } from '@chargeback/plugin-api';

/** Where a store keeps its data. */
export interface StoreLocation {
  readonly dialect: 'sqlite';
  /** Absolute path of the database file. */
  readonly path: string;
}

const SQLITE_PREFIX = 'sqlite:///';
const POSTGRESQL = /^postgres(?:ql)?(?:\+\w+)?:/i;

/**
 * Understands `sqlite:///relative.db` (from the working directory) and `sqlite:////absolute.db`.
 * @throws {ChargebackError} `CB_STORAGE_CONNECTION` for anything else. The text is never repeated in the
 *   message: it may hold a password.
 */
export function parseConnectionString(connectionString: string, workingDirectory: string): StoreLocation {
  if (POSTGRESQL.test(connectionString)) {
    throw new ChargebackError(
      'CB_STORAGE_CONNECTION',
      'the connection string names PostgreSQL, but this version stores in SQLite only',
    );
  }
  if (!connectionString.startsWith(SQLITE_PREFIX)) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(connectionString)?.[1];
    const what = scheme ? `begins with ${scheme}:` : 'has no scheme';
    throw new ChargebackError('CB_STORAGE_CONNECTION', `the connection string ${what}, not ${SQLITE_PREFIX}`);
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
