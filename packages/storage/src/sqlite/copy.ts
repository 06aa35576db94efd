import { UNALLOCATED } from '@chargeback/plugin-api';
import {
  type ColumnKind,
  COPIED_TABLES,
  type CopiedTable,
  type CopiedValue,
  type CopySource,
  type CopyTarget,
  ROWS_AT_A_TIME,
} from '../copy/tables.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { storageError } from './storage-error.ts';

/** Reads a file as it is now, whatever others write meanwhile. */
export async function readFile<Result>(
  database: SqliteDatabase,
  work: (source: CopySource) => Promise<Result>,
): Promise<Result> {
  database.statement('begin').run();
  try {
    return await work(sourceOf(database));
  } finally {
    database.statement('commit').run();
    database.close();
  }
}

function sourceOf(database: SqliteDatabase): CopySource {
  return {
    table: (name) => Promise.resolve(tableOf(database, name)),
    async *rows({ name, columns }: CopiedTable) {
      const list = columns.map((column) => column.name).join(', ');
      const statement = database.statement(`select ${list} from ${name}`).raw().safeIntegers();
      let rows: CopiedValue[][] = [];
      for (const row of statement.iterate() as Iterable<CopiedValue[]>) {
        rows.push(row);
        if (rows.length < ROWS_AT_A_TIME) continue;
        yield rows;
        rows = [];
      }
      if (rows.length > 0) yield rows;
    },
  };
}

function tableOf(database: SqliteDatabase, name: string): CopiedTable {
  const columns = database.statement(`select name, type from pragma_table_info('${name}')`).raw();
  const kinds = columns.all() as [string, string][];
  return {
    name,
    columns: kinds.map(([column, type]) => ({ name: column, kind: type.toLowerCase() as ColumnKind })),
  };
}

/** Writes a file in one transaction: when `work` throws, nothing of it is kept. */
export async function writeFile(
  database: SqliteDatabase,
  work: (target: CopyTarget) => Promise<void>,
): Promise<void> {
  try {
    database.statement('begin immediate').run();
    try {
      await work(targetOf(database));
      database.statement('commit').run();
    } catch (error) {
      database.statement('rollback').run();
      throw error;
    }
  } catch (error) {
    throw storageError(error, database.path);
  } finally {
    database.close();
  }
}

function targetOf(database: SqliteDatabase): CopyTarget {
  return {
    filled: () => Promise.resolve(filledTables(database)),
    clear: async () => {
      for (const table of ['store_meta', 'identities']) database.statement(`delete from ${table}`).run();
    },
    write: async ({ name, columns }, rows) => {
      const list = columns.map((column) => column.name).join(', ');
      const insert = database.statement(
        `insert into ${name} (${list}) values (${columns.map(() => '?').join(', ')})`,
      );
      for (const row of rows) insert.run(...row);
    },
  };
}

function filledTables(database: SqliteDatabase): string[] {
  return COPIED_TABLES.filter((table) => {
    if (table === 'store_meta') return false;
    const own = table === 'identities' ? `where identity_id <> '${UNALLOCATED}'` : '';
    return database.statement(`select 1 from ${table} ${own} limit 1`).get() !== undefined;
  });
}
