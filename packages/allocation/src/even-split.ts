import type { AllocationDetail, CostType, Identity, IdentitySetName } from '@chargeback/plugin-api';
import { type AllocationModel, allocationModel } from './allocation-model.ts';
import { wholePlan } from './portion.ts';

export interface EvenSplitOptions {
  /** Null for none. Without it: why the tier before stepped aside, or EVEN_SPLIT_ALLOCATION at the first place. */
  readonly detail?: AllocationDetail | null;
  /** Default `SHARED`. */
  readonly costType?: CostType;
  /** Only identities of these types take part. */
  readonly identityTypes?: readonly string[];
}

const NOBODY_IN: Record<IdentitySetName, AllocationDetail> = {
  resourceActive: 'NO_ACTIVE_IDENTITIES_LOCATED',
  metricsDerived: 'NO_ACTIVE_IDENTITIES_LOCATED',
  mergedActive: 'NO_ACTIVE_IDENTITIES_LOCATED',
  tenantPeriod: 'NO_IDENTITIES_LOCATED',
};

/**
 * The same weight for every identity of a set. Steps aside when the set is empty.
 * Source: "Even split" of the cost specification, `per_identity = total_cost ÷ identity_count`.
 */
export function evenSplit(source: IdentitySetName, options: EvenSplitOptions = {}): AllocationModel {
  const { detail, costType = 'SHARED', identityTypes } = options;
  const description = {
    name: 'even_split',
    terminal: false,
    subject: identityTypes ? `${source}: ${identityTypes.join(', ')}` : source,
    ...(detail === undefined ? {} : { detail }),
  };
  return allocationModel(description, (context, steppedAside) => {
    const identities = ofTypes(context.identities[source], identityTypes);
    if (identities.length === 0) return { stepAside: true, because: NOBODY_IN[source] };
    return wholePlan({
      recipients: identities.map(({ identityId }) => ({ identityId, weight: 1n })),
      costType,
      method: 'even_split',
      detail: detail === undefined ? (steppedAside ?? 'EVEN_SPLIT_ALLOCATION') : detail,
    });
  });
}

function ofTypes(identities: readonly Identity[], types: readonly string[] | undefined): readonly Identity[] {
  return types ? identities.filter(({ identityType }) => types.includes(identityType)) : identities;
}
