import { ChargebackError, describeCause, type ErrorCode } from '@chargeback/plugin-api';

/** The code of an error of the SQLite library, such as `SQLITE_BUSY`; undefined for any other error. */
export function sqliteCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && error.code.startsWith('SQLITE_') ? error.code : undefined;
}

/** What is wrong with a value, not with the database. */
const REFUSALS = ['SQLITE_CONSTRAINT', 'SQLITE_MISMATCH', 'SQLITE_TOOBIG', 'SQLITE_RANGE'];

export function isBusy(error: unknown): boolean {
  const code = sqliteCodeOf(error);
  return code !== undefined && (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'));
}

/** Gives an error of the SQLite library a code of ours; every other error is passed on as it is. */
export function storageError(
  error: unknown,
  path: string,
  otherwise: ErrorCode = 'CB_STORAGE_WRITE',
): unknown {
  const code = sqliteCodeOf(error);
  if (code === undefined) return error;
  if (isBusy(error)) {
    return new ChargebackError('CB_STORAGE_BUSY', `another process holds the database ${path}`, {
      path,
      cause: error,
    });
  }
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    const message = `${path} is damaged or not a database of this program: ${describeCause(error)}`;
    return new ChargebackError('CB_STORAGE_OPEN', message, {
      path,
      cause: error,
      fix: 'Restore the file from a backup, or name another file in storage.connection_string.',
    });
  }
  if (REFUSALS.some((refusal) => code.startsWith(refusal))) {
    return new ChargebackError(
      'CB_STORAGE_REJECTED',
      `the database refused a value: ${describeCause(error)}`,
      {
        path,
        cause: error,
      },
    );
  }
  const what = code === 'SQLITE_FULL' ? 'the disk is full' : describeCause(error);
  const verb = otherwise === 'CB_STORAGE_OPEN' ? 'cannot be opened' : 'could not be written';
  return new ChargebackError(otherwise, `the database ${path} ${verb}: ${what}`, { path, cause: error });
}
