import { type ErrorCode, ERROR_CODES } from './error-codes.ts';
import type { Problem } from './problem.ts';
import type { IsoDate } from './window.ts';

const MARKER = Symbol.for('chargeback.error');

export interface ErrorDetails {
  /** Overrides the fix of the code table with something more specific. */
  readonly fix?: string;
  /** Where: a configuration path, a file, a line id. Never a secret. */
  readonly path?: string;
  readonly cause?: unknown;
}

/** The one error class: a code from the table, what happened, and what to do about it. */
export class ChargebackError extends Error {
  override readonly name = 'ChargebackError';
  readonly code: ErrorCode;
  readonly fix: string;
  readonly path: string | null;
  readonly [MARKER] = true;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.fix = details.fix ?? ERROR_CODES[code].fix;
    this.path = details.path ?? null;
  }

  /** True also for an error made by another copy of this package, as a third-party plugin may bring one. */
  static isInstance(value: unknown): value is ChargebackError {
    return typeof value === 'object' && value !== null && MARKER in value;
  }
}

/** The error as a problem of severity `error`. */
export function problemOf(error: ChargebackError, date: IsoDate | null = null): Problem {
  return {
    code: error.code,
    severity: 'error',
    message: error.message,
    fix: error.fix,
    path: error.path,
    date,
  };
}

/** A problem made straight from a code of the table. */
export function makeProblem(
  code: ErrorCode,
  message: string,
  details: { severity?: Problem['severity']; fix?: string; path?: string; date?: IsoDate } = {},
): Problem {
  return {
    code,
    severity: details.severity ?? 'warning',
    message,
    fix: details.fix ?? ERROR_CODES[code].fix,
    path: details.path ?? null,
    date: details.date ?? null,
  };
}

/** The chain of messages of an error and its causes, outermost first. */
export function describeCause(error: unknown): string {
  const messages: string[] = [];
  for (let current: unknown = error; current !== undefined && current !== null && messages.length < 6;) {
    messages.push(current instanceof Error ? messageOf(current) : String(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  // A cause that its wrapper already quotes adds nothing.
  return messages.filter((message, index) => message && !messages[index - 1]?.includes(message)).join(': ');
}

/** A host with several addresses fails with an error for each, and says nothing itself. */
function messageOf(error: Error): string {
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message;
  return [
    ...new Set(error.errors.map((inner) => (inner instanceof Error ? inner.message : String(inner)))),
  ].join(', ');
}
