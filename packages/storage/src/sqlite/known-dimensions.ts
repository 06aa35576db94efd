import type { DayRange } from '../convert.ts';
import { groupsById, groupsQuery } from '../queries/rows.ts';
import type { Dimension, DimensionGroup } from '../row-grouping.ts';
import type { Names } from './names.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Dimensions kept in memory, about 100 bytes each. */
const MAX_CACHED = 200_000;

/** What dimension ids stand for, remembered from one period to the next: most are in all of them. */
export class KnownDimensions {
  readonly #database: SqliteDatabase;
  readonly #names: Names;
  readonly #byId = new Map<number, Dimension>();
  #groups: ReadonlyMap<number, DimensionGroup> = new Map();

  constructor(database: SqliteDatabase, names: Names) {
    this.#database = database;
    this.#names = names;
    database.onRollback(() => this.#byId.clear());
  }

  /** The dimensions of ids that the facts of some days have. Inside the transaction that read the facts. */
  ofFacts(ids: readonly number[], days: DayRange): Dimension[] {
    if (this.#byId.size > MAX_CACHED) this.#byId.clear();
    if (ids.some((id) => !this.#byId.has(id))) this.#load(days);
    return ids.map((id) => this.#byId.get(id)!);
  }

  #load({ first, end }: DayRange): void {
    // A group stands for the same columns for ever; one object for each, however often groups are loaded.
    this.#groups = new Map([
      ...groupsById(this.#database.all(groupsQuery(this.#database.build))),
      ...this.#groups,
    ]);
    const select = this.#database.statement(
      `select dimension_id, group_id, name_id from dimensions where dimension_id in (
         select dimension_id from chargeback_facts where day >= ? and day < ?)`,
    );
    for (const [id, groupId, nameId] of select.raw().all(first, end) as [number, number, number][]) {
      if (this.#byId.has(id)) continue;
      this.#byId.set(id, { group: this.#groups.get(groupId)!, identityId: this.#names.nameOf(nameId) });
    }
  }
}
