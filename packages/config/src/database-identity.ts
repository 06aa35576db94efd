import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';

const POSTGRES =
  /^postgres(?:ql)?(?:\+\w+)?:\/\/(?:[^/?]*@)?(?<hosts>[^/?]*)(?:\/(?<database>[^?]*))?(?:\?(?<query>.*))?$/isu;
const SQLITE = /^sqlite(?:\+\w+)?:\/\/(?<path>[^?]*)(?:\?.*)?$/isu;
const MAX_LINKS = 40;

/**
 * A text that is equal for two connection strings that mean the same database, whatever their spelling:
 * relative, absolute or linked SQLite paths; PostgreSQL hosts, default ports, users and options. What cannot
 * be understood is its own identity. The text may hold what the connection string holds: never show it.
 */
export function databaseIdentity(connectionString: string, workingDirectory: string): string {
  const text = connectionString.trim();
  const sqlite = SQLITE.exec(text)?.groups;
  if (sqlite !== undefined) return sqliteIdentity(sqlite.path ?? '', workingDirectory);
  const postgres = POSTGRES.exec(text)?.groups;
  if (postgres !== undefined) return postgresIdentity(postgres, text);
  return text;
}

/** `/relative.db` (after `sqlite://`) is relative, `//absolute.db` absolute. */
function sqliteIdentity(location: string, workingDirectory: string): string {
  const name = location.replace(/^\//u, '').replace(/^file:/iu, '');
  if (name === '' || name === ':memory:') return 'sqlite::memory:';
  return `sqlite:${fileIdentity(path.resolve(workingDirectory, name), MAX_LINKS)}`;
}

/** Of a file that is there: its number on its device, which hard links share. Otherwise the path, links resolved. */
function fileIdentity(file: string, links: number): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? resolveLinks(file, links) : `${found.dev}:${found.ino}`;
}

function resolveLinks(file: string, links: number): string {
  try {
    return realpathSync.native(file);
  } catch {
    // Not there yet: resolve what is, a link to a file that is not there yet included.
  }
  const parent = path.dirname(file);
  if (parent === file || links === 0) return file;
  if (isLink(file)) {
    return resolveLinks(path.resolve(parent, readlinkSync(file)), links - 1);
  }
  return path.join(resolveLinks(parent, links), path.basename(file));
}

/** False also below a path that is a file: opening the database will say so. */
function isLink(file: string): boolean {
  try {
    return lstatSync(file).isSymbolicLink();
  } catch {
    return false;
  }
}

function postgresIdentity(parts: Record<string, string | undefined>, text: string): string {
  const query = new URLSearchParams(parts.query ?? '');
  const database = query.get('dbname') ?? decode(parts.database ?? '');
  const port = query.get('port') ?? '';
  const hosts = (query.get('host') ?? parts.hosts ?? '')
    .split(',')
    .map((host) => hostIdentity(decode(host), port))
    .toSorted();
  // Without a name the server takes the user's; that is as far as the text can be understood.
  if (database === '') return text;
  return `postgres:${hosts.join(',')}/${database}`;
}

function hostIdentity(text: string, otherPort: string): string {
  const [, host = '', port = ''] = /^(.*?)(?::(\d+))?$/u.exec(text.toLowerCase()) ?? [];
  const isSocket = host.startsWith('/');
  const bare = isSocket ? host : host.replaceAll(/^\[|\]$/gu, '').replace(/\.$/u, '');
  const name = ['', '127.0.0.1', '::1'].includes(bare) ? 'localhost' : bare;
  return `${name}:${Number(port || otherPort || 5432)}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
