import type { DayNumber } from '../convert.ts';
import { tenantStateOf, tenantStateQuery } from '../queries/coordination.ts';
import {
  correctionsOf,
  doubtedQuery,
  droppedNames,
  firstDayOf,
  NOTHING_REVIEWED,
  type Sighting,
} from '../queries/sightings.ts';
import type { GatheredUsage, SightingReview } from '../store.ts';
import type { Target } from './date-states.ts';
import { lock } from './locks.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';

/** Remembers whom the stored answer names and the one that corrects it does not. Inside a write transaction. */
export async function doubtDropped(
  session: PostgresSession,
  { day, queryId, usage }: { day: DayNumber; queryId: number; usage: GatheredUsage },
): Promise<void> {
  const before = await session.arrays<[string]>(
    `select name from names where name_id in (select identity_id from usage_rows where day = $1 and query_id = $2)`,
    [day, queryId],
  );
  const dropped = droppedNames(
    usage,
    before.map(([name]) => name),
  );
  if (dropped.length === 0) return;
  await session.execute(
    `insert into doubted_identities (identity_id) select unnest($1::text[]) on conflict do nothing`,
    [dropped],
  );
}

/** See {@link Store.reviewSightings}. */
export async function reviewSightings(
  database: PostgresDatabase,
  things: readonly string[],
): Promise<SightingReview> {
  const { build } = database;
  const doubts = build.selectFrom('doubted_identities').select('identity_id').limit(1);
  if ((await database.all(doubts)).length === 0) return NOTHING_REVIEWED;
  return database.held(async (session) => {
    await lock(session, 'inventory');
    return reviewInside({ session, build }, things);
  });
}

async function reviewInside({ session, build }: Target, things: readonly string[]): Promise<SightingReview> {
  const { prunedBefore } = tenantStateOf(await session.first(tenantStateQuery(build)));
  const doubted = await session.all(doubtedQuery(build, prunedBefore));
  const nameIds = doubted.flatMap(({ name_id }) => name_id ?? []);
  const sightings =
    nameIds.length === 0
      ? []
      : await session.arrays<Sighting>(
          `select distinct day, identity_id from usage_rows
           where day >= $1 and identity_id = any($2::bigint[])
             and query_id not in (select name_id from names where name = any($3::text[]))`,
          [firstDayOf(doubted), nameIds, things],
        );
  const { removed, moved } = correctionsOf(doubted, sightings);
  await session.execute('delete from identities where identity_key = any($1::bigint[])', [removed]);
  await session.execute(
    `update identities set created_at = moved.created_at
     from unnest($1::bigint[], $2::bigint[]) as moved (identity_key, created_at)
     where identities.identity_key = moved.identity_key`,
    [moved.map(({ key }) => key), moved.map(({ createdAt }) => createdAt)],
  );
  await session.execute('delete from doubted_identities', []);
  return { removed: removed.length, moved: moved.length };
}
