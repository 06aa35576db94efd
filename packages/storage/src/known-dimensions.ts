import type { Selectable } from 'kysely';
import { groupsById } from './queries/rows.ts';
import { type Dimension, rankGroups, type RankedGroup } from './row-grouping.ts';
import type { DimensionGroupTable } from './schema.ts';

/** Dimensions kept in memory, about 100 bytes each. */
const MAX_CACHED = 200_000;

/** Id, id of the group, name of the identity. */
export type DimensionRow = readonly [dimensionId: number, groupId: number, identityId: string];

/**
 * What dimension ids stand for, remembered from one period to the next: most are in all of them. An id is never
 * given out again, so what is known stays true.
 */
export class KnownDimensions {
  readonly #byId = new Map<number, Dimension>();
  #groups: ReadonlyMap<number, RankedGroup> = new Map();

  /** Whether one of the ids has to be looked up. Begins anew when it knows too many. */
  lacks(ids: readonly number[]): boolean {
    if (this.#byId.size > MAX_CACHED) this.forget();
    return !this.knows(ids);
  }

  knows(ids: readonly number[]): boolean {
    return ids.every((id) => this.#byId.has(id));
  }

  remember(dimensions: readonly DimensionRow[], groups: readonly Selectable<DimensionGroupTable>[]): void {
    // One object for each group, however often it is loaded.
    const before = this.#groups.size;
    this.#groups = new Map([...groupsById(groups), ...this.#groups]);
    if (this.#groups.size > before) rankGroups([...this.#groups.values()]);
    for (const [id, groupId, identityId] of dimensions) {
      if (!this.#byId.has(id)) this.#byId.set(id, { group: this.#groups.get(groupId)!, identityId });
    }
  }

  /** The dimensions of ids that are known. */
  of(ids: readonly number[]): Dimension[] {
    return ids.map((id) => this.#byId.get(id)!);
  }

  forget(): void {
    this.#byId.clear();
  }
}
