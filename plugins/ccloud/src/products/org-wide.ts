import { type AllocationModel, allocationModel, chain, evenSplit, terminal } from '@chargeback/allocation';
import { Decimal } from '@chargeback/money';
import { z } from 'zod';
import { OWNER_TYPES } from './identity-types.ts';

export const ORG_WIDE_RULES = ['even_split', 'unallocated', 'proportional_to_allocated'] as const;

export type OrgWideRule = (typeof ORG_WIDE_RULES)[number];

const DESCRIPTION =
  'even_split: across all service accounts, users and pools of the period. unallocated: to UNALLOCATED. ' +
  'proportional_to_allocated: in proportion to what the other lines of the day were allocated.';

const rule = z.enum(ORG_WIDE_RULES).default('unallocated');

/**
 * The block `org_wide`: who bears costs of the whole organization.
 * Source of the default: "The UNALLOCATED identity" of the cost specification.
 */
export const orgWideSettingsSchema = z
  .strictObject({ support: rule, audit_log_read: rule, promo_credit: rule })
  .prefault({})
  .describe(DESCRIPTION);

export type OrgWideSettings = z.output<typeof orgWideSettingsSchema>;

/** An allocator for a cost of the whole organization. */
export function orgWide(chosen: OrgWideRule): AllocationModel {
  if (chosen === 'even_split') {
    return chain(
      evenSplit('tenantPeriod', { identityTypes: OWNER_TYPES, detail: null }),
      terminal('unallocated'),
    );
  }
  if (chosen === 'proportional_to_allocated')
    return chain(proportionalToAllocated(), terminal('unallocated', { detail: 'NO_OTHER_COST_ALLOCATED' }));
  return terminal('unallocated', { method: 'org_wide', detail: 'ORG_WIDE_COST' });
}

/**
 * Follows the money: `amount_i = total_cost × allocated_i ÷ allocated`, over everybody who was allocated more
 * than zero by the lines of the day that do not follow others. UNALLOCATED is nobody and gets nothing.
 */
function proportionalToAllocated(): AllocationModel {
  const name = 'proportional_to_allocated';
  return allocationModel({ name, terminal: false, subject: 'other lines of the day' }, (context) => {
    const allocated = context.allocatedOfDay?.() ?? new Map<string, bigint>();
    if (allocated.size === 0) return { stepAside: true, because: 'NO_OTHER_COST_ALLOCATED' };
    return {
      portions: [
        {
          ratio: new Decimal(1),
          recipients: Array.from(allocated, ([identityId, weight]) => ({ identityId, weight })),
          costType: 'SHARED',
          method: name,
          detail: 'PROPORTIONAL_TO_ALLOCATED',
          chainTier: null,
          compositionIndex: null,
          tiersTried: [],
        },
      ],
    };
  });
}
