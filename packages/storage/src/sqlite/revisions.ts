import { UNALLOCATED, type Window } from '@chargeback/plugin-api';
import { type DayNumber, dayRangeOf, instantOf, isoDateOfDay, joinHalves } from '../convert.ts';
import type { DateRevision, RevisionTotals } from '../records.ts';
import type { CalculatedDay } from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const NOTHING: RevisionTotals = { billed: 0n, allocated: 0n, unallocated: 0n, retained: 0n };

/** What the stored rows of a day come to, by currency. */
export function dayTotals(database: SqliteDatabase, day: DayNumber): Map<string, RevisionTotals> {
  const totals = new Map<string, RevisionTotals>();
  const add = (currency: string, part: Partial<RevisionTotals>): void => {
    totals.set(currency, { ...(totals.get(currency) ?? NOTHING), ...part });
  };
  const lines = database
    .statement(
      `select currency, cast(sum(billed_units / 4294967296) as text), cast(sum(billed_units % 4294967296) as text),
         cast(sum(retained_units / 4294967296) as text), cast(sum(retained_units % 4294967296) as text)
       from calculated_lines where day = ? group by currency`,
    )
    .raw();
  for (const [currency, ...halves] of lines.all(day) as string[][]) {
    add(currency!, {
      billed: joinHalves(halves[0]!, halves[1]!),
      retained: joinHalves(halves[2]!, halves[3]!),
    });
  }
  const rows = database
    .statement(
      `select currency, names.name = @unallocated, cast(sum(amount / 4294967296) as text),
         cast(sum(amount % 4294967296) as text)
       from chargeback_facts join dimensions using (dimension_id) join dimension_groups using (group_id)
       join names using (name_id) where day = @day group by currency, names.name = @unallocated`,
    )
    .raw();
  for (const [currency, own, high, low] of rows.all({ day, unallocated: UNALLOCATED }) as [
    string,
    number,
    string,
    string,
  ][]) {
    const units = joinHalves(high, low);
    const { allocated } = totals.get(currency) ?? NOTHING;
    add(currency, { allocated: allocated + units, ...(own === 1 ? { unallocated: units } : {}) });
  }
  return totals;
}

export interface Revision {
  readonly day: DayNumber;
  readonly calculated: CalculatedDay;
  readonly before: ReadonlyMap<string, RevisionTotals>;
}

/** Records what a replaced day came to before and comes to now. Inside the day's write transaction. */
export function saveRevision(database: SqliteDatabase, { day, calculated, before }: Revision): void {
  const after = dayTotals(database, day);
  const insert = database.statement(
    `insert into date_revisions (day, revised_at, run_id, reason, currency,
       billed_before, allocated_before, unallocated_before, retained_before,
       billed_after, allocated_after, unallocated_after, retained_after)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const currency of new Set([...before.keys(), ...after.keys()])) {
    const sums = [before.get(currency) ?? NOTHING, after.get(currency) ?? NOTHING];
    insert.run(
      day,
      calculated.calculatedAt.getTime(),
      calculated.runId,
      calculated.reason ?? '',
      currency,
      ...sums.flatMap(({ billed, allocated, unallocated, retained }) =>
        // As text: the sum of a day may be larger than what one column holds.
        [billed, allocated, unallocated, retained].map(String),
      ),
    );
  }
}

/** Newest first. */
export function loadRevisions(database: SqliteDatabase, window: Window): DateRevision[] {
  const { first, end } = dayRangeOf(window);
  const query = database.build
    .selectFrom('date_revisions')
    .selectAll()
    .where('day', '>=', first)
    .where('day', '<', end)
    .orderBy('revision_key', 'desc');
  return database
    .read(() => database.all(query))
    .map((row) => ({
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
    }));
}
