import type { Window } from '@chargeback/plugin-api';
import { reconciled, reconciliationQueries } from '../queries/reconcile.ts';
import type { ReconciliationGrouping, ReconciliationRow } from '../store.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { halvesOf } from './sums.ts';

export async function reconcile(
  database: PostgresDatabase,
  window: Window,
  grouping: ReconciliationGrouping,
): Promise<ReconciliationRow[]> {
  const queries = reconciliationQueries({ build: database.build, halvesOf }, window, grouping);
  const rows = await database.read(async (session) => ({
    bill: await session.all(queries.bill),
    calculation: await session.all(queries.calculation),
    facts: await session.all(queries.facts),
  }));
  return reconciled(rows, grouping);
}
