import { ChargebackError } from '@chargeback/plugin-api';
import type { TenantContext } from './tenant-context.ts';

/** An abort, and a failure of our own database, end the stage; everything else stays small. */
export function rethrowFatal(context: TenantContext, cause: unknown): void {
  context.signal.throwIfAborted();
  if (!ChargebackError.isInstance(cause) || cause.code === 'CB_STORAGE_REJECTED') return;
  if (cause.code.startsWith('CB_STORAGE_')) throw cause;
}
