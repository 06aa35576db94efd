import { dayWindow, daysOf, type IsoDate, isoDateOf, type Window } from '@chargeback/plugin-api';
import type { DateState } from '@chargeback/storage';
import type { TenantContext } from '../tenant-context.ts';
import { throughMonth } from './period.ts';

/** What the database knows of a tenant's days, for all emitters. */
export interface StoredDays {
  /** Of every day that is stored, up to the end of the month that the run looks at last. */
  readonly states: readonly DateState[];
  /** From here on every day up to the last one known must have inputs. */
  readonly beginning: IsoDate;
  /** Days before it were removed by retention, or will be in a moment. */
  readonly keptFrom: IsoDate;
}

export async function storedDays({ store, window, retentionStart }: TenantContext): Promise<StoredDays> {
  const start = isoDateOf(window.start);
  const stored = await store.firstDate();
  const first = stored !== null && stored < start ? stored : start;
  const { prunedBefore } = await store.tenantState();
  return {
    states: await store.dateStates(throughMonth(first, window)),
    // Once days were removed, the first one that is left says nothing about when the tenant began.
    beginning: prunedBefore === null ? first : '',
    keptFrom: prunedBefore !== null && prunedBefore > retentionStart ? prunedBefore : retentionStart,
  };
}

/** The first day of a period, between the tenant's beginning and the end of what is known, without inputs. */
export function missingDay(
  { beginning }: StoredDays,
  states: readonly DateState[],
  { period, looked }: { readonly period: Window; readonly looked: Window },
): IsoDate | undefined {
  const known = new Set(states.map(({ date }) => date));
  const lastKnown = dayWindow(states.at(-1)!.date).end;
  const end = Math.min(period.end.getTime(), Math.max(looked.end.getTime(), lastKnown.getTime()));
  return daysOf({ start: period.start, end: new Date(end) }).find(
    (date) => date >= beginning && !known.has(date),
  );
}
