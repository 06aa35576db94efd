import type { Window } from '@chargeback/plugin-api';
import type { Insertable, Kysely, Selectable } from 'kysely';
import { type DayNumber, dayRangeOf, instantOf, isoDateOfDay } from '../convert.ts';
import type { DateRevision, RevisionTotals } from '../records.ts';
import type { DateRevisionTable, StorageSchema } from '../schema.ts';
import type { CalculatedDay } from '../store.ts';

const NOTHING: RevisionTotals = { billed: 0n, allocated: 0n, unallocated: 0n, retained: 0n };

/** What rows of a day come to, by currency. */
export type TotalsByCurrency = ReadonlyMap<string, RevisionTotals>;

/** Puts what the lines and what the rows of a day come to together, by currency. */
export class RevisionSums {
  readonly totals = new Map<string, RevisionTotals>();

  addLines(currency: string, sums: Pick<RevisionTotals, 'billed' | 'retained'>): void {
    this.totals.set(currency, { ...(this.totals.get(currency) ?? NOTHING), ...sums });
  }

  /** @param own whether the rows are those of UNALLOCATED. */
  addRows(currency: string, own: boolean, units: bigint): void {
    const before = this.totals.get(currency) ?? NOTHING;
    const unallocated = own ? { unallocated: units } : {};
    this.totals.set(currency, { ...before, allocated: before.allocated + units, ...unallocated });
  }
}

/** Whether a result replaces another one, be it that everything was held. A provisional one is none. */
export function isRevision(
  previous: { readonly calculation_id: string | null; readonly run_id: string | null },
  { calculationId }: CalculatedDay,
): boolean {
  const { calculation_id: id, run_id: run } = previous;
  return id !== null && id !== calculationId && run !== null;
}

export interface Revision {
  readonly day: DayNumber;
  readonly calculated: CalculatedDay;
  readonly before: TotalsByCurrency;
}

/** What a replaced day came to before and comes to now, one row for each currency. */
export function revisionRows(
  { day, calculated, before }: Revision,
  after: TotalsByCurrency,
): Insertable<DateRevisionTable>[] {
  return Array.from(new Set([...before.keys(), ...after.keys()]), (currency) => {
    const [old, now] = [before.get(currency) ?? NOTHING, after.get(currency) ?? NOTHING];
    return {
      day,
      revised_at: calculated.calculatedAt.getTime(),
      run_id: calculated.runId,
      reason: calculated.reason ?? '',
      currency,
      // As text: the sum of a day may be larger than what one column holds.
      billed_before: String(old.billed),
      allocated_before: String(old.allocated),
      unallocated_before: String(old.unallocated),
      retained_before: String(old.retained),
      billed_after: String(now.billed),
      allocated_after: String(now.allocated),
      unallocated_after: String(now.unallocated),
      retained_after: String(now.retained),
    };
  });
}

/** Newest first. Days that are written at once get their keys in any order. */
export function revisionsQuery(build: Kysely<StorageSchema>, window: Window) {
  const { first, end } = dayRangeOf(window);
  return build
    .selectFrom('date_revisions')
    .selectAll()
    .where('day', '>=', first)
    .where('day', '<', end)
    .orderBy('revised_at', 'desc')
    .orderBy('day', 'desc')
    .orderBy('revision_key', 'desc');
}

export function revisionOf(row: Selectable<DateRevisionTable>): DateRevision {
  return {
    date: isoDateOfDay(row.day),
    revisedAt: instantOf(row.revised_at),
    runId: row.run_id,
    reason: row.reason,
    currency: row.currency,
    before: {
      billed: BigInt(row.billed_before),
      allocated: BigInt(row.allocated_before),
      unallocated: BigInt(row.unallocated_before),
      retained: BigInt(row.retained_before),
    },
    after: {
      billed: BigInt(row.billed_after),
      allocated: BigInt(row.allocated_after),
      unallocated: BigInt(row.unallocated_after),
      retained: BigInt(row.retained_after),
    },
  };
}
