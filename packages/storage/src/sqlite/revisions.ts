import { UNALLOCATED, type Window } from '@chargeback/plugin-api';
import { type DayNumber, joinHalves } from '../convert.ts';
import {
  type Revision,
  revisionOf,
  revisionRows,
  RevisionSums,
  revisionsQuery,
  type TotalsByCurrency,
} from '../queries/revisions.ts';
import type { DateRevision } from '../records.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** What the stored rows of a day come to, by currency. */
export function dayTotals(database: SqliteDatabase, day: DayNumber): TotalsByCurrency {
  const sums = new RevisionSums();
  const lines = database
    .statement(
      `select currency, cast(sum(billed_units / 4294967296) as text), cast(sum(billed_units % 4294967296) as text),
         cast(sum(retained_units / 4294967296) as text), cast(sum(retained_units % 4294967296) as text)
       from calculated_lines where day = ? group by currency`,
    )
    .raw();
  for (const [currency, ...halves] of lines.all(day) as string[][]) {
    sums.addLines(currency!, {
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
    sums.addRows(currency, own === 1, joinHalves(high, low));
  }
  return sums.totals;
}

/** Records what a replaced day came to before and comes to now. Inside the day's write transaction. */
export function saveRevision(database: SqliteDatabase, revision: Revision): void {
  for (const row of revisionRows(revision, dayTotals(database, revision.day))) {
    database.run(database.build.insertInto('date_revisions').values(row));
  }
}

/** Newest first. */
export function loadRevisions(database: SqliteDatabase, window: Window): DateRevision[] {
  return database.read(() => database.all(revisionsQuery(database.build, window))).map(revisionOf);
}
