import type { ErrorCode } from './error-codes.ts';
import type { IsoDate } from './window.ts';

/** Something that went wrong or deserves a look, as data: kept, listed and shown, never thrown away. */
export interface Problem {
  readonly code: ErrorCode;
  readonly severity: 'warning' | 'error';
  readonly message: string;
  readonly fix: string;
  /** Where: a configuration path, a line id, a query key. Never a secret. */
  readonly path: string | null;
  /** The UTC day concerned; null when it is not about one day. */
  readonly date: IsoDate | null;
}
