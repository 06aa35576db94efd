import type { AllocationContext, AllocationDetail, CostType } from '@chargeback/plugin-api';
import { type AllocationModel, allocationModel } from './allocation-model.ts';
import { wholePlan } from './portion.ts';

export interface DirectOwnerOptions {
  /** Null for none. Default DIRECT_OWNER_ALLOCATION. */
  readonly detail?: AllocationDetail | null;
  /** Default `USAGE`. */
  readonly costType?: CostType;
}

/** Everything to one owner. Steps aside with NO_OWNER_LOCATED when there is none (null or empty). */
export function directOwner(
  owner: string | ((context: AllocationContext) => string | null),
  options: DirectOwnerOptions = {},
): AllocationModel {
  const { detail = 'DIRECT_OWNER_ALLOCATION', costType = 'USAGE' } = options;
  const subject = typeof owner === 'string' ? owner : 'by line';
  return allocationModel({ name: 'direct_owner', terminal: false, subject, detail }, (context) => {
    const identityId = typeof owner === 'string' ? owner : owner(context);
    if (!identityId) return { stepAside: true, because: 'NO_OWNER_LOCATED' };
    return wholePlan({
      recipients: [{ identityId, weight: 1n }],
      costType,
      method: 'direct_owner',
      detail,
    });
  });
}
