import type { LineOfRows } from '../queries/billing-lines.ts';
import type { CalculatedPortion } from '../store.ts';
import type { Names } from './names.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Dimension ids kept in memory, about 100 bytes each. */
const MAX_CACHED = 1_000_000;

/** Spelled as the unique index is, so that it is used. */
const SELECT_GROUP = `select group_id from dimension_groups where product_type = @productType
  and coalesce(resource_id, '') = coalesce(@resourceId, '') and (resource_id is null) = (@resourceId is null)
  and coalesce(environment_id, '') = coalesce(@environmentId, '')
  and (environment_id is null) = (@environmentId is null)
  and product_category = @productCategory and cost_type = @costType and allocation_method = @method
  and coalesce(allocation_detail, '') = coalesce(@detail, '') and currency = @currency`;

const INSERT_GROUP = `insert into dimension_groups (product_type, resource_id, environment_id,
    product_category, cost_type, allocation_method, allocation_detail, currency)
  values (@productType, @resourceId, @environmentId, @productCategory, @costType, @method, @detail, @currency)`;

/** Gives the dimension of an identity within one portion. */
export type DimensionOf = (identityId: string) => number;

interface Group {
  readonly groupId: number;
  readonly ids: Map<string, number>;
}

/** Ids of dimensions, made when there are none. Dimensions are never deleted, so a known id stays true. */
export class Dimensions {
  readonly #database: SqliteDatabase;
  readonly #names: Names;
  readonly #groups = new Map<string, Group>();
  #cached = 0;

  constructor(database: SqliteDatabase, names: Names) {
    this.#database = database;
    this.#names = names;
    database.onRollback(() => this.#forget());
  }

  /** Looks a portion's columns up once, so that no long key is built per row. Inside a write transaction. */
  ofPortion(line: LineOfRows, portion: CalculatedPortion): DimensionOf {
    if (this.#cached > MAX_CACHED) this.#forget();
    const columns = {
      productType: line.productType,
      resourceId: line.resourceId,
      environmentId: line.environmentId,
      productCategory: line.productCategory,
      costType: portion.costType,
      method: portion.method,
      detail: portion.detail,
      currency: line.totalCost.currency,
    };
    const key = JSON.stringify(columns);
    let group = this.#groups.get(key);
    if (!group) {
      group = this.#load(columns);
      this.#groups.set(key, group);
    }
    const { groupId, ids } = group;
    return (identityId) => ids.get(identityId) ?? this.#make(groupId, ids, identityId);
  }

  #load(columns: object): Group {
    const found = this.#database.statement(SELECT_GROUP).pluck().get(columns) as number | undefined;
    if (found === undefined) {
      const { lastInsertRowid } = this.#database.statement(INSERT_GROUP).run(columns);
      return { groupId: Number(lastInsertRowid), ids: new Map() };
    }
    const select = this.#database
      .statement('select name, dimension_id from dimensions join names using (name_id) where group_id = ?')
      .raw();
    const ids = new Map(select.all(found) as [string, number][]);
    this.#cached += ids.size;
    return { groupId: found, ids };
  }

  #make(groupId: number, ids: Map<string, number>, identityId: string): number {
    const nameId = this.#names.idOf(identityId);
    const { changes, lastInsertRowid } = this.#database
      .statement('insert into dimensions (group_id, name_id) values (?, ?) on conflict do nothing')
      .run(groupId, nameId);
    // Without a change another process made it after this one looked.
    const id = changes === 1 ? Number(lastInsertRowid) : this.#find(groupId, nameId);
    ids.set(identityId, id);
    this.#cached += 1;
    return id;
  }

  #find(groupId: number, nameId: number): number {
    const select = this.#database
      .statement('select dimension_id from dimensions where group_id = ? and name_id = ?')
      .pluck();
    return select.get(groupId, nameId) as number;
  }

  #forget(): void {
    this.#groups.clear();
    this.#cached = 0;
  }
}
