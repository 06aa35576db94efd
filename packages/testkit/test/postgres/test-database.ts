import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import './global-setup.ts';

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

export async function createTestDatabase(serverUrl = inject('postgres')): Promise<TestDatabase> {
  if (serverUrl === null) throw new Error('there is no PostgreSQL server in this run');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await administer(serverUrl, `create database ${name}`);
  return {
    url: serverUrl.replace(/\/[^/]*$/, `/${name}`),
    drop: () => administer(serverUrl, `drop database if exists ${name} with (force)`),
  };
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
