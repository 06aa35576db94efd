import { type CreateTableBuilder, type Kysely, type RawBuilder } from 'kysely';

/** What differs between databases when a table is made. */
export interface SchemaDialect {
  /** A 64-bit signed integer. */
  readonly integer: RawBuilder<unknown>;
  /** A 64-bit float. */
  readonly real: RawBuilder<unknown>;
  /** An integer of any size. */
  readonly exact: RawBuilder<unknown>;
  /** A text that is compared by its bytes. */
  readonly text: RawBuilder<unknown>;
  /** Type and constraints of a key that the database counts up. */
  readonly generatedKey: RawBuilder<unknown>;
  /** What follows the column list. */
  readonly tableEnd: RawBuilder<unknown>;
  /** What follows the column list of a table that is stored in the order of its primary key. */
  readonly clusteredEnd: RawBuilder<unknown>;
  /** What follows the column list of a table cut by month; null where tables are not cut. */
  readonly partitioned: RawBuilder<unknown> | null;
}

type Column = 'integer' | 'real' | 'text' | 'exact' | 'key';
/** `integer`: may be null. `integer!`: may not. */
type ColumnSpec = Column | `${Column}!`;

interface TableOptions {
  readonly primaryKey?: readonly string[];
  readonly clustered?: boolean;
  /**
   * The columns that a table with the column `day` is searched by where it is cut by month. Such a table has
   * no key and refers to nothing there: it is written in bulk, by code that knows.
   */
  readonly partitionIndex?: readonly string[];
  /** Column to `table.column`. */
  readonly references?: Readonly<Record<string, string>>;
}

/** Makes tables and indexes in one database's dialect. */
export class Tables {
  readonly database: Kysely<unknown>;
  readonly #dialect: SchemaDialect;

  constructor(database: Kysely<unknown>, dialect: SchemaDialect) {
    this.database = database;
    this.#dialect = dialect;
  }

  /** Whether tables are cut by month. */
  get partitioned(): boolean {
    return this.#dialect.partitioned !== null;
  }

  async create(name: string, columns: Record<string, ColumnSpec>, options: TableOptions = {}): Promise<void> {
    const cut = options.partitionIndex ? this.#dialect.partitioned : null;
    let table: CreateTableBuilder<string, string> = this.database.schema.createTable(name);
    for (const [column, spec] of Object.entries(columns)) {
      const type = spec.replace('!', '') as Column;
      const target = cut ? undefined : options.references?.[column];
      table = table.addColumn(column, this.#type(type), (build) => {
        const nullable = spec.endsWith('!') ? build.notNull() : build;
        return target === undefined ? nullable : nullable.references(target);
      });
    }
    if (options.primaryKey && !cut) {
      table = table.addPrimaryKeyConstraint(`${name}_pk`, [...options.primaryKey]);
    }
    const end = options.clustered ? this.#dialect.clusteredEnd : this.#dialect.tableEnd;
    await table.modifyEnd(cut ?? end).execute();
    if (cut) await this.index(`${name}__day`, options.partitionIndex!);
  }

  /** A column of rows that are there is null. */
  async addColumn(table: string, name: string, type: 'integer' | 'real' | 'text'): Promise<void> {
    await this.database.schema.alterTable(table).addColumn(name, this.#type(type)).execute();
  }

  async index(name: string, columns: readonly string[], unique = false): Promise<void> {
    const table = name.slice(0, name.indexOf('__'));
    const index = this.database.schema
      .createIndex(name)
      .on(table)
      .columns([...columns]);
    await (unique ? index.unique() : index).execute();
  }

  #type(column: Column) {
    return column === 'key' ? this.#dialect.generatedKey : this.#dialect[column];
  }
}
