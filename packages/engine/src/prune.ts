import { type IsoDate, isoDateOf, MILLISECONDS_PER_DAY } from '@chargeback/plugin-api';
import type { TenantContext } from './tenant-context.ts';

/** The first day that retention keeps: whole days, counted back from today. */
export function retentionStart(now: Date, retentionDays: number): IsoDate {
  const today = Math.floor(now.getTime() / MILLISECONDS_PER_DAY) * MILLISECONDS_PER_DAY;
  return isoDateOf(new Date(today - retentionDays * MILLISECONDS_PER_DAY));
}

/** One day a day falls due. A wrong clock must not empty a database before somebody notices. */
const MOST_DAYS_PER_RUN = 7;

/**
 * Removes what is older than `retention_days`, a day at a time, so that nobody waits long for the database, and
 * only so many days in one run: the rest falls to the runs after it, or to `chargeback prune`.
 */
export async function prune(context: TenantContext): Promise<{ readonly daysPruned: number }> {
  let daysPruned = 0;
  while (daysPruned < MOST_DAYS_PER_RUN && (await context.store.pruneOldestDay(context.retentionStart))) {
    daysPruned += 1;
    context.signal.throwIfAborted();
  }
  if (daysPruned === 0) return { daysPruned };
  // What ended before the days that are still kept may go; those days still need the rest.
  const first = await context.store.firstDate();
  const kept = first !== null && first < context.retentionStart ? first : context.retentionStart;
  await context.store.pruneRest(kept);
  return { daysPruned };
}
