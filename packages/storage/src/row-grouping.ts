import { compareKeys } from '@chargeback/money';
import type { AllocationDetail, ChargebackRow, CostType } from '@chargeback/plugin-api';

/** Everything that tells one row of an instant from another, except the identity. */
export interface DimensionGroup {
  readonly resourceId: string | null;
  readonly environmentId: string | null;
  readonly productCategory: string;
  readonly productType: string;
  readonly costType: CostType;
  readonly allocationMethod: string;
  readonly allocationDetail: AllocationDetail | null;
  readonly currency: string;
}

/** A group with its place among all that are known, so that rows are ordered by numbers. */
export interface RankedGroup extends DimensionGroup {
  /** By the columns before the identity. Groups that agree in them share a rank, here and below. */
  before: number;
  /** By the columns after it. */
  after: number;
  /** By those of them that tell rows apart which are merged. */
  afterMerged: number;
}

/** One identity within a group. */
export interface Dimension {
  readonly group: RankedGroup;
  readonly identityId: string;
}

/** Sums of one period, in columns: entry i of each array belongs together. */
export interface PeriodSums {
  readonly timestamps: readonly number[];
  readonly dimensions: readonly Dimension[];
  readonly units: readonly bigint[];
}

export interface GroupingInput {
  readonly ecosystem: string;
  readonly tenantId: string;
  readonly sums: PeriodSums;
  /** Adds rows that differ only in method or detail; where those differ they are null. */
  readonly merge: boolean;
}

type Column = keyof DimensionGroup;

const BEFORE_IDENTITY: readonly Column[] = ['resourceId', 'environmentId', 'productCategory', 'productType'];
const AFTER_IDENTITY: readonly Column[] = ['costType', 'allocationMethod', 'allocationDetail', 'currency'];
const AFTER_IDENTITY_MERGED: readonly Column[] = ['costType', 'currency'];

/**
 * Yields the rows of one period in chunks, ordered by timestamp, resource, environment, category, type,
 * identity, cost type, method and detail: in code-unit order, nulls first.
 */
export function* groupRows(input: GroupingInput, chunkSize: number): Generator<ChargebackRow[]> {
  const places = placesOf(input);
  const order = orderOf(input, places);
  for (let position = 0; position < order.length;) {
    const chunk: ChargebackRow[] = [];
    position = fillChunk(chunk, { input, places, order, position, chunkSize });
    yield chunk;
  }
}

/** Ranks groups among each other: those of the sums of a period must have been ranked together. */
export function rankGroups(groups: readonly RankedGroup[]): void {
  eachRank(groups, BEFORE_IDENTITY, (group, rank) => (group.before = rank));
  eachRank(groups, AFTER_IDENTITY, (group, rank) => (group.after = rank));
  eachRank(groups, AFTER_IDENTITY_MERGED, (group, rank) => (group.afterMerged = rank));
}

function eachRank(
  groups: readonly RankedGroup[],
  columns: readonly Column[],
  give: (group: RankedGroup, rank: number) => void,
): void {
  const sorted = groups.toSorted((left, right) => compareColumns(left, right, columns));
  let rank = 0;
  for (const [index, group] of sorted.entries()) {
    if (index > 0 && compareColumns(sorted[index - 1]!, group, columns) !== 0) rank += 1;
    give(group, rank);
  }
}

/** Ranks of the group of each sum. */
interface Places {
  readonly before: Int32Array;
  readonly after: Int32Array;
}

function placesOf({ sums: { dimensions }, merge }: GroupingInput): Places {
  const before = new Int32Array(dimensions.length);
  const after = new Int32Array(dimensions.length);
  for (let index = 0; index < dimensions.length; index += 1) {
    const { group } = dimensions[index]!;
    before[index] = group.before;
    after[index] = merge ? group.afterMerged : group.after;
  }
  return { before, after };
}

/** Sums mostly come in runs that are in order, which sorting an array makes use of, unlike that of a typed one. */
function orderOf({ sums: { timestamps, dimensions } }: GroupingInput, { before, after }: Places): number[] {
  return [...timestamps.keys()].toSorted(
    (left, right) =>
      timestamps[left]! - timestamps[right]! ||
      before[left]! - before[right]! ||
      compareKeys(dimensions[left]!.identityId, dimensions[right]!.identityId) ||
      after[left]! - after[right]!,
  );
}

interface ChunkInput {
  readonly input: GroupingInput;
  readonly places: Places;
  readonly order: readonly number[];
  readonly position: number;
  readonly chunkSize: number;
}

/** Puts the rows from a position on into a chunk; returns the position after them. */
function fillChunk(
  chunk: ChargebackRow[],
  { input, places, order, position, chunkSize }: ChunkInput,
): number {
  const { timestamps, dimensions } = input.sums;
  const { before, after } = places;
  let timestamp = new Date(timestamps[order[position]!]!);
  let next = position;
  while (next < order.length && chunk.length < chunkSize) {
    const first = order[next]!;
    if (timestamp.getTime() !== timestamps[first]!) timestamp = new Date(timestamps[first]!);
    let row = rowOf(input, first, timestamp);
    for (next += 1; next < order.length; next += 1) {
      const other = order[next]!;
      const same =
        before[other] === before[first] &&
        after[other] === after[first] &&
        dimensions[other]!.identityId === dimensions[first]!.identityId &&
        timestamps[other] === timestamps[first];
      if (!same) break;
      row = added(row, rowOf(input, other, timestamp));
    }
    chunk.push(row);
  }
  return next;
}

function compareColumns(left: DimensionGroup, right: DimensionGroup, columns: readonly Column[]): number {
  for (const column of columns) {
    const [a, b] = [left[column], right[column]];
    if (a === b) continue;
    if (a === null) return -1;
    if (b === null) return 1;
    return a < b ? -1 : 1;
  }
  return 0;
}

function rowOf({ ecosystem, tenantId, sums }: GroupingInput, index: number, timestamp: Date): ChargebackRow {
  const { group, identityId } = sums.dimensions[index]!;
  return {
    ecosystem,
    tenantId,
    timestamp,
    resourceId: group.resourceId,
    environmentId: group.environmentId,
    productCategory: group.productCategory,
    productType: group.productType,
    identityId,
    costType: group.costType,
    amount: { units: sums.units[index]!, currency: group.currency },
    allocationMethod: group.allocationMethod,
    allocationDetail: group.allocationDetail,
  };
}

function added(left: ChargebackRow, right: ChargebackRow): ChargebackRow {
  const { allocationMethod, allocationDetail } = left;
  return {
    ...left,
    amount: { units: left.amount.units + right.amount.units, currency: left.amount.currency },
    allocationMethod: allocationMethod === right.allocationMethod ? allocationMethod : null,
    allocationDetail: allocationDetail === right.allocationDetail ? allocationDetail : null,
  };
}
