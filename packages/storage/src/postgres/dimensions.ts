import type { LineOfRows } from '../queries/billing-lines.ts';
import { sql } from 'kysely';
import pLimit from 'p-limit';
import { groupsQuery } from '../queries/rows.ts';
import type { CalculatedPortion } from '../store.ts';
import { chunked, type Names } from './names.ts';
import type { PostgresDatabase } from './postgres-database.ts';

/** Dimension ids kept in memory, about 100 bytes each. */
const MAX_CACHED = 1_000_000;

/** Columns of a group, in the order of its key. */
const GROUP_COLUMNS = [
  'product_type',
  'resource_id',
  'environment_id',
  'product_category',
  'cost_type',
  'allocation_method',
  'allocation_detail',
  'currency',
] as const;

type GroupKey = readonly (string | null)[];

/** A portion of a line, whose rows need dimensions. */
export interface DimensionedPortion {
  readonly line: LineOfRows;
  readonly portion: CalculatedPortion;
}

/** Dimension ids of one group by identity. */
export interface DimensionIds {
  readonly groupId: number;
  readonly ids: ReadonlyMap<string, number>;
}

interface Group extends DimensionIds {
  readonly ids: Map<string, number>;
  loaded: boolean;
}

/** A dimension to make. */
interface Pair {
  readonly group: Group;
  readonly name: string;
  readonly nameId: number;
}

interface DimensionRow {
  readonly group_id: number;
  readonly name_id: number;
  readonly dimension_id: number;
}

/**
 * Ids of dimensions. As names, they are made outside of the transaction that needs them.
 */
export class Dimensions {
  readonly #database: PostgresDatabase;
  readonly #names: Names;
  readonly #groups = new Map<string, Group>();
  #cached = 0;
  /** What one makes is there for the next: two would wait for each other in the database, to find the same. */
  readonly #turn = pLimit(1);

  constructor(database: PostgresDatabase, names: Names) {
    this.#database = database;
    this.#names = names;
    database.onForget(() => this.#forget());
  }

  /** Makes what is missing, for many portions at once, and gives each portion's ids. Not inside a transaction. */
  ensure(portions: readonly DimensionedPortion[]): Promise<DimensionIds[]> {
    return this.#turn(() => this.#ensure(portions));
  }

  async #ensure(portions: readonly DimensionedPortion[]): Promise<DimensionIds[]> {
    if (this.#cached > MAX_CACHED) this.#forget();
    const keys = portions.map(({ line, portion }) => keyOf(line, portion));
    await this.#ensureGroups(keys);
    const groups = keys.map((key) => this.#groups.get(JSON.stringify(key))!);
    await this.#loadDimensions(new Set(groups));
    await this.#makeDimensions(groups, portions);
    return groups;
  }

  async #ensureGroups(keys: readonly GroupKey[]): Promise<void> {
    const unknown = () => {
      const missing = new Map(keys.map((key) => [JSON.stringify(key), key]));
      for (const text of missing.keys()) if (this.#groups.has(text)) missing.delete(text);
      return [...missing].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, key]) => key);
    };
    if (unknown().length === 0) return;
    await this.#loadGroups();
    const missing = unknown();
    if (missing.length === 0) return;
    const columns = GROUP_COLUMNS.map((_, index) => sql`${missing.map((key) => key[index])}::text[]`);
    const insert = sql`insert into dimension_groups (${sql.join(GROUP_COLUMNS.map((name) => sql.ref(name)))})
      select * from unnest(${sql.join(columns)}) on conflict do nothing`;
    await this.#database.write(insert.compile(this.#database.build));
    await this.#loadGroups();
  }

  async #loadGroups(): Promise<void> {
    for (const row of await this.#database.all(groupsQuery(this.#database.build))) {
      const key = JSON.stringify(GROUP_COLUMNS.map((column) => row[column]));
      if (!this.#groups.has(key)) {
        this.#groups.set(key, { groupId: row.group_id, ids: new Map(), loaded: false });
      }
    }
  }

  async #loadDimensions(groups: ReadonlySet<Group>): Promise<void> {
    const byId = new Map([...groups].filter(({ loaded }) => !loaded).map((group) => [group.groupId, group]));
    if (byId.size === 0) return;
    const query = sql<{ group_id: number; dimension_id: number; name: string }>`
      select group_id, dimension_id, name from dimensions join names using (name_id)
      where group_id = any(${[...byId.keys()]}::bigint[])`;
    for (const row of await this.#database.all(query.compile(this.#database.build))) {
      byId.get(row.group_id)!.ids.set(row.name, row.dimension_id);
      this.#cached += 1;
    }
    for (const group of byId.values()) group.loaded = true;
  }

  async #makeDimensions(groups: readonly Group[], portions: readonly DimensionedPortion[]): Promise<void> {
    const missing = new Map<Group, Set<string>>();
    const names = new Set<string>();
    for (const [index, { portion }] of portions.entries()) {
      const group = groups[index]!;
      for (const identityId of portion.identityIds) {
        if (group.ids.has(identityId)) continue;
        const identities = missing.get(group) ?? new Set();
        missing.set(group, identities.add(identityId));
        names.add(identityId);
      }
    }
    if (names.size === 0) return;
    await this.#names.ensure(names);
    const pairs = [...missing].flatMap(([group, identities]) =>
      Array.from(identities, (name) => ({ group, name, nameId: this.#names.idOf(name) })),
    );
    pairs.sort((left, right) => left.group.groupId - right.group.groupId || left.nameId - right.nameId);
    for (const chunk of chunked(pairs)) await this.#makeChunk(chunk);
  }

  async #makeChunk(pairs: readonly Pair[]): Promise<void> {
    const groupIds = pairs.map(({ group }) => group.groupId);
    const nameIds = pairs.map(({ nameId }) => nameId);
    const arrays = sql`unnest(${groupIds}::bigint[], ${nameIds}::bigint[])`;
    const { build } = this.#database;
    const insert = sql<DimensionRow>`insert into dimensions (group_id, name_id) select * from ${arrays}
      on conflict do nothing returning group_id, name_id, dimension_id`;
    const made = await this.#database.write(insert.compile(build));
    this.#remember(pairs, made);
    if (made.length === pairs.length) return;
    // What another process made in between.
    const select = sql<DimensionRow>`
      select group_id, name_id, dimension_id from dimensions
      join ${arrays} as wanted (group_id, name_id) using (group_id, name_id)`;
    this.#remember(pairs, await this.#database.all(select.compile(build)));
  }

  #remember(pairs: readonly Pair[], rows: readonly DimensionRow[]): void {
    const groups = new Map(pairs.map(({ group }) => [group.groupId, group]));
    const names = new Map(pairs.map(({ nameId, name }) => [nameId, name]));
    for (const { group_id, name_id, dimension_id } of rows) {
      groups.get(group_id)!.ids.set(names.get(name_id)!, dimension_id);
    }
    this.#cached += rows.length;
  }

  #forget(): void {
    this.#groups.clear();
    this.#cached = 0;
  }
}

function keyOf(line: LineOfRows, { costType, method, detail }: CalculatedPortion): GroupKey {
  const { productType, resourceId, environmentId, productCategory, totalCost } = line;
  return [
    productType,
    resourceId,
    environmentId,
    productCategory,
    costType,
    method,
    detail,
    totalCost.currency,
  ];
}
