import { type Weight, weightFromSample } from '@chargeback/money';
import {
  type AllocationDetail,
  type CostType,
  type Recipient,
  UNALLOCATED,
  type Usage,
} from '@chargeback/plugin-api';
import { type AllocationModel, allocationModel, modelError } from './allocation-model.ts';
import { wholePlan } from './portion.ts';

export interface UsageRatioOptions {
  /** Null for none. Default USAGE_RATIO_ALLOCATION. */
  readonly detail?: AllocationDetail | null;
  /** Default `USAGE`. */
  readonly costType?: CostType;
}

/**
 * In proportion to measured usage: the totals of the named queries, added per identity. A name that the
 * resolver knows an owner for counts for its owner; any other name is charged as it is, whether it is in an
 * identity set or not. What nobody's name was on stays with UNALLOCATED, whoever the resolver names for it. Zero
 * totals get nothing.
 *
 * Steps aside with METRICS_FETCH_FAILED when one of the queries could not be answered (a part of the usage
 * is not the usage), NO_METRICS_LOCATED when there are no rows, NO_USAGE_FOR_ACTIVE_IDENTITIES when every
 * total is zero.
 * Source: "Usage ratio" of the cost specification, `amount_i = total_cost × usage_i ÷ total_usage`.
 * @throws {ChargebackError} `CB_ALLOCATION_MODEL` without a query key, or with one named twice.
 */
export function usageRatio(queryKeys: readonly string[], options: UsageRatioOptions = {}): AllocationModel {
  const { detail = 'USAGE_RATIO_ALLOCATION', costType = 'USAGE' } = options;
  assertKeys(queryKeys);
  const description = { name: 'usage_ratio', terminal: false, subject: queryKeys.join(' + '), detail };
  return allocationModel(description, (context) => {
    const usages = queryKeys.map((key) => context.usage(key));
    if (usages.some(isUnanswered)) return { stepAside: true, because: 'METRICS_FETCH_FAILED' };
    if (usages.every(({ totals }) => totals.size === 0)) {
      return { stepAside: true, because: 'NO_METRICS_LOCATED' };
    }
    const recipients = recipientsOf(usages, context.usageOwners);
    if (recipients.length === 0) return { stepAside: true, because: 'NO_USAGE_FOR_ACTIVE_IDENTITIES' };
    return wholePlan({ recipients, costType, method: 'usage_ratio', detail });
  });
}

function assertKeys(queryKeys: readonly string[]): void {
  if (queryKeys.length === 0) {
    throw modelError('a usage ratio needs at least one query key', 'Name the usage query to go by.');
  }
  const twice = queryKeys.find((key, index) => queryKeys.indexOf(key) !== index);
  if (twice !== undefined) {
    throw modelError(`a usage ratio names the query ${twice} twice`, 'Name each usage query once.');
  }
}

/** An outage is not the absence of traffic: the source could not be asked. */
function isUnanswered({ outcome }: Usage): boolean {
  return outcome === 'failed';
}

/** Each total becomes a weight before it is added, so that the order of adding cannot matter. */
function recipientsOf(usages: readonly Usage[], owners: ReadonlyMap<string, string>): Recipient[] {
  const weights = new Map<string, Weight>();
  for (const { totals } of usages) {
    for (const [name, total] of totals) {
      const weight = weightFromSample(total);
      if (weight === 0n) continue;
      const identityId = name === UNALLOCATED ? name : (owners.get(name) ?? name);
      weights.set(identityId, (weights.get(identityId) ?? 0n) + weight);
    }
  }
  return Array.from(weights, ([identityId, weight]) => ({ identityId, weight }));
}
