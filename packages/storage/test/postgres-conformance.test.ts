import { describe, it } from 'vitest';
import { testStorage } from '../../testkit/src/index.ts';
import { postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { makePostgresStore } from './temporary-store.ts';

describe.skipIf(!postgresRuns())('in PostgreSQL', () => {
  testStorage({ describe, it }, makePostgresStore);
});
