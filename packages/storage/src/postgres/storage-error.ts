import { ChargebackError, describeCause, type ErrorCode } from '@chargeback/plugin-api';

/** What an error means, by its SQLSTATE (or its first two digits) or by the code of the network error. */
interface Meaning {
  readonly code: ErrorCode;
  readonly what: string;
  readonly fix?: string;
}

const UNREACHABLE: Meaning = { code: 'CB_STORAGE_UNREACHABLE', what: 'cannot be reached or went away' };
const REJECTED: Meaning = { code: 'CB_STORAGE_REJECTED', what: 'refused a value' };
const FULL: Meaning = {
  code: 'CB_STORAGE_WRITE',
  what: 'has no resources left',
  fix: 'Free space or memory on the server; nothing half-written is kept.',
};
const REFUSED_LOGIN: Meaning = {
  code: 'CB_STORAGE_OPEN',
  what: 'refused the user or the password',
  fix: 'Check user and password in storage.connection_string; percent-encode @ : / and %.',
};
const LOCKED: Meaning = { code: 'CB_STORAGE_BUSY', what: 'is held by another process' };

const MEANINGS: Readonly<Record<string, Meaning>> = {
  '08': UNREACHABLE,
  '22': REJECTED,
  '23': REJECTED,
  '28': REFUSED_LOGIN,
  '40': LOCKED,
  '53': FULL,
  '57': UNREACHABLE,
  '58': { code: 'CB_STORAGE_WRITE', what: 'cannot read or write its files' },
  '3D000': {
    code: 'CB_STORAGE_OPEN',
    what: 'does not exist',
    fix: 'Create the database, or name another one in storage.connection_string.',
  },
  '25006': {
    code: 'CB_STORAGE_WRITE',
    what: 'may only be read here',
    fix: 'Use a role and a server that may write; a standby cannot be written.',
  },
  '25P03': UNREACHABLE,
  '42501': {
    code: 'CB_STORAGE_WRITE',
    what: 'does not let this role do that',
    fix: 'Let the role own the schema, or grant it what it needs; to read alone, open it once with the owner.',
  },
  '53300': {
    code: 'CB_STORAGE_BUSY',
    what: 'has too many connections',
    fix: 'Lower pool_size, or raise max_connections of the server.',
  },
  '55P03': LOCKED,
  '57014': {
    code: 'CB_STORAGE_BUSY',
    what: 'did not finish a statement in time',
    fix: 'Raise statement_timeout in storage.connection_string, or see what keeps the server busy.',
  },
};

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'EACCES',
]);

/** Texts of errors that the client library makes without a code. */
const LOST =
  /^Connection terminated|connection timeout|^timeout exceeded|not queryable|stream has been aborted/i;
const NO_TLS = /does not support SSL|unexpected response to SSLRequest/i;

/** The SQLSTATE of an error of the server, or the code of a network error; undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function isLostConnection(error: unknown): boolean {
  return meaningOf(error)?.code === 'CB_STORAGE_UNREACHABLE';
}

/**
 * Gives an error of the server or of the network a code of ours; every other error is passed on as it is.
 * @param place the database without user and password.
 */
export function storageError(
  error: unknown,
  place: string,
  otherwise: ErrorCode = 'CB_STORAGE_WRITE',
): unknown {
  const meaning = meaningOf(error);
  if (!meaning) return error;
  const { code, what, fix } = meaning;
  // To open is to read: what a role may not do then is no matter of writing.
  const coded = code === 'CB_STORAGE_WRITE' ? otherwise : code;
  const because = error instanceof AggregateError ? describeCause(error.errors[0]) : describeCause(error);
  return new ChargebackError(coded, `${place} ${what}: ${because}`, {
    path: place,
    cause: error,
    ...(fix === undefined ? {} : { fix }),
  });
}

function meaningOf(error: unknown): Meaning | undefined {
  if (!(error instanceof Error) || ChargebackError.isInstance(error)) return undefined;
  const code = codeOf(error);
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !NETWORK.has(code)) {
    return (
      MEANINGS[code] ??
      MEANINGS[code.slice(0, 2)] ?? { code: 'CB_STORAGE_WRITE', what: 'refused a statement' }
    );
  }
  if ((code !== undefined && NETWORK.has(code)) || LOST.test(error.message)) return UNREACHABLE;
  if (NO_TLS.test(error.message)) {
    const fix = 'Turn TLS on at the server, or write sslmode=disable where the network is trusted.';
    return { code: 'CB_STORAGE_OPEN', what: 'does not speak TLS', fix };
  }
  if (
    code !== undefined &&
    /^(?:ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_SSL|HOSTNAME)/.test(code)
  ) {
    const fix =
      'Name the certificate that signed the server in sslrootcert, and the host as the certificate does.';
    return { code: 'CB_STORAGE_OPEN', what: 'could not prove who it is', fix };
  }
  if (/password|SASL|authentication/i.test(error.message)) return REFUSED_LOGIN;
  return undefined;
}
