import type { SqliteDatabase } from './sqlite-database.ts';

/** Texts that occur in many usage rows, stored once. Names are never deleted, so a known one stays true. */
export class Names {
  readonly #database: SqliteDatabase;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, string>();
  #newest = 0;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    database.onRollback(() => this.#forget());
  }

  /** The id of a name, made when there is none. Only inside a write transaction. */
  idOf(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    // Another process may have added names: within the transaction this look is final.
    this.#load();
    const loaded = this.#ids.get(name);
    if (loaded !== undefined) return loaded;
    const { lastInsertRowid } = this.#database.statement('insert into names (name) values (?)').run(name);
    const id = Number(lastInsertRowid);
    this.#remember(id, name);
    return id;
  }

  nameOf(id: number): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    this.#load();
    return this.#names.get(id)!;
  }

  #load(): void {
    const statement = this.#database.statement('select name_id, name from names where name_id > ?').raw();
    for (const [id, name] of statement.iterate(this.#newest) as Iterable<[number, string]>) {
      this.#remember(id, name);
    }
  }

  #remember(id: number, name: string): void {
    this.#ids.set(name, id);
    this.#names.set(id, name);
    if (id > this.#newest) this.#newest = id;
  }

  #forget(): void {
    this.#ids.clear();
    this.#names.clear();
    this.#newest = 0;
  }
}
