import type { Window } from '@chargeback/plugin-api';
import { totalsOf, totalsQuery } from '../queries/totals.ts';
import type { RowDimension, RowTotal } from '../store.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { halvesOf } from './sums.ts';

export function loadTotals(
  database: SqliteDatabase,
  window: Window,
  dimensions: readonly RowDimension[],
): RowTotal[] {
  const query = totalsQuery({ build: database.build, halvesOf }, window, dimensions);
  return totalsOf(
    database.read(() => database.all(query)),
    dimensions,
  );
}
