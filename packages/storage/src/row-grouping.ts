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

/** Sums of one period, in columns: entry i of each array belongs together. */
export interface PeriodSums {
  readonly timestamps: readonly number[];
  readonly groupIds: readonly number[];
  readonly nameIds: readonly number[];
  readonly units: readonly bigint[];
}

export interface GroupingInput {
  readonly ecosystem: string;
  readonly tenantId: string;
  readonly sums: PeriodSums;
  readonly groupOf: (groupId: number) => DimensionGroup;
  readonly nameOf: (nameId: number) => string;
  /** Adds rows that differ only in method or detail; where those differ they are null. */
  readonly merge: boolean;
}

type Column = keyof DimensionGroup;

const BEFORE_IDENTITY: readonly Column[] = ['resourceId', 'environmentId', 'productCategory', 'productType'];
const AFTER_IDENTITY: readonly Column[] = ['costType', 'allocationMethod', 'allocationDetail', 'currency'];
const AFTER_IDENTITY_MERGED: readonly Column[] = ['costType', 'currency'];

/**
 * Yields the rows of one period in chunks, ordered by timestamp, resource, environment, category, type,
 * identity, cost type, method and detail: in code-unit order, nulls first. Texts are ranked once, rows are
 * then ordered by numbers.
 */
export function* groupRows(input: GroupingInput, chunkSize: number): Generator<ChargebackRow[]> {
  const { places, subplaces } = placesOf(input);
  const order = Uint32Array.from(places, (_, index) => index).toSorted(
    (left, right) => places[left]! - places[right]! || subplaces[left]! - subplaces[right]!,
  );
  let chunk: ChargebackRow[] = [];
  for (let position = 0; position < order.length;) {
    const first = order[position]!;
    let row = rowOf(input, first);
    position += 1;
    while (position < order.length) {
      const next = order[position]!;
      if (places[next] !== places[first] || subplaces[next] !== subplaces[first]) break;
      row = added(row, rowOf(input, next));
      position += 1;
    }
    chunk.push(row);
    if (chunk.length === chunkSize) {
      yield chunk;
      chunk = [];
    }
  }
  if (chunk.length > 0) yield chunk;
}

/** Two numbers per sum that order it; sums of one row have both in common. */
function placesOf({ sums, groupOf, nameOf, merge }: GroupingInput) {
  const groups = [...new Set(sums.groupIds)].map((id) => ({ id, group: groupOf(id) }));
  const before = ranksOf(groups, BEFORE_IDENTITY);
  const after = ranksOf(groups, merge ? AFTER_IDENTITY_MERGED : AFTER_IDENTITY);
  const names = [...new Set(sums.nameIds)].map((id) => ({ id, name: nameOf(id) }));
  names.sort((left, right) => compareKeys(left.name, right.name));
  const nameRanks = new Map(names.map(({ id }, rank) => [id, rank]));
  const instants = [...new Set(sums.timestamps)].toSorted((left, right) => left - right);
  const instantRanks = new Map(instants.map((instant, rank) => [instant, rank]));
  const count = sums.units.length;
  const places = new Float64Array(count);
  const subplaces = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    const groupId = sums.groupIds[index]!;
    places[index] = instantRanks.get(sums.timestamps[index]!)! * groups.length + before.get(groupId)!;
    subplaces[index] = nameRanks.get(sums.nameIds[index]!)! * groups.length + after.get(groupId)!;
  }
  return { places, subplaces };
}

/** Rank of each group by some of its columns; groups that agree in them share a rank. */
function ranksOf(
  groups: readonly { readonly id: number; readonly group: DimensionGroup }[],
  columns: readonly Column[],
): Map<number, number> {
  const sorted = groups.toSorted((left, right) => compareColumns(left.group, right.group, columns));
  const ranks = new Map<number, number>();
  let rank = 0;
  for (const [index, { id, group }] of sorted.entries()) {
    if (index > 0 && compareColumns(sorted[index - 1]!.group, group, columns) !== 0) rank += 1;
    ranks.set(id, rank);
  }
  return ranks;
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

function rowOf({ ecosystem, tenantId, sums, groupOf, nameOf }: GroupingInput, index: number): ChargebackRow {
  const group = groupOf(sums.groupIds[index]!);
  return {
    ecosystem,
    tenantId,
    timestamp: new Date(sums.timestamps[index]!),
    resourceId: group.resourceId,
    environmentId: group.environmentId,
    productCategory: group.productCategory,
    productType: group.productType,
    identityId: nameOf(sums.nameIds[index]!),
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
