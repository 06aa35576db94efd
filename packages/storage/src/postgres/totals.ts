import type { Window } from '@chargeback/plugin-api';
import { totalsOf, totalsQuery } from '../queries/totals.ts';
import type { RowDimension, RowTotal } from '../store.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { halvesOf } from './sums.ts';

export async function loadTotals(
  database: PostgresDatabase,
  window: Window,
  dimensions: readonly RowDimension[],
): Promise<RowTotal[]> {
  const query = totalsQuery({ build: database.build, halvesOf }, window, dimensions);
  return totalsOf(await database.all(query), dimensions);
}
