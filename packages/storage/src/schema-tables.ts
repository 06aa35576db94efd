import { type CreateTableBuilder, type Kysely, type RawBuilder } from 'kysely';

/** What differs between databases when a table is made. */
export interface SchemaDialect {
  /** A 64-bit signed integer. */
  readonly integer: 'integer' | 'bigint';
  /** A 64-bit float. */
  readonly real: 'real' | 'double precision';
  /** Type and constraints of a key that the database counts up. */
  readonly generatedKey: RawBuilder<unknown>;
  /** What follows the column list. */
  readonly tableEnd: RawBuilder<unknown>;
  /** What follows the column list of a table that is stored in the order of its primary key. */
  readonly clusteredEnd: RawBuilder<unknown>;
}

type Column = 'integer' | 'real' | 'text' | 'key';
/** `integer`: may be null. `integer!`: may not. */
type ColumnSpec = Column | `${Column}!`;

interface TableOptions {
  readonly primaryKey?: readonly string[];
  readonly clustered?: boolean;
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

  async create(name: string, columns: Record<string, ColumnSpec>, options: TableOptions = {}): Promise<void> {
    let table: CreateTableBuilder<string, string> = this.database.schema.createTable(name);
    for (const [column, spec] of Object.entries(columns)) {
      const type = spec.replace('!', '') as Column;
      const target = options.references?.[column];
      table = table.addColumn(column, this.#type(type), (build) => {
        const nullable = spec.endsWith('!') ? build.notNull() : build;
        return target === undefined ? nullable : nullable.references(target);
      });
    }
    if (options.primaryKey) table = table.addPrimaryKeyConstraint(`${name}_pk`, [...options.primaryKey]);
    await table.modifyEnd(options.clustered ? this.#dialect.clusteredEnd : this.#dialect.tableEnd).execute();
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
    if (column === 'key') return this.#dialect.generatedKey;
    return column === 'text' ? 'text' : this.#dialect[column];
  }
}
