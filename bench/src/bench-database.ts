import path from 'node:path';
import Connection from 'better-sqlite3';
import { startRealPostgres } from '@chargeback/testkit';
import { Client } from 'pg';

export const DATABASE_NAMES = ['sqlite', 'postgres'] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];

/** Rows that grow with identities × days. */
export interface RowCounts {
  readonly factRows: number;
  readonly usageRows: number;
}

/** Two empty databases of one kind: the engine's, and one for the same job done bare. */
export interface DatabasePair extends AsyncDisposable {
  readonly engine: string;
  readonly floor: string;
  /** What the engine left. */
  countRows(): Promise<RowCounts>;
}

/** Where benchmarks write. */
export interface BenchDatabase extends AsyncDisposable {
  readonly name: DatabaseName;
  /** The folder is whoever calls's to remove, after the pair. */
  makePair(folder: string): Promise<DatabasePair>;
}

/** PostgreSQL is a server of the benchmark's own, with its default settings. */
export async function openBenchDatabase(name: DatabaseName): Promise<BenchDatabase> {
  return name === 'sqlite' ? sqlite() : postgres();
}

const COUNTS = [
  'select count(*) from chargeback_facts',
  'select count(*) from usage_rows',
] as const satisfies readonly string[];

function sqlite(): BenchDatabase {
  return {
    name: 'sqlite',
    async makePair(folder) {
      const file = path.join(folder, 'bench.db');
      return {
        engine: `sqlite:///${file}`,
        floor: `sqlite:///${path.join(folder, 'floor.db')}`,
        async countRows() {
          const connection = new Connection(file, { readonly: true });
          const [factRows, usageRows] = COUNTS.map((sql) => connection.prepare(sql).pluck().get() as number);
          connection.close();
          return { factRows: factRows!, usageRows: usageRows! };
        },
        async [Symbol.asyncDispose]() {},
      };
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function postgres(): Promise<BenchDatabase> {
  const server = await startRealPostgres();
  let made = 0;
  const ask = async (database: string, ...statements: string[]): Promise<number[]> => {
    const client = new Client({ connectionString: server.url(database) });
    await client.connect();
    const answers: number[] = [];
    for (const statement of statements) {
      const { rows } = await client.query<{ count?: string }>(statement);
      answers.push(Number(rows[0]?.count ?? 0));
    }
    await client.end();
    return answers;
  };
  return {
    name: 'postgres',
    async makePair() {
      made += 1;
      const [engine, floor] = [`engine_${made}`, `floor_${made}`];
      await ask('postgres', `create database ${engine}`, `create database ${floor}`);
      return {
        engine: server.url(engine),
        floor: server.url(floor),
        async countRows() {
          const [factRows, usageRows] = await ask(engine, ...COUNTS);
          return { factRows: factRows!, usageRows: usageRows! };
        },
        async [Symbol.asyncDispose]() {
          // Checkpointed here, lest the next round pays for it.
          await ask('postgres', `drop database ${engine}`, `drop database ${floor}`, 'checkpoint');
        },
      };
    },
    [Symbol.asyncDispose]: () => server.dispose(),
  };
}
