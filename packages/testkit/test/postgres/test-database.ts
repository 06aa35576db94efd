import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type { ServerUrl } from './global-setup.ts';

/** An empty database of one's own on the run's server. */
export interface TestDatabase {
  readonly url: string;
  /** Removes it, whoever is still connected. */
  drop(): Promise<void>;
}

/** False when the run has no server: tests that need it are then skipped. */
export function postgresRuns(): boolean {
  return inject('postgres') !== null;
}

export async function createTestDatabase(serverUrl: ServerUrl = inject('postgres')): Promise<TestDatabase> {
  if (serverUrl === null) throw new Error('there is no PostgreSQL server in this run');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await administer(serverUrl, `create database ${name}`);
  return {
    url: serverUrl.replace(/\/[^/]*$/, `/${name}`),
    drop: () => administer(serverUrl, `drop database if exists ${name} with (force)`),
  };
}

let databaseOfFile: Promise<TestDatabase> | undefined;
let schemas = 0;

/**
 * An empty schema of one's own, in a database that one test file has to itself: cheaper than a database. It
 * goes with the server.
 */
export async function createTestSchema(): Promise<TestDatabase> {
  databaseOfFile ??= createTestDatabase();
  const { url } = await databaseOfFile;
  schemas += 1;
  return { url: `${url}?schema=test_${schemas}&pool_size=2`, drop: () => Promise.resolve() };
}

/** Runs statements as the superuser. */
export async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
