import { UNALLOCATED, type Window } from '@chargeback/plugin-api';
import type { DayNumber } from '../convert.ts';
import {
  type Revision,
  revisionOf,
  revisionRows,
  RevisionSums,
  revisionsQuery,
  type TotalsByCurrency,
} from '../queries/revisions.ts';
import type { DateRevision } from '../records.ts';
import type { Target } from './date-states.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';

/** What the stored rows of a day come to, by currency. */
export async function dayTotals(session: PostgresSession, day: DayNumber): Promise<TotalsByCurrency> {
  const sums = new RevisionSums();
  const lines = await session.arrays<[string, string, string]>(
    `select currency, cast(sum(billed_units) as text), cast(sum(retained_units) as text)
     from calculated_lines where day = $1 group by currency`,
    [day],
  );
  for (const [currency, billed, retained] of lines) {
    sums.addLines(currency, { billed: BigInt(billed), retained: BigInt(retained) });
  }
  const rows = await session.arrays<[string, boolean, string]>(
    `select currency, name = $2, cast(sum(amount) as text) from identity_totals join names using (name_id)
     where day = $1 group by currency, name = $2`,
    [day, UNALLOCATED],
  );
  for (const [currency, own, units] of rows) sums.addRows(currency, own, BigInt(units));
  return sums.totals;
}

/** Records what a replaced day came to before and comes to now. Inside the day's write transaction. */
export async function saveRevision({ session, build }: Target, revision: Revision): Promise<void> {
  const rows = revisionRows(revision, await dayTotals(session, revision.day));
  if (rows.length > 0) await session.run(build.insertInto('date_revisions').values(rows));
}

/** Newest first. */
export async function loadRevisions(database: PostgresDatabase, window: Window): Promise<DateRevision[]> {
  return (await database.all(revisionsQuery(database.build, window))).map(revisionOf);
}
