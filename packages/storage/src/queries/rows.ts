import {
  type Aggregation,
  type AllocationDetail,
  type CostType,
  MILLISECONDS_PER_DAY,
  startOfDay,
} from '@chargeback/plugin-api';
import type { Kysely, Selectable } from 'kysely';
import { type DayNumber, type DayRange, monthStartOfDay } from '../convert.ts';
import type { RankedGroup } from '../row-grouping.ts';
import type { DimensionGroupTable, StorageSchema } from '../schema.ts';

export const ROWS_PER_CHUNK = 1000;

/** Days that are read and added up together. */
export interface Period extends DayRange {
  /** Start of the aggregation period, in milliseconds. */
  readonly timestamp: number;
}

/** @param days days with rows, ascending. */
export function periodsOf(
  days: readonly { readonly day: DayNumber }[],
  aggregation: Aggregation | null,
): Period[] {
  const periods = new Map<number, Period>();
  for (const { day } of days) {
    const timestamp =
      aggregation === 'monthly' ? startOfDay(monthStartOfDay(day)).getTime() : day * MILLISECONDS_PER_DAY;
    periods.set(timestamp, { timestamp, first: periods.get(timestamp)?.first ?? day, end: day + 1 });
  }
  return [...periods.values()];
}

/** Groups are far fewer than rows, and never deleted. */
export function groupsQuery(build: Kysely<StorageSchema>) {
  return build.selectFrom('dimension_groups').selectAll();
}

export function groupsById(rows: readonly Selectable<DimensionGroupTable>[]): Map<number, RankedGroup> {
  return new Map(
    rows.map((row) => [
      row.group_id,
      {
        resourceId: row.resource_id,
        environmentId: row.environment_id,
        productCategory: row.product_category,
        productType: row.product_type,
        costType: row.cost_type as CostType,
        allocationMethod: row.allocation_method,
        allocationDetail: row.allocation_detail as AllocationDetail | null,
        currency: row.currency,
        before: 0,
        after: 0,
        afterMerged: 0,
      },
    ]),
  );
}
