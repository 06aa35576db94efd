import type { DayNumber } from '../convert.ts';
import {
  correctionsOf,
  doubtedQuery,
  droppedNames,
  firstDayOf,
  type Sighting,
} from '../queries/sightings.ts';
import type { GatheredUsage, SightingReview } from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { loadTenantState } from './tenant-state.ts';

/** Remembers whom the stored answer names and the one that corrects it does not. Inside a write transaction. */
export function doubtDropped(
  database: SqliteDatabase,
  { day, queryId, usage }: { day: DayNumber; queryId: number; usage: GatheredUsage },
): void {
  const before = database
    .statement(
      `select name from names where name_id in (select identity_id from usage_rows where day = ? and query_id = ?)`,
    )
    .pluck()
    .all(day, queryId) as string[];
  const doubt = database.statement(
    'insert into doubted_identities (identity_id) values (?) on conflict do nothing',
  );
  for (const name of droppedNames(usage, before)) doubt.run(name);
}

/** Whether a sighting was corrected since the last review. */
export function hasDoubts(database: SqliteDatabase): boolean {
  return database.statement('select 1 from doubted_identities limit 1').get() !== undefined;
}

/** See {@link Store.reviewSightings}. */
export function reviewSightings(database: SqliteDatabase, things: readonly string[]): SightingReview {
  return database.write(() => {
    const { prunedBefore } = loadTenantState(database);
    const doubted = database.all(doubtedQuery(database.build, prunedBefore));
    const nameIds = doubted.flatMap(({ name_id }) => name_id ?? []);
    const sightings =
      nameIds.length === 0 ? [] : sightingsOf(database, nameIds, { from: firstDayOf(doubted), things });
    const { removed, moved } = correctionsOf(doubted, sightings);
    const remove = database.statement('delete from identities where identity_key = ?');
    const move = database.statement('update identities set created_at = ? where identity_key = ?');
    for (const key of removed) remove.run(key);
    for (const { key, createdAt } of moved) move.run(createdAt, key);
    database.statement('delete from doubted_identities').run();
    return { removed: removed.length, moved: moved.length };
  });
}

function sightingsOf(
  database: SqliteDatabase,
  nameIds: readonly number[],
  { from, things }: { from: DayNumber; things: readonly string[] },
): Sighting[] {
  // The lists are one parameter each, whatever their length; usage is read once, in the order it is stored.
  return database
    .statement(
      `select distinct day, identity_id from usage_rows
       where day >= ? and identity_id in (select value from json_each(?))
         and query_id not in (select name_id from names where name in (select value from json_each(?)))`,
    )
    .raw()
    .all(from, JSON.stringify(nameIds), JSON.stringify(things)) as [DayNumber, number][];
}
