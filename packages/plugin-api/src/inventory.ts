import type { Metadata } from './json.ts';
import type { Problem } from './problem.ts';

/** A thing that costs money or holds things that do. */
export interface Resource {
  readonly resourceId: string;
  readonly resourceType: string;
  readonly displayName: string | null;
  readonly parentId: string | null;
  readonly ownerId: string | null;
  /** Null: it has always existed, as far as anyone knows. */
  readonly createdAt: Date | null;
  readonly deletedAt: Date | null;
  readonly metadata: Metadata;
}

/** A person, team, service account or principal that a cost is attributed to. */
export interface Identity {
  readonly identityId: string;
  readonly identityType: string;
  readonly displayName: string | null;
  /** Null: it has always existed, as far as anyone knows. */
  readonly createdAt: Date | null;
  readonly deletedAt: Date | null;
  readonly metadata: Metadata;
}

/** What one or more listings brought. */
export interface ListingBatch {
  /** The types whose listing succeeded as a whole: what it does not name is gone. */
  readonly authoritativeFor: readonly string[];
  /** Listings that failed, in part or altogether: their types are not among those above. */
  readonly problems?: readonly Problem[];
}

export interface ResourceBatch extends ListingBatch {
  readonly resources: readonly Resource[];
}

export interface IdentityBatch extends ListingBatch {
  readonly identities: readonly Identity[];
  /**
   * Named by something that was listed, such as an owner, and in no listing themselves: stored where nothing
   * is known of them yet, so that what a listing said once stays.
   */
  readonly mentioned?: readonly Identity[];
  /**
   * The settings' own list, the only one there is: it is believed also where it is empty, and ends whoever was
   * listed before under a type that it no longer names.
   */
  readonly settled?: true;
}

/** Receives what nobody can be given. Never deleted, never part of `tenant_period`. */
export const UNALLOCATED = 'UNALLOCATED';

/** Identity type of {@link UNALLOCATED}. */
export const SYSTEM_IDENTITY_TYPE = 'system';

export const UNALLOCATED_IDENTITY: Identity = {
  identityId: UNALLOCATED,
  identityType: SYSTEM_IDENTITY_TYPE,
  displayName: 'Unallocated Costs',
  createdAt: null,
  deletedAt: null,
  metadata: {},
};

/** The inventory as it was in a window: everything whose lifetime overlaps it, sorted by id. */
export interface Inventory {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly identities: ReadonlyMap<string, Identity>;
}
