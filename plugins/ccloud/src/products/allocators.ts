import {
  type AllocationModel,
  chain,
  composite,
  evenSplit,
  terminal,
  usageRatio,
} from '@chargeback/allocation';
import type { AllocationDetail, CostType } from '@chargeback/plugin-api';
import { USAGE_KEYS, type UsageKey } from '../usage/usage-metrics.ts';
import { OWNER_TYPES } from './identity-types.ts';
import { byRunningStatements } from './running-statements.ts';

/** Names in `allocator_params` of the two parts of a CKU, and what they are unless given. */
export const CKU_USAGE_RATIO = 'kafka_cku_usage_ratio';
export const CKU_SHARED_RATIO = 'kafka_cku_shared_ratio';

function acrossOwners(detail?: AllocationDetail): AllocationModel {
  return evenSplit('tenantPeriod', {
    identityTypes: OWNER_TYPES,
    ...(detail === undefined ? {} : { detail }),
  });
}

/** In proportion to bytes; without them evenly, saying why. */
export function byBytes(...keys: readonly UsageKey[]): AllocationModel {
  return chain(
    usageRatio(keys),
    evenSplit('mergedActive'),
    acrossOwners('NO_ACTIVE_IDENTITIES_LOCATED'),
    terminal('resource'),
  );
}

/** What a cluster costs whoever uses it, and no metric tells apart. */
export function acrossActive(nobodyActive: AllocationDetail): AllocationModel {
  return chain(
    evenSplit('mergedActive', { detail: 'NO_METRICS_LOCATED' }),
    acrossOwners(nobodyActive),
    terminal('resource'),
  );
}

/**
 * One part follows the bytes in and out, the other is shared by all who are active.
 * Source: "Composite allocation (CKU model)" of the cost specification, which says SHARED for the second part.
 */
export function clusterUnits(): AllocationModel {
  return composite([
    {
      ratio: '0.70',
      param: CKU_USAGE_RATIO,
      model: chain(
        usageRatio([USAGE_KEYS.bytesIn, USAGE_KEYS.bytesOut]),
        evenSplit('mergedActive', { detail: 'NO_USAGE_FOR_ACTIVE_IDENTITIES' }),
        acrossOwners('NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED'),
        terminal('resource'),
      ),
    },
    {
      ratio: '0.30',
      param: CKU_SHARED_RATIO,
      model: chain(
        evenSplit('mergedActive', { detail: null }),
        acrossOwners('NO_ACTIVE_IDENTITIES_LOCATED'),
        terminal('resource'),
      ),
    },
  ]);
}

/** Evenly to those who are tied to the resource, as their usage. */
export function acrossHolders(): AllocationModel {
  return chain(
    evenSplit('mergedActive', { costType: 'USAGE', detail: null }),
    acrossOwners('NO_ACTIVE_IDENTITIES_LOCATED'),
    terminal('resource'),
  );
}

/** To the one owner of a connector; a capacity that stands ready is SHARED, what is consumed is USAGE. */
export function toOwner(costType: CostType): AllocationModel {
  return chain(evenSplit('mergedActive', { costType, detail: null }), terminal('resource'));
}

/** By the CFUs of the owners' statements, else by the statements that run. */
export function byComputeUnits(): AllocationModel {
  return chain(
    usageRatio([USAGE_KEYS.flinkCfu]),
    byRunningStatements(),
    evenSplit('mergedActive', { costType: 'USAGE', detail: 'NO_USAGE_FOR_ACTIVE_IDENTITIES' }),
    acrossOwners('NO_ACTIVE_IDENTITIES_LOCATED'),
    terminal('resource'),
  );
}

export function toResource(): AllocationModel {
  return terminal('resource', { method: 'default', detail: 'USING_DEFAULT_ALLOCATOR' });
}

export function toLinkedResource(): AllocationModel {
  return terminal('resource', {
    method: 'cluster_linking',
    detail: 'CLUSTER_LINKING_COST',
    costType: 'USAGE',
  });
}

export function unknownToResource(): AllocationModel {
  return terminal('resource', { method: 'unknown', detail: 'USING_UNKNOWN_ALLOCATOR' });
}
