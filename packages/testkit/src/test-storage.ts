import { testGatheredDays } from './storage-suite/gathered-days.ts';
import { testInventory } from './storage-suite/inventory.ts';
import { testCoordination } from './storage-suite/coordination.ts';
import { testJournal } from './storage-suite/journal.ts';
import { testLeases } from './storage-suite/leases.ts';
import { testReconciliation } from './storage-suite/reconciliation.ts';
import { testResults } from './storage-suite/results.ts';
import { testRows } from './storage-suite/rows.ts';
import { testSightings } from './storage-suite/sightings.ts';
import type { MakeStore, TestRunner } from './storage-suite/store-test.ts';
import { testTotals } from './storage-suite/totals.ts';

/**
 * The conformance suite of a store: every promise of the `Store` interface, checked through it alone. Works
 * with vitest and with `node:test`.
 * @param makeStore makes an empty store in a new database for each test.
 */
export function testStorage(runner: TestRunner, makeStore: MakeStore): void {
  testInventory(runner, makeStore);
  testSightings(runner, makeStore);
  testGatheredDays(runner, makeStore);
  testResults(runner, makeStore);
  testRows(runner, makeStore);
  testTotals(runner, makeStore);
  testReconciliation(runner, makeStore);
  testJournal(runner, makeStore);
  testLeases(runner, makeStore);
  testCoordination(runner, makeStore);
}
