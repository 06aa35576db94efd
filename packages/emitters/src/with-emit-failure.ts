import { ChargebackError } from '@chargeback/plugin-api';

/** Does the work on a file; what fails is `CB_EMIT_FAILED`, unless it is coded already or was aborted. */
export async function withEmitFailure<Result>(
  file: string,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (cause) {
    if (signal.aborted || ChargebackError.isInstance(cause)) throw cause;
    throw new ChargebackError('CB_EMIT_FAILED', `could not write ${file}`, { cause, path: file });
  }
}
