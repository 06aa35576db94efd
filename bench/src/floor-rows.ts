import { once } from 'node:events';
import type { Writable } from 'node:stream';
import Connection from 'better-sqlite3';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** Rows of one table on one day: how many there are, and what is in them. */
export interface DayOfRows {
  readonly table: 'usage_rows' | 'chargeback_facts';
  readonly columns: number;
  readonly count: number;
  /** Puts the columns of one row into an array, the first one at `at`. */
  readonly fill: (row: number, into: (number | bigint)[], at: number) => void;
}

/** Inserts days as fast as we know how, each in a transaction. */
export interface RowWriter {
  write(day: DayOfRows): Promise<void> | void;
  close(): Promise<void> | void;
}

/** The tables of the engine's own schema that grow with identities × days. */
function schema(integer: string, real: string, after: string): string[] {
  return [
    `create table usage_rows (day ${integer} not null, query_id ${integer} not null,
      resource_id ${integer} not null, identity_id ${integer} not null, value ${real} not null,
      primary key (day, query_id, resource_id, identity_id))${after}`,
    `create table chargeback_facts (day ${integer} not null, line_key ${integer} not null,
      portion_index ${integer} not null, dimension_id ${integer} not null, amount ${integer} not null,
      ratio ${real} not null, primary key (day, line_key, portion_index, dimension_id))${after}`,
  ];
}

export async function openRowWriter(connectionString: string): Promise<RowWriter> {
  return connectionString.startsWith('sqlite:')
    ? sqliteWriter(connectionString.slice('sqlite:///'.length))
    : postgresWriter(connectionString);
}

const ROWS_PER_STATEMENT = 32;

/** Prepared statements of many rows. */
function sqliteWriter(file: string): RowWriter {
  const database = new Connection(file);
  database.pragma('journal_mode = wal');
  database.pragma('synchronous = normal');
  for (const statement of schema('integer', 'real', ' without rowid')) database.exec(statement);
  const prepare = ({ table, columns }: DayOfRows, rows: number) => {
    const row = `(${Array.from({ length: columns }, () => '?').join(', ')})`;
    return database.prepare(
      `insert into ${table} values ${Array.from({ length: rows }, () => row).join(', ')}`,
    );
  };
  const insert = (day: DayOfRows): void => {
    const { columns, count, fill } = day;
    const values: number[] = Array.from({ length: columns * ROWS_PER_STATEMENT });
    const many = prepare(day, ROWS_PER_STATEMENT);
    let next = 0;
    for (; next + ROWS_PER_STATEMENT <= count; next += ROWS_PER_STATEMENT) {
      for (let index = 0; index < ROWS_PER_STATEMENT; index += 1) fill(next + index, values, index * columns);
      many.run(values);
    }
    const one = prepare(day, 1);
    for (values.length = columns; next < count; next += 1) {
      fill(next, values, 0);
      one.run(values);
    }
  };
  return { write: database.transaction(insert), close: () => void database.close() };
}

const PIECE_LENGTH = 65_536;

/** COPY. */
async function postgresWriter(connectionString: string): Promise<RowWriter> {
  const client = new Client({ connectionString });
  await client.connect();
  for (const statement of schema('bigint', 'double precision', '')) await client.query(statement);
  return {
    async write({ table, columns, count, fill }) {
      const stream: Writable = client.query(copyFrom(`copy ${table} from stdin`));
      const values: number[] = Array.from({ length: columns });
      let piece = '';
      for (let row = 0; row < count; row += 1) {
        fill(row, values, 0);
        piece += `${values.join('\t')}\n`;
        if (piece.length < PIECE_LENGTH) continue;
        if (!stream.write(piece)) await once(stream, 'drain');
        piece = '';
      }
      stream.end(piece);
      await once(stream, 'finish');
    },
    close: () => client.end(),
  };
}
