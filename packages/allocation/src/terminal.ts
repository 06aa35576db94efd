import {
  type AllocationContext,
  type AllocationDetail,
  type CostType,
  UNALLOCATED,
} from '@chargeback/plugin-api';
import { type AllocationModel, allocationModel } from './allocation-model.ts';
import { wholePlan } from './portion.ts';

export interface TerminalOptions {
  /** Null for none. Default NO_IDENTITIES_LOCATED. */
  readonly detail?: AllocationDetail | null;
  /** Default `SHARED`. */
  readonly costType?: CostType;
  /** Word for `allocation_method`. Default `terminal`. */
  readonly method?: string;
}

/** Who bears what nobody else does: the billed resource itself, UNALLOCATED, or whoever the function names. */
export type TerminalTarget = 'resource' | 'unallocated' | ((context: AllocationContext) => string);

/**
 * The last tier: never steps aside. A line without a resource, and a function that names nobody, go to
 * UNALLOCATED.
 * Source: "Tiered fallback", tier 3, and "The UNALLOCATED identity" of the cost specification.
 */
export function terminal(to: TerminalTarget, options: TerminalOptions = {}): AllocationModel {
  const { detail = 'NO_IDENTITIES_LOCATED', costType = 'SHARED', method = 'terminal' } = options;
  const subject = typeof to === 'string' ? to : 'by line';
  return allocationModel({ name: 'terminal', terminal: true, subject, detail }, (context) =>
    wholePlan({
      recipients: [{ identityId: targetOf(to, context), weight: 1n }],
      costType,
      method,
      detail,
    }),
  );
}

function targetOf(to: TerminalTarget, context: AllocationContext): string {
  if (to === 'unallocated') return UNALLOCATED;
  const identityId = to === 'resource' ? context.line.resourceId : to(context);
  return identityId || UNALLOCATED;
}
