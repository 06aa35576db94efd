import { compareKeys } from '@chargeback/money';
import type { Window } from '@chargeback/plugin-api';
import { type CompiledQuery, type Kysely, sql } from 'kysely';
import { dayRangeOf, isoDateOfDay, joinHalves } from '../convert.ts';
import type { StorageSchema } from '../schema.ts';
import type { RowDimension, RowTotal } from '../store.ts';
import { asText, type HalvesOf } from './sums.ts';

type StoredDimension = Exclude<RowDimension, 'date' | 'month'>;

export interface TotalRow extends Readonly<Partial<Record<StoredDimension, string | null>>> {
  readonly day?: number;
  readonly currency: string;
  readonly high: string;
  readonly low: string;
  /** Text where the database's sums have no bound. */
  readonly row_count: number | string;
}

/** The rows of a window added up; put together by {@link totalsOf}. */
export function totalsQuery(
  { build, halvesOf }: { readonly build: Kysely<StorageSchema>; readonly halvesOf: HalvesOf },
  window: Window,
  dimensions: readonly RowDimension[],
): CompiledQuery<TotalRow> {
  const { first, end } = dayRangeOf(window);
  const byDay = dimensions.includes('date') || dimensions.includes('month');
  const names = [...new Set(dimensions)].filter(
    (name): name is StoredDimension => name !== 'date' && name !== 'month',
  );
  const columns = [...names, 'currency', ...(byDay ? ['day'] : [])].map((name) => sql.ref(name));
  const dayColumn = byDay ? sql`, day` : sql``;
  const amount = halvesOf(sql`amount`);
  // Rows are added by dimension id first: texts are then compared once per dimension, not once per row.
  const query = sql<TotalRow>`
    select ${sql.join(columns)},
      ${asText(sql`sum(high)`)} as high, ${asText(sql`sum(low)`)} as low, sum(row_count) as row_count
    from (
      select dimension_id${dayColumn}, ${amount.high} as high, ${amount.low} as low, count(*) as row_count
      from chargeback_facts where day >= ${first} and day < ${end} group by dimension_id${dayColumn}
    ) as added
    join chargeback_dimensions on chargeback_dimensions.dimension_id = added.dimension_id
    group by ${sql.join(columns)}`;
  return query.compile(build);
}

/** Largest first. */
export function totalsOf(rows: readonly TotalRow[], dimensions: readonly RowDimension[]): RowTotal[] {
  const totals = new Map<string, { -readonly [Key in keyof RowTotal]: RowTotal[Key] }>();
  for (const row of rows) {
    const key = dimensions.map((dimension) => valueOf(row, dimension));
    const group = JSON.stringify([...key, row.currency]);
    const total = totals.get(group) ?? { key, currency: row.currency, units: 0n, rowCount: 0 };
    total.units += joinHalves(row.high, row.low);
    total.rowCount += Number(row.row_count);
    totals.set(group, total);
  }
  return [...totals.values()].toSorted(largestFirst);
}

function valueOf(row: TotalRow, dimension: RowDimension): string | null {
  if (dimension === 'date') return isoDateOfDay(row.day!);
  if (dimension === 'month') return isoDateOfDay(row.day!).slice(0, 7);
  return row[dimension] ?? null;
}

function largestFirst(left: RowTotal, right: RowTotal): number {
  if (left.units !== right.units) return left.units > right.units ? -1 : 1;
  return (
    compareKeys(JSON.stringify(left.key), JSON.stringify(right.key)) ||
    compareKeys(left.currency, right.currency)
  );
}
