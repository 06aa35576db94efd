import type { Window } from '@chargeback/plugin-api';
import { reconciled, reconciliationQueries } from '../queries/reconcile.ts';
import type { ReconciliationGrouping, ReconciliationRow } from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { halvesOf } from './sums.ts';

export function reconcile(
  database: SqliteDatabase,
  window: Window,
  grouping: ReconciliationGrouping,
): ReconciliationRow[] {
  const queries = reconciliationQueries({ build: database.build, halvesOf }, window, grouping);
  const rows = database.read(() => ({
    bill: database.all(queries.bill),
    calculation: database.all(queries.calculation),
    facts: database.all(queries.facts),
  }));
  return reconciled(rows, grouping);
}
