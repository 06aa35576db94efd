import type { Window } from '@chargeback/plugin-api';
import { type CompiledQuery, type RawBuilder, sql } from 'kysely';
import { dayRangeOf } from '../convert.ts';
import { type TotalRow, totalsOf, totalsQuery } from '../queries/totals.ts';
import type { RowDimension, RowTotal } from '../store.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { halvesOf } from './sums.ts';

type Build = PostgresDatabase['build'];

export async function loadTotals(
  database: PostgresDatabase,
  window: Window,
  dimensions: readonly RowDimension[],
): Promise<RowTotal[]> {
  return totalsOf(await database.all(totalsQueryFor(database.build, window, dimensions)), dimensions);
}

/** By identity, or without it, from the totals of the days; by both from the rows. */
export function totalsQueryFor(
  build: Build,
  window: Window,
  dimensions: readonly RowDimension[],
): CompiledQuery<TotalRow> {
  const columns = new Set<string>(dimensions);
  const byDay = columns.delete('date') || columns.has('month');
  columns.delete('month');
  const source: Source = { window, columns, byDay };
  if (!columns.has('identity_id')) {
    return dayTotals(build, source, sql`group_totals join dimension_groups using (group_id)`);
  }
  if (columns.size > 1) return totalsQuery({ build, halvesOf }, window, dimensions);
  return dayTotals(build, source, sql`identity_totals join names using (name_id)`);
}

interface Source {
  readonly window: Window;
  readonly columns: ReadonlySet<string>;
  readonly byDay: boolean;
}

function dayTotals(
  build: Build,
  { window, columns, byDay }: Source,
  from: RawBuilder<unknown>,
): CompiledQuery<TotalRow> {
  const { first, end } = dayRangeOf(window);
  const names = [...columns, 'currency', ...(byDay ? ['day'] : [])].map((name) =>
    sql.ref(name === 'identity_id' ? 'name' : name),
  );
  const shown = columns.has('identity_id') ? sql`, name as identity_id` : sql``;
  const query = sql<TotalRow>`
    select ${sql.join(names)}${shown}, '0' as high, cast(sum(amount) as text) as low,
      sum(row_count) as row_count
    from ${from} where day >= ${first} and day < ${end} group by ${sql.join(names)}`;
  return query.compile(build);
}
