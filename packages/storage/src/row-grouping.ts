import type { AllocationDetail, ChargebackRow, CostType } from '@chargeback/plugin-api';

/** Everything that tells one row of a day from another, as stored. */
export interface DimensionColumns {
  readonly dimensionId: number;
  readonly resourceId: string | null;
  readonly environmentId: string | null;
  readonly productCategory: string;
  readonly productType: string;
  readonly identityId: string;
  readonly costType: CostType;
  readonly allocationMethod: string | null;
  readonly allocationDetail: AllocationDetail | null;
  readonly currency: string;
}

/** Sums by instant and dimension, in columns: entry i of each array belongs together. */
export interface DimensionSums {
  readonly timestamps: readonly number[];
  readonly dimensionIds: readonly number[];
  readonly units: readonly bigint[];
}

export interface RowOwner {
  readonly ecosystem: string;
  readonly tenantId: string;
}

const LEADING = [
  'resourceId',
  'environmentId',
  'productCategory',
  'productType',
  'identityId',
  'costType',
] as const;
const ALLOCATION = ['allocationMethod', 'allocationDetail'] as const;
const SPLIT_ORDER = [...LEADING, ...ALLOCATION, 'currency'] as const;
const MERGED_ORDER = [...LEADING, 'currency', ...ALLOCATION] as const;

type Column = (typeof SPLIT_ORDER)[number];

/**
 * Yields the rows of one period in chunks, ordered by timestamp and the columns in code-unit order, nulls
 * first. With `merge`, rows that differ only in method or detail are added; where those differ they are null.
 */
export function* groupRows(
  owner: RowOwner,
  input: {
    readonly dimensions: readonly DimensionColumns[];
    readonly sums: DimensionSums;
    readonly merge: boolean;
  },
  chunkSize: number,
): Generator<ChargebackRow[]> {
  const { sums } = input;
  const { slots, slotOf } = placeDimensions(input.dimensions, input.merge);
  const instants = [...new Set(sums.timestamps)].toSorted((left, right) => left - right);
  const instantOf = new Map(instants.map((instant, index) => [instant, index]));
  const places = Float64Array.from(
    sums.timestamps,
    (timestamp, index) => instantOf.get(timestamp)! * slots.length + slotOf.get(sums.dimensionIds[index]!)!,
  );
  const order = Uint32Array.from(places, (_, index) => index).toSorted((a, b) => places[a]! - places[b]!);
  let chunk: ChargebackRow[] = [];
  for (let position = 0; position < order.length;) {
    const place = places[order[position]!]!;
    const timestamp = sums.timestamps[order[position]!]!;
    let units = 0n;
    while (position < order.length && places[order[position]!] === place) {
      units += sums.units[order[position]!]!;
      position += 1;
    }
    chunk.push(rowOf(owner, slots[place % slots.length]!, { timestamp, units }));
    if (chunk.length === chunkSize) {
      yield chunk;
      chunk = [];
    }
  }
  if (chunk.length > 0) yield chunk;
}

/** Sorts the dimensions; each has its own slot, or with `merge` those that differ in allocation share one. */
function placeDimensions(dimensions: readonly DimensionColumns[], merge: boolean) {
  const order = merge ? MERGED_ORDER : SPLIT_ORDER;
  const sorted = dimensions.toSorted((left, right) => compareColumns(left, right, order));
  const slots: DimensionColumns[] = [];
  const slotOf = new Map<number, number>();
  for (const dimension of sorted) {
    const last = slots.at(-1);
    if (merge && last && compareColumns(last, dimension, [...LEADING, 'currency']) === 0) {
      slots[slots.length - 1] = mixed(last, dimension);
    } else {
      slots.push(dimension);
    }
    slotOf.set(dimension.dimensionId, slots.length - 1);
  }
  return { slots, slotOf };
}

function mixed(left: DimensionColumns, right: DimensionColumns): DimensionColumns {
  return {
    ...left,
    allocationMethod: left.allocationMethod === right.allocationMethod ? left.allocationMethod : null,
    allocationDetail: left.allocationDetail === right.allocationDetail ? left.allocationDetail : null,
  };
}

function compareColumns(left: DimensionColumns, right: DimensionColumns, columns: readonly Column[]): number {
  for (const column of columns) {
    const [a, b] = [left[column], right[column]];
    if (a === b) continue;
    if (a === null) return -1;
    if (b === null) return 1;
    return a < b ? -1 : 1;
  }
  return 0;
}

function rowOf(
  owner: RowOwner,
  dimension: DimensionColumns,
  { timestamp, units }: { timestamp: number; units: bigint },
): ChargebackRow {
  return {
    ecosystem: owner.ecosystem,
    tenantId: owner.tenantId,
    timestamp: new Date(timestamp),
    resourceId: dimension.resourceId,
    environmentId: dimension.environmentId,
    productCategory: dimension.productCategory,
    productType: dimension.productType,
    identityId: dimension.identityId,
    costType: dimension.costType,
    amount: { units, currency: dimension.currency },
    allocationMethod: dimension.allocationMethod,
    allocationDetail: dimension.allocationDetail,
  };
}
