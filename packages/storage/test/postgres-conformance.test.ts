import { describe, it } from 'vitest';
import { testStorage } from '../../testkit/src/index.ts';
import { postgresRuns } from '../../testkit/test/postgres/test-database.ts';
import { makePostgresStore } from './temporary-store.ts';

const runner = { describe: describe.runIf(postgresRuns()), it };

testStorage(runner, makePostgresStore);
