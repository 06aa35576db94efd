import { UNALLOCATED, type Window } from '@chargeback/plugin-api';
import { type CompiledQuery, type Kysely, type RawBuilder, sql } from 'kysely';
import { dayRangeOf, joinHalves } from '../convert.ts';
import { type ReconciliationPart, reconciliationRows } from '../reconciliation.ts';
import type { StorageSchema } from '../schema.ts';
import type { DateStateName, ReconciliationGrouping, ReconciliationRow } from '../store.ts';
import { asText, type HalvesOf } from './sums.ts';

/** The three queries that reconciliation needs; put together by {@link reconciled}. */
export interface ReconciliationQueries<Query> {
  readonly bill: Query;
  readonly calculation: Query;
  readonly facts: Query;
}

interface Dialect {
  readonly build: Kysely<StorageSchema>;
  readonly halvesOf: HalvesOf;
}

export function reconciliationQueries(
  dialect: Dialect,
  window: Window,
  grouping: ReconciliationGrouping,
): ReconciliationQueries<CompiledQuery<GroupRow>> {
  const byLine = grouping === 'line';
  const query = (part: Omit<Grouping, 'byLine'>) => groupQuery(dialect, window, { ...part, byLine });
  return { bill: query(BILL), calculation: query(CALCULATION), facts: query(FACTS) };
}

export function reconciled(
  rows: ReconciliationQueries<readonly GroupRow[]>,
  grouping: ReconciliationGrouping,
): ReconciliationRow[] {
  const parts: ReconciliationPart[] = [
    ...rows.bill.map((row) => ({
      ...partOf(row),
      billed: firstOf(row),
      heldBilled: secondOf(row),
      heldLines: Number(row.counted),
    })),
    ...rows.calculation.map((row) => ({ ...partOf(row), accounted: firstOf(row), retained: secondOf(row) })),
    ...rows.facts.map((row) => ({ ...partOf(row), allocated: firstOf(row), unallocated: secondOf(row) })),
  ];
  return reconciliationRows(parts, grouping);
}

export interface GroupRow {
  readonly day: number;
  readonly line_id: string | null;
  readonly currency: string;
  readonly state: string;
  readonly counted: number;
  readonly first_high: string;
  readonly first_low: string;
  readonly second_high: string;
  readonly second_low: string;
}

interface Grouping {
  /** Has the columns `day` and `line_key` under the name `source`. */
  readonly from: RawBuilder<unknown>;
  readonly currency: RawBuilder<unknown>;
  readonly first: RawBuilder<unknown>;
  readonly second: RawBuilder<unknown>;
  /** 1 for each row to count. */
  readonly counted?: RawBuilder<unknown>;
  readonly byLine: boolean;
}

const BILL: Omit<Grouping, 'byLine'> = {
  from: sql`billing_lines as source
    left join calculated_lines as calculated on calculated.line_key = source.line_key`,
  currency: sql`source.currency`,
  first: sql`source.total_units`,
  second: sql`case when calculated.state = 'held' then source.total_units else 0 end`,
  counted: sql`case when calculated.state = 'held' then 1 else 0 end`,
};

const CALCULATION: Omit<Grouping, 'byLine'> = {
  from: sql`calculated_lines as source`,
  currency: sql`source.currency`,
  first: sql`case when source.state = 'allocated' then source.billed_units else 0 end`,
  second: sql`source.retained_units`,
};

const FACTS: Omit<Grouping, 'byLine'> = {
  from: sql`chargeback_facts as source
    join dimensions on dimensions.dimension_id = source.dimension_id
    join dimension_groups on dimension_groups.group_id = dimensions.group_id`,
  currency: sql`dimension_groups.currency`,
  first: sql`source.amount`,
  second: sql`case when dimensions.name_id = (select name_id from names where name = ${UNALLOCATED})
    then source.amount else 0 end`,
};

function groupQuery(
  { build, halvesOf }: Dialect,
  window: Window,
  grouping: Grouping,
): CompiledQuery<GroupRow> {
  const { first, end } = dayRangeOf(window);
  const { from, currency, byLine } = grouping;
  const lineKey = byLine ? sql`source.line_key` : sql`cast(null as bigint)`;
  const [firstHalves, secondHalves] = [halvesOf(grouping.first), halvesOf(grouping.second)];
  const query = sql<GroupRow>`
    select grouped.*, line_keys.line_id, date_states.state from (
      select source.day as day, ${lineKey} as line_key, ${currency} as currency,
        ${asText(firstHalves.high)} as first_high, ${asText(firstHalves.low)} as first_low,
        sum(${grouping.counted ?? sql`0`}) as counted,
        ${asText(secondHalves.high)} as second_high, ${asText(secondHalves.low)} as second_low
      from ${from}
      where source.day >= ${first} and source.day < ${end}
      group by source.day, ${byLine ? sql`source.line_key, ` : sql``}${currency}
    ) as grouped
    join date_states on date_states.day = grouped.day
    left join line_keys on line_keys.line_key = grouped.line_key`;
  return query.compile(build);
}

function partOf(row: GroupRow) {
  return {
    day: row.day,
    lineId: row.line_id,
    currency: row.currency,
    state: row.state as DateStateName,
  };
}

function firstOf(row: GroupRow): bigint {
  return joinHalves(row.first_high, row.first_low);
}

function secondOf(row: GroupRow): bigint {
  return joinHalves(row.second_high, row.second_low);
}
