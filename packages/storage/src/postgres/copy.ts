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
import { copyText } from './copy-text.ts';
import { makeMonth, monthOf, PARTITIONED_TABLES } from './partitions.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import type { PostgresSession } from './postgres-session.ts';

const KINDS: Readonly<Record<string, ColumnKind>> = { bigint: 'integer', 'double precision': 'real' };

/** Reads a schema as it is now, whatever others write meanwhile. */
export async function readSchema<Result>(
  database: PostgresDatabase,
  work: (source: CopySource) => Promise<Result>,
): Promise<Result> {
  try {
    return await database.read((session) => work(sourceOf(session)));
  } finally {
    await database.close();
  }
}

function sourceOf(session: PostgresSession): CopySource {
  return {
    table: (name) => tableOf(session, name),
    async *rows({ name, columns }: CopiedTable) {
      const list = columns.map((column) => `${column.name}::text`).join(', ');
      await session.execute(`declare copied no scroll cursor for select ${list} from ${name}`);
      for (let full = true; full;) {
        const rows = await session.arrays<(string | null)[]>(`fetch ${ROWS_AT_A_TIME} from copied`, []);
        full = rows.length === ROWS_AT_A_TIME;
        if (rows.length === 0) break;
        yield rows.map((row) => row.map((text, index) => parse(text, columns[index]!.kind)));
      }
      await session.execute('close copied');
    },
  };
}

function parse(text: string | null, kind: ColumnKind): CopiedValue {
  if (text === null || kind === 'text') return text;
  return kind === 'integer' ? BigInt(text) : Number(text);
}

async function tableOf(session: PostgresSession, name: string): Promise<CopiedTable> {
  const columns = await session.arrays<[string, string]>(
    `select column_name, data_type from information_schema.columns
     where table_schema = current_schema() and table_name = $1 order by ordinal_position`,
    [name],
  );
  return { name, columns: columns.map(([column, type]) => ({ name: column, kind: KINDS[type] ?? 'text' })) };
}

/** Writes a schema in one transaction: when `work` throws, nothing of it is kept. */
export async function writeSchema(
  database: PostgresDatabase,
  work: (target: CopyTarget) => Promise<void>,
): Promise<void> {
  try {
    await database.transaction(async (session) => {
      await work(targetOf(session));
      for (const statement of DERIVED) await session.execute(statement);
      await continueKeys(session);
    });
  } finally {
    await database.close();
  }
}

function targetOf(session: PostgresSession): CopyTarget {
  const months = new Set<string>();
  return {
    filled: () => filledTables(session),
    clear: () => session.execute('truncate store_meta, identities'),
    write: async ({ name, columns }, rows) => {
      if (isPartitioned(name)) {
        const place = columns.findIndex((column) => column.name === 'day');
        for (const row of rows) {
          const day = Number(row[place]);
          const { suffix } = monthOf(day);
          if (months.has(suffix)) continue;
          months.add(suffix);
          await makeMonth(session, day);
        }
      }
      const list = columns.map((column) => column.name).join(', ');
      await session.copy(`${name} (${list})`, copyText(rows));
    },
  };
}

function isPartitioned(name: string): boolean {
  return PARTITIONED_TABLES.some((table) => table === name);
}

async function filledTables(session: PostgresSession): Promise<string[]> {
  const filled: string[] = [];
  for (const table of COPIED_TABLES) {
    if (table === 'store_meta') continue;
    const own = table === 'identities' ? `where identity_id <> '${UNALLOCATED}'` : '';
    const found = await session.arrays(`select 1 from ${table} ${own} limit 1`, []);
    if (found.length > 0) filled.push(table);
  }
  return filled;
}

/** The totals of the days, which only this database has. */
const DERIVED = [
  `insert into identity_totals (day, name_id, currency, amount, row_count)
   select day, name_id, currency, sum(amount), count(*) from chargeback_facts
   join dimensions using (dimension_id) join dimension_groups using (group_id) group by day, name_id, currency`,
  `insert into group_totals (day, group_id, amount, row_count)
   select day, group_id, sum(amount), count(*) from chargeback_facts
   join dimensions using (dimension_id) group by day, group_id`,
];

/** Keys that the database counts up go on after those that were written. */
async function continueKeys(session: PostgresSession): Promise<void> {
  const keys = await session.arrays<[string, string]>(
    `select table_name, column_name from information_schema.columns
     where table_schema = current_schema() and is_identity = 'YES'`,
    [],
  );
  for (const [table, column] of keys) {
    await session.execute(
      `select setval(pg_get_serial_sequence('${table}', '${column}'), max(${column})) from ${table}`,
    );
  }
}
