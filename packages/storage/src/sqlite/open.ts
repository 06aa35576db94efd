import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { versions } from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { ChargebackError, describeCause } from '@chargeback/plugin-api';
import type { Database } from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { type Migration, MIGRATIONS, type Owner } from '../migrations.ts';
import type { StorageSchema } from '../schema.ts';
import { isReady, migrate, type OpenedFile } from './migrate.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { isBusy, storageError } from './storage-error.ts';

const OLDEST_NODE = 22;
/** Holds the indexes of some hundred thousand dimensions; SQLite's own 2 MB do not. */
const CACHE_KIBIBYTES = 16_384;
/** Of 4 KiB. A page that several days write goes from the log into the file once: a sixth of what inserting takes. */
const PAGES_PER_CHECKPOINT = 4_096;
const BUSY_MILLISECONDS = 5000;
const RETRY_MILLISECONDS = 25;

/**
 * Opens a database file, makes its directory when only that one level is missing, and brings its schema up
 * to date.
 * @throws {ChargebackError} `CB_STORAGE_OPEN`, `_BUSY`, `_OWNER`, `_VERSION`, `_MIGRATION`.
 */
export async function openSqlite(
  path: string,
  owner: Owner,
  known: readonly Migration[] = MIGRATIONS,
): Promise<SqliteDatabase> {
  assertNodeVersion();
  prepareDirectory(path);
  let connection: Database | undefined;
  try {
    // Loaded late: on an older Node the native library ends the process instead of throwing.
    const { default: Connection } = await import('better-sqlite3');
    connection = new Connection(path, { timeout: 0 });
    const build = new Kysely<StorageSchema>({ dialect: new SqliteDialect({ database: connection }) });
    await initialize({ connection, path, owner, known }, build);
    return new SqliteDatabase(connection, path, build);
  } catch (error) {
    connection?.close();
    throw storageError(error, path, 'CB_STORAGE_OPEN');
  }
}

function assertNodeVersion(): void {
  const { node } = versions;
  if (Number.parseInt(node, 10) >= OLDEST_NODE) return;
  throw new ChargebackError('CB_STORAGE_OPEN', `the database needs Node.js 22.18 or newer, this is ${node}`, {
    fix: 'Run the program with Node.js 22.18 or newer.',
  });
}

function prepareDirectory(path: string): void {
  const directory = dirname(path);
  if (!existsSync(directory)) {
    const parent = dirname(directory);
    if (!existsSync(parent)) throw directoryError(path, `the directory ${directory} does not exist`);
    try {
      mkdirSync(directory);
    } catch (cause) {
      if (!existsSync(directory)) {
        throw directoryError(path, `the directory ${directory} does not exist and cannot be made`, cause);
      }
    }
  }
  if (existsSync(path) && !statSync(path).isFile()) throw directoryError(path, `${path} is not a file`);
  assertWritable(directory, path);
  if (existsSync(path)) assertWritable(path, path);
}

function assertWritable(what: string, path: string): void {
  try {
    accessSync(what, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw directoryError(path, `${what} cannot be read and written by this user`, cause);
  }
}

function directoryError(path: string, message: string, cause?: unknown): ChargebackError {
  const because = cause === undefined ? '' : ` (${describeCause(cause)})`;
  return new ChargebackError('CB_STORAGE_OPEN', `${message}${because}`, { path, cause });
}

async function initialize(file: OpenedFile, build: Kysely<StorageSchema>): Promise<void> {
  const { connection } = file;
  await whileBusy(() => isReady(file));
  await whileBusy(() => {
    if (connection.pragma('journal_mode', { simple: true }) !== 'wal')
      connection.pragma('journal_mode = wal');
  });
  connection.pragma('synchronous = normal');
  connection.pragma('foreign_keys = on');
  connection.pragma('temp_store = memory');
  connection.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
  connection.pragma(`wal_autocheckpoint = ${PAGES_PER_CHECKPOINT}`);
  if (!(await whileBusy(() => isReady(file)))) {
    await whileBusy(() => connection.exec('begin immediate'));
    try {
      if (!isReady(file)) await migrate(file, build as Kysely<unknown>);
      connection.exec('commit');
    } catch (error) {
      if (connection.inTransaction) connection.exec('rollback');
      throw error;
    }
  }
  connection.pragma(`busy_timeout = ${BUSY_MILLISECONDS}`);
}

/**
 * Tries again while another process, or another store of this one, holds the database. Waiting inside the
 * database would keep this process from letting go of it.
 */
async function whileBusy<Result>(work: () => Result): Promise<Result> {
  for (let left = BUSY_MILLISECONDS / RETRY_MILLISECONDS; ; left -= 1) {
    try {
      return work();
    } catch (error) {
      if (left <= 0 || !isBusy(error)) throw error;
    }
    await setTimeout(RETRY_MILLISECONDS);
  }
}
