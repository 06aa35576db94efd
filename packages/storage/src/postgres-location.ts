import { resolve } from 'node:path';
import { ChargebackError } from '@chargeback/plugin-api';

export type TlsMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

/** A PostgreSQL server and how to talk to it. Times are in milliseconds. */
export interface PostgresLocation {
  readonly dialect: 'postgres';
  /** Name or address; beginning with a slash the directory of the server's socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string;
  readonly schema: string;
  readonly tls: TlsMode;
  /** Absolute paths of PEM files. */
  readonly rootCertificate: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly applicationName: string;
  readonly connectTimeout: number;
  /** 0: none. */
  readonly statementTimeout: number;
  readonly lockTimeout: number;
  readonly idleInTransactionTimeout: number;
  /** Most connections of one store at a time. */
  readonly poolSize: number;
}

const PARAMETERS = [
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'schema',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'application_name',
  'connect_timeout',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'pool_size',
] as const;

type Parameter = (typeof PARAMETERS)[number];
type Parameters = ReadonlyMap<Parameter, string>;

const SECOND = 1000;
const DEFAULT_PORT = 5432;
const MAX_POOL_SIZE = 100;
const MAX_MILLISECONDS = 2 ** 31 - 1;
const TLS_MODES: readonly string[] = ['disable', 'require', 'verify-ca', 'verify-full'];
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, min: 60 * SECOND, h: 3600 * SECOND };

/**
 * Reads what follows `postgresql://`: `user:password@host:port/database?parameters`. User, password, host and
 * database are percent-encoded; a password may have `:`, `/` and `@` unencoded as long as that is unambiguous.
 * @throws {ChargebackError} `CB_STORAGE_CONNECTION`, without repeating any of it.
 */
export function parsePostgresLocation(rest: string, workingDirectory: string): PostgresLocation {
  const [main, query] = splitAt(rest, '?');
  const at = main.lastIndexOf('@');
  if (query?.includes('@') || main.includes('#')) {
    fail('has characters that must be percent-encoded', 'Write ? as %3F, # as %23 and @ as %40.');
  }
  const [user, password] = at === -1 ? [''] : splitAt(main.slice(0, at), ':');
  const [server, database] = splitAt(main.slice(at + 1), '/');
  const parameters = readParameters(query ?? '');
  const { host, port } = serverOf(server, parameters);
  const text = (parameter: Parameter) => parameters.get(parameter) || undefined;
  const file = (parameter: Parameter) => {
    const name = text(parameter);
    return name === undefined ? undefined : resolve(workingDirectory, name);
  };
  const databaseName = text('dbname') ?? decode(database ?? '', 'database');
  if (databaseName === '') fail('names no database', 'Write postgresql://user:password@host:5432/database.');
  return {
    dialect: 'postgres',
    host,
    port,
    user: text('user') ?? (decode(user ?? '', 'user') || undefined),
    password: text('password') ?? (password === undefined ? undefined : decode(password, 'password')),
    database: databaseName,
    schema: text('schema') ?? 'public',
    tls: tlsModeOf(parameters),
    rootCertificate: file('sslrootcert'),
    certificate: file('sslcert'),
    key: file('sslkey'),
    applicationName: text('application_name') ?? 'chargeback',
    connectTimeout: milliseconds(parameters, 'connect_timeout', { byDefault: 10 * SECOND, unit: SECOND }),
    statementTimeout: milliseconds(parameters, 'statement_timeout', { byDefault: 600 * SECOND, unit: 1 }),
    lockTimeout: milliseconds(parameters, 'lock_timeout', { byDefault: 60 * SECOND, unit: 1 }),
    idleInTransactionTimeout: milliseconds(parameters, 'idle_in_transaction_session_timeout', {
      byDefault: 300 * SECOND,
      unit: 1,
    }),
    poolSize: wholeNumber(parameters, 'pool_size', { byDefault: 4, max: MAX_POOL_SIZE }),
  };
}

function fail(what: string, fix?: string): never {
  throw new ChargebackError(
    'CB_STORAGE_CONNECTION',
    `the connection string ${what}`,
    fix === undefined ? {} : { fix },
  );
}

function splitAt(text: string, separator: string): [string, string?] {
  const index = text.indexOf(separator);
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

function decode(text: string, what: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // Told below, without the text.
  }
  return fail(`has a ${what} that is not percent-encoded`, 'Write % as %25, @ as %40, : as %3A, / as %2F.');
}

function readParameters(query: string): Parameters {
  const parameters = new Map<Parameter, string>();
  for (const part of query.split('&').filter((text) => text !== '')) {
    const [name, value] = splitAt(part, '=');
    const known = PARAMETERS.find((parameter) => parameter === name);
    if (known === undefined || value === undefined) {
      // The name is not repeated: a password with an unencoded question mark would be in it.
      return fail('has a parameter that is not known', `Use only ${PARAMETERS.join(', ')}.`);
    }
    if (parameters.has(known)) fail(`has the parameter ${known} twice`);
    parameters.set(known, decode(value.replaceAll('+', '%2B'), known));
  }
  return parameters;
}

function serverOf(server: string, parameters: Parameters): { host: string; port: number } {
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(server) ?? [];
  const host = parameters.get('host') || decode(bracketed ?? plain, 'host');
  if (server !== '' && bracketed === undefined && plain === '' && port === undefined) {
    fail('has a host that cannot be understood', 'Write host:port; an IPv6 address in brackets.');
  }
  if (host.includes(',') || /[\s?#@]/.test(host)) {
    fail('must name one host', 'Write host:port; put characters other than letters, digits, . and - as %XX.');
  }
  const text = parameters.get('port') || port || String(DEFAULT_PORT);
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > 65_535) fail('has a port that is not from 1 to 65535');
  return { host: host || 'localhost', port: number };
}

function tlsModeOf(parameters: Parameters): TlsMode {
  const mode = parameters.get('sslmode') || 'disable';
  if (!TLS_MODES.includes(mode)) {
    fail(
      'has an sslmode that is not supported',
      `Use sslmode=${TLS_MODES.join(', ')}; prefer and allow protect nothing.`,
    );
  }
  for (const name of ['sslrootcert', 'sslcert', 'sslkey'] as const) {
    if (mode === 'disable' && parameters.has(name)) fail(`has ${name} but no sslmode that uses it`);
  }
  if (parameters.has('sslcert') !== parameters.has('sslkey')) fail('needs sslcert and sslkey together');
  return mode as TlsMode;
}

function milliseconds(
  parameters: Parameters,
  name: Parameter,
  { byDefault, unit }: { readonly byDefault: number; readonly unit: number },
): number {
  const text = parameters.get(name);
  if (text === undefined) return byDefault;
  const [, digits, suffix = ''] = /^(\d+)(ms|s|min|h)?$/.exec(text) ?? [];
  const value = Number(digits) * (UNITS[suffix] ?? unit);
  if (digits === undefined || value > MAX_MILLISECONDS) {
    fail(`has a ${name} that is not a time`, `Write a whole number with ms, s, min or h: ${name}=30s.`);
  }
  return value;
}

function wholeNumber(
  parameters: Parameters,
  name: Parameter,
  { byDefault, max }: { readonly byDefault: number; readonly max: number },
): number {
  const text = parameters.get(name);
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > max) fail(`has a ${name} that is not from 1 to ${max}`);
  return value;
}
