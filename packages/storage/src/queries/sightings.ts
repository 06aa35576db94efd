import { type IsoDate, MILLISECONDS_PER_DAY, startOfDay } from '@chargeback/plugin-api';
import type { Kysely } from 'kysely';
import type { DayNumber } from '../convert.ts';
import type { StorageSchema } from '../schema.ts';
import type { GatheredUsage, SightingReview } from '../store.ts';

/** A lifetime that is known from metrics only, of a name whose sighting was corrected. */
export interface DoubtedLifetime {
  readonly identity_key: number;
  readonly created_at: number | null;
  readonly mentioned_since: number | null;
  /** Null when no usage and no row names it. */
  readonly name_id: number | null;
  /** When the lifetime before it ended; null when there is none. */
  readonly former_end: number | null;
}

/** A day on which stored usage names somebody. */
export type Sighting = readonly [day: DayNumber, nameId: number];

/** Changes to the identities: keys of the lifetimes to remove, and where others begin. */
export interface Corrections {
  readonly removed: readonly number[];
  readonly moved: readonly { readonly key: number; readonly createdAt: number }[];
}

/**
 * Lifetimes to look up. What began before the days that retention has left was seen in days that are gone: nobody
 * can refute it.
 */
export function doubtedQuery(build: Kysely<StorageSchema>, prunedBefore: IsoDate | null) {
  const keptFrom = prunedBefore === null ? Number.MIN_SAFE_INTEGER : startOfDay(prunedBefore).getTime();
  return build
    .selectFrom('doubted_identities')
    .innerJoin('identities', 'identities.identity_id', 'doubted_identities.identity_id')
    .leftJoin('names', 'names.name', 'identities.identity_id')
    .select((select) => [
      'identities.identity_key',
      'identities.created_at',
      'identities.mentioned_since',
      'names.name_id',
      select
        .selectFrom('identities as former')
        .select((max) => max.fn.max('former.deleted_at').as('ended'))
        .whereRef('former.identity_id', '=', 'identities.identity_id')
        .whereRef('former.identity_key', '<', 'identities.identity_key')
        .as('former_end'),
    ])
    .where('identities.observed', '=', 1)
    .where('identities.created_at', '>=', keptFrom)
    .$castTo<DoubtedLifetime>();
}

/** The first day on which one of them may have been seen. */
export function firstDayOf(doubted: readonly DoubtedLifetime[]): DayNumber {
  const first = doubted.reduce((least, { created_at }) => Math.min(least, created_at!), Infinity);
  return Math.floor(first / MILLISECONDS_PER_DAY);
}

/** What follows from the days on which stored usage names them. Sightings before a former end are of that lifetime. */
export function correctionsOf(
  doubted: readonly DoubtedLifetime[],
  sightings: Iterable<Sighting>,
): Corrections {
  const daysOf = new Map<number, DayNumber[]>();
  for (const [day, nameId] of sightings) {
    const days = daysOf.get(nameId);
    if (days) days.push(day);
    else daysOf.set(nameId, [day]);
  }
  const removed: number[] = [];
  const moved: { key: number; createdAt: number }[] = [];
  for (const { identity_key: key, created_at, mentioned_since, name_id, former_end } of doubted) {
    let first = Infinity;
    for (const day of (name_id === null ? null : daysOf.get(name_id)) ?? []) {
      const instant = day * MILLISECONDS_PER_DAY;
      if (former_end === null || instant >= former_end) first = Math.min(first, instant);
    }
    if (mentioned_since !== null) first = Math.min(first, mentioned_since);
    if (first === Infinity) removed.push(key);
    else if (first > created_at!) moved.push({ key, createdAt: first });
  }
  return { removed, moved };
}

export const NOTHING_REVIEWED: SightingReview = { removed: 0, moved: 0 };

/** Whom a former answer named and the one that corrects it does not. */
export function droppedNames({ totals }: GatheredUsage, before: readonly string[]): string[] {
  const named = new Set(totals.identityIds);
  return before.filter((name) => !named.has(name));
}
