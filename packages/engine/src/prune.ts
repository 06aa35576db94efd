import { type IsoDate, isoDateOf, MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import type { TenantContext } from './tenant-context.ts';

/** The first day that retention keeps: whole days, counted back from today. */
export function retentionStart(now: Date, retentionDays: number): IsoDate {
  const today = Math.floor(now.getTime() / MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY;
  return isoDateOf(new Date(today - retentionDays * MILLISECONDS_PER_DAY));
}

/** Removes what is older than `retention_days`, a day at a time, so that nobody waits long for the database. */
export async function prune(context: TenantContext): Promise<{ readonly daysPruned: number }> {
  let daysPruned = 0;
  while (await context.store.pruneOldestDay(context.retentionStart)) {
    daysPruned += 1;
    context.signal.throwIfAborted();
  }
  if (daysPruned > 0) await context.store.pruneRest(context.retentionStart);
  return { daysPruned };
}
