import { type RunCommandOptions, run } from './run.ts';
import type { ProcessContext } from '../session.ts';

/**
 * `chargeback recalculate`: calculates days anew from what is stored, and emits what changed; with `--regather` after asking the source again.
 */
export function recalculate(
  options: RunCommandOptions & { readonly tenant: string },
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  return run({ ...options, recalculate: true }, context, signal);
}
