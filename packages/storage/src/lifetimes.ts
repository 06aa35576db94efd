/** When a thing existed, in milliseconds: `createdAt` null means always, `deletedAt` null means still. */
export interface Lifetime {
  readonly createdAt: number | null;
  readonly deletedAt: number | null;
}

export interface ObservedLifetime extends Lifetime {
  /** Known from metrics only: its beginning is the first sighting, not a fact. */
  readonly observed: boolean;
}

/** A lifetime that listings tell of. */
export interface ListedLifetime extends ObservedLifetime {
  /** When a listing named the thing last. */
  readonly lastSeenAt: number;
}

/** What a listing says of a thing. */
export interface Listed extends Lifetime {
  /** Since when the thing exists by that: an end before then may be true, a later one is refuted. */
  readonly vouchedFrom: number;
}

/** Which stored lifetime to overwrite (`index`, ascending order) or, when null, to add. */
export interface Placement {
  readonly index: number | null;
  readonly lifetime: Lifetime;
  /** When the latest stored lifetime ended, where it is only now that this is known. */
  readonly formerEnd?: number;
}

/**
 * Where a listed thing belongs among its stored lifetimes (ascending). The listing's word counts for the
 * latest one; a thing that was deleted and is listed again begins a new lifetime, so that its past stays. One
 * that a listing only missed goes on to exist: nothing of the time between is cut out.
 */
export function placeListed(
  stored: readonly ListedLifetime[],
  { vouchedFrom, ...listed }: Listed,
  seenAt: number,
): Placement {
  const last = stored.at(-1);
  if (!last) return { index: null, lifetime: listed };
  const returned = last.deletedAt !== null && (listed.deletedAt === null || isAfter(listed, last.deletedAt));
  if (returned && !wasMissed(last, vouchedFrom)) {
    const createdAt = isAfter(listed, last.deletedAt!) ? listed.createdAt : Math.max(seenAt, last.deletedAt!);
    return { index: null, lifetime: { createdAt, deletedAt: listed.deletedAt } };
  }
  if (isAnotherLife(last, listed)) {
    const formerEnd = Math.min(last.deletedAt ?? Infinity, listed.createdAt!);
    return { index: null, lifetime: listed, formerEnd };
  }
  const index = stored.length - 1;
  const previousEnd = stored.at(-2)?.deletedAt ?? null;
  if (previousEnd === null) return { index, lifetime: listed };
  const createdAt = isAfter(listed, previousEnd) ? listed.createdAt : last.createdAt;
  const old = listed.deletedAt !== null && createdAt !== null && listed.deletedAt <= createdAt;
  return { index, lifetime: { createdAt, deletedAt: old ? last.deletedAt : listed.deletedAt } };
}

/**
 * Whether the end was concluded from a listing that did not name the thing, and is refuted. An end that the source
 * stated is not later than the listing that stated it.
 */
function wasMissed({ deletedAt, lastSeenAt }: ListedLifetime, vouchedFrom: number): boolean {
  return deletedAt !== null && deletedAt > lastSeenAt && vouchedFrom < deletedAt;
}

/**
 * Whether the source says that the thing was created after a listing had named it: then that was another one of the same
 * name, which is gone since, whether or not a listing came in between.
 */
function isAnotherLife({ createdAt, lastSeenAt, observed }: ListedLifetime, listed: Lifetime): boolean {
  // The first sighting in metrics is no listing, and a beginning that is known already is no other one.
  if (observed || listed.createdAt === null || listed.createdAt === createdAt) return false;
  return listed.createdAt > lastSeenAt;
}

/** Null when the sighting adds nothing to what is stored (ascending). */
export function placeObserved(stored: readonly ObservedLifetime[], firstSeen: number): Placement | null {
  for (const [index, lifetime] of stored.entries()) {
    const { createdAt, deletedAt, observed } = lifetime;
    if (createdAt !== null && createdAt > firstSeen) {
      // Seen before it is said to have begun: a listing knows better, an earlier sighting does not.
      return observed ? { index, lifetime: { createdAt: firstSeen, deletedAt } } : null;
    }
    if (deletedAt === null || deletedAt > firstSeen) return null;
  }
  return { index: null, lifetime: { createdAt: firstSeen, deletedAt: null } };
}

function isAfter(listed: Lifetime, end: number): boolean {
  return listed.createdAt !== null && listed.createdAt >= end;
}
