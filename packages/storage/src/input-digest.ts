import { createHash } from 'node:crypto';
import { compareKeys } from '@chargeback/money';
import type { BillingLineItem, Json } from '@chargeback/plugin-api';
import type { GatheredUsage } from './store.ts';

/** Digest of a bill, whatever order its lines arrived in. */
export function linesDigest(lines: readonly BillingLineItem[]): string {
  const hash = createHash('sha256');
  const sorted = lines.toSorted((left, right) => compareKeys(left.lineId, right.lineId));
  for (const line of sorted) hash.update(`${JSON.stringify(lineFields(line))}\n`);
  return hash.digest('hex');
}

function lineFields(line: BillingLineItem): unknown[] {
  return [
    line.lineId,
    line.timestamp.getTime(),
    line.granularity,
    line.resourceId,
    line.environmentId,
    line.productCategory,
    line.productType,
    line.quantity.toFixed(),
    line.unitPrice.toFixed(),
    line.totalCost.units.toString(),
    line.totalCost.currency,
    line.coverage === null ? null : [line.coverage.samplesSeen, line.coverage.samplesExpected],
    line.definition ?? null,
    withSortedKeys(line.metadata),
  ];
}

function withSortedKeys(value: Json): Json {
  if (typeof value !== 'object' || value === null || isSorted(value)) return value;
  if (Array.isArray(value)) return value.map((inner: Json) => withSortedKeys(inner));
  const entries = Object.entries(value) as [string, Json][];
  return Object.fromEntries(
    entries
      .toSorted(([left], [right]) => compareKeys(left, right))
      .map(([key, inner]) => [key, withSortedKeys(inner)]),
  );
}

/** Most metadata is: a copy of it would read the same. */
function isSorted(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every((inner: Json) => isSorted(inner));
  const object = value as { readonly [key: string]: Json };
  let before: string | undefined;
  for (const key of Object.keys(object)) {
    if (before !== undefined && compareKeys(before, key) >= 0) return false;
    if (!isSorted(object[key]!)) return false;
    before = key;
  }
  return true;
}

/** Digest of one query's usage on one day, whatever order its entries arrived in. */
export function usageDigest({ queryKey, totals, coverage, outcome, definition }: GatheredUsage): string {
  const { resourceIds, identityIds, values } = totals;
  const hash = createHash('sha256');
  const { samplesSeen, samplesExpected } = coverage;
  const head = [queryKey, definition ?? '', outcome, samplesSeen, samplesExpected, resourceIds !== null];
  let text = `${JSON.stringify(head)}\n`;
  for (const index of entryOrder(resourceIds, identityIds, values)) {
    const resourceId = resourceIds?.[index] ?? '';
    const identityId = identityIds[index]!;
    text += `${resourceId.length}:${resourceId}${identityId.length}:${identityId}${values[index]!}\n`;
    if (text.length > 65_536) {
      hash.update(text);
      text = '';
    }
  }
  return hash.update(text).digest('hex');
}

function entryOrder(
  resourceIds: readonly string[] | null,
  identityIds: readonly string[],
  values: readonly number[],
): Uint32Array {
  const compare = (left: number, right: number) =>
    (resourceIds === null ? 0 : compareKeys(resourceIds[left]!, resourceIds[right]!)) ||
    compareKeys(identityIds[left]!, identityIds[right]!) ||
    values[left]! - values[right]!;
  const order = Uint32Array.from(identityIds, (_, index) => index);
  // Sources tend to answer in order, and looking costs less than sorting.
  for (let index = 1; index < order.length; index += 1) {
    if (compare(index - 1, index) > 0) return order.toSorted(compare);
  }
  return order;
}

/** Digest of a day: its bill and the usage of each query, by key. */
export function dayDigest(lines: string, usage: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256').update(lines);
  const sorted = [...usage].toSorted(([left], [right]) => compareKeys(left, right));
  for (const [queryKey, digest] of sorted) hash.update(`\n${queryKey.length}:${queryKey}${digest}`);
  return hash.digest('hex');
}
