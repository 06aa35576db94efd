import type { BillingLineItem } from '@chargeback/plugin-api';
import type { CalculatedPortion } from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Dimension ids kept in memory, about 100 bytes each. */
const MAX_CACHED = 1_000_000;

/** Everything but the identity. */
interface Group {
  readonly productType: string;
  readonly resourceId: string | null;
  readonly environmentId: string | null;
  readonly productCategory: string;
  readonly costType: string;
  readonly method: string;
  readonly detail: string | null;
  readonly currency: string;
}

/** Spelled as the unique index is, so that it is used. */
const SAME_GROUP = `product_type = @productType
  and coalesce(resource_id, '') = coalesce(@resourceId, '') and (resource_id is null) = (@resourceId is null)
  and coalesce(environment_id, '') = coalesce(@environmentId, '')
  and (environment_id is null) = (@environmentId is null)
  and product_category = @productCategory and cost_type = @costType and allocation_method = @method
  and coalesce(allocation_detail, '') = coalesce(@detail, '') and currency = @currency`;

const INSERT = `insert into chargeback_dimensions (product_type, resource_id, environment_id,
    product_category, cost_type, allocation_method, allocation_detail, currency, identity_id)
  values (@productType, @resourceId, @environmentId, @productCategory, @costType, @method, @detail,
    @currency, @identityId)
  on conflict do nothing`;

/** The dimensions of one portion: everything but the identity is the same. */
export type PortionDimensions = (identityId: string) => number;

/** Ids of dimensions, made when there are none. Dimensions are never deleted, so a known id stays true. */
export class Dimensions {
  readonly #database: SqliteDatabase;
  readonly #groups = new Map<string, Map<string, number>>();
  #cached = 0;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    database.onRollback(() => this.#forget());
  }

  /** Looks a portion's columns up once, so that no long key is built per row. Inside a write transaction. */
  ofPortion(line: BillingLineItem, portion: CalculatedPortion): PortionDimensions {
    if (this.#cached > MAX_CACHED) this.#forget();
    const group: Group = {
      productType: line.productType,
      resourceId: line.resourceId,
      environmentId: line.environmentId,
      productCategory: line.productCategory,
      costType: portion.costType,
      method: portion.method,
      detail: portion.detail,
      currency: line.totalCost.currency,
    };
    const key = JSON.stringify(group);
    const ids = this.#groups.get(key) ?? this.#load(key, group);
    return (identityId) => ids.get(identityId) ?? this.#make(ids, { ...group, identityId });
  }

  #load(key: string, group: Group): Map<string, number> {
    const select = this.#database
      .statement(`select identity_id, dimension_id from chargeback_dimensions where ${SAME_GROUP}`)
      .raw();
    const ids = new Map(select.all(group) as [string, number][]);
    this.#groups.set(key, ids);
    this.#cached += ids.size;
    return ids;
  }

  #make(ids: Map<string, number>, dimension: Group & { readonly identityId: string }): number {
    const { changes, lastInsertRowid } = this.#database.statement(INSERT).run(dimension);
    const id = changes === 1 ? Number(lastInsertRowid) : this.#find(dimension);
    ids.set(dimension.identityId, id);
    this.#cached += 1;
    return id;
  }

  /** Another process made it after this one looked. */
  #find(dimension: Group & { readonly identityId: string }): number {
    const select = this.#database
      .statement(
        `select dimension_id from chargeback_dimensions where ${SAME_GROUP} and identity_id = @identityId`,
      )
      .pluck();
    return select.get(dimension) as number;
  }

  #forget(): void {
    this.#groups.clear();
    this.#cached = 0;
  }
}
