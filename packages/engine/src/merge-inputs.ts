import { moneyFromDecimal } from '@chargeback/money';
import type { BillingLineItem, Coverage, UsageDay, UsageTotals } from '@chargeback/plugin-api';
import type { StoredUsage, UsageSummary } from '@chargeback/storage';

/**
 * What becomes of a new answer where there is a stored one.
 * `new`: it replaces what is stored. `kept`: the source now has less of the same, so what is stored stays.
 * `stale`: what is stored answers another question, but the new answer has less: it stays until the source has more.
 */
export type Verdict = 'new' | 'kept' | 'stale';

export interface MergedLine {
  readonly line: BillingLineItem;
  readonly verdict: Verdict;
}

export interface MergeOptions {
  /** Nothing that decides what is gathered has changed since the stored answer. */
  readonly sameSettings: boolean;
  /** Somebody asked for the new settings whatever they cost: an answer with anything in it counts. */
  readonly force: boolean;
}

/**
 * The stored line of each line. One whose id is not known is the day's only one of its product type all the same,
 * when the stored bill has only one too: else a resource that is renamed would lose what its source has forgotten.
 */
export function formerLines(
  lines: readonly BillingLineItem[],
  stored: readonly BillingLineItem[],
): ReadonlyMap<BillingLineItem, BillingLineItem> {
  const byId = new Map(stored.map((line) => [line.lineId, line]));
  const [single, formerSingle] = [singleLines(lines), singleLines(stored)];
  const former = new Map<BillingLineItem, BillingLineItem>();
  for (const line of lines) {
    const key = kindOf(line);
    const before = byId.get(line.lineId) ?? (single.get(key) ? formerSingle.get(key) : null);
    if (before) former.set(line, before);
  }
  return former;
}

/** The line of each product type and instant; null where there are several. */
function singleLines(lines: readonly BillingLineItem[]): Map<string, BillingLineItem | null> {
  const single = new Map<string, BillingLineItem | null>();
  for (const line of lines) single.set(kindOf(line), single.has(kindOf(line)) ? null : line);
  return single;
}

function kindOf({ productType, timestamp, granularity, totalCost }: BillingLineItem): string {
  return JSON.stringify([productType, timestamp.getTime(), granularity, totalCost.currency]);
}

/**
 * Of two gatherings of one line the one that saw more counts: metrics fade with the server's retention. A
 * line without coverage is the source's own word and always new. A quantity whose samples are gone is kept
 * and takes the new price.
 */
export function mergeLine(
  line: BillingLineItem,
  before: BillingLineItem | undefined,
  { sameSettings, force }: MergeOptions,
): MergedLine {
  if (line.coverage === null || !before?.coverage || !sawLess(line.coverage, before.coverage)) {
    return { line, verdict: 'new' };
  }
  const defined = line.definition !== undefined;
  if (defined ? line.definition === before.definition : sameSettings) {
    // The stored line may have been priced by settings that came between.
    const samePrice = line.unitPrice.equals(before.unitPrice);
    const asStored = !defined || (sameSettings && samePrice);
    return { line: asStored ? before : repriced(line, before), verdict: 'kept' };
  }
  if (force && line.coverage.samplesSeen > 0) return { line, verdict: 'new' };
  return { line: before, verdict: 'stale' };
}

/** A failed answer never replaces one, and of two answers to one question the one that saw more counts. */
export function judgeUsage(
  day: UsageDay,
  stored: UsageSummary | undefined,
  options: { readonly definition: string; readonly force: boolean },
): Verdict {
  if (!stored || stored.outcome === 'failed') return 'new';
  const same = stored.definition === options.definition;
  if (day.outcome === 'failed') return same ? 'kept' : 'stale';
  if (!sawLess(day.coverage, stored.coverage)) return 'new';
  if (same) return 'kept';
  return options.force && day.coverage.samplesSeen > 0 ? 'new' : 'stale';
}

/** Who was seen in either answer, with the larger value: somebody who existed on a day does not cease to. */
export function uniteTotals(left: UsageTotals, right: Pick<StoredUsage, keyof UsageTotals>): UsageTotals {
  const values = new Map<string, { resourceId: string; identityId: string; value: number }>();
  for (const { resourceIds, identityIds, values: numbers } of [left, right]) {
    for (const [index, identityId] of identityIds.entries()) {
      const resourceId = resourceIds?.[index] ?? '';
      const key = JSON.stringify([resourceId, identityId]);
      const value = Math.max(numbers[index]!, values.get(key)?.value ?? 0);
      values.set(key, { resourceId, identityId, value });
    }
  }
  const rows = [...values.values()];
  return {
    resourceIds: left.resourceIds === null ? null : rows.map(({ resourceId }) => resourceId),
    identityIds: rows.map(({ identityId }) => identityId),
    values: rows.map(({ value }) => value),
  };
}

/** Compares parts, not counts: another step expects another number of samples. */
function sawLess(now: Coverage, before: Coverage): boolean {
  // An answer that expected nothing is no evidence of anything.
  if (now.samplesExpected === 0) return before.samplesSeen > 0;
  return now.samplesSeen * before.samplesExpected < before.samplesSeen * now.samplesExpected;
}

/** The stored quantity at the new price: `cost = quantity × unit price`, as the line's definition promises. */
function repriced(line: BillingLineItem, before: BillingLineItem): BillingLineItem {
  const { quantity, coverage, metadata } = before;
  const { total_cost_source: _, total_cost_rounded: __, ...kept } = metadata;
  const exact = quantity.times(line.unitPrice);
  const cost = moneyFromDecimal(exact, line.totalCost.currency);
  return {
    ...line,
    quantity,
    coverage,
    totalCost: cost.amount,
    metadata: cost.rounded ? { ...kept, total_cost_source: exact.toString() } : kept,
  };
}
