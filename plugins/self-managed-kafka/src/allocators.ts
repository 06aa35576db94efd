import {
  type AllocationModel,
  allocationModel,
  chain,
  evenSplit,
  terminal,
  usageRatio,
} from '@chargeback/allocation';
import { type AllocationContext, type Identity, isoDateOf } from '@chargeback/plugin-api';
import { type Directory, TOPIC_PREFIX } from './identities.ts';
import type { QueryKey } from './metric-presets.ts';

/**
 * Network: in proportion to bytes per principal, else evenly across who is known.
 * Source: "Tiered fallback (ChainModel)" of the cost specification.
 */
export function networkAllocator(query: QueryKey, directory: Directory): AllocationModel {
  return chain(usageRatio([query]), evenSplit('mergedActive'), everybody(directory), terminal('unallocated'));
}

/** Compute and storage: evenly across who was seen, else across who is listed, else across the period. */
export function sharedAllocator(directory: Directory): AllocationModel {
  return chain(
    evenSplit('metricsDerived', { costType: 'USAGE', detail: null }),
    evenSplit('resourceActive'),
    everybody(directory),
    terminal('unallocated'),
  );
}

/** Storage in proportion to the bytes that the topics of each team retain, else as compute. */
export function ownerBytesAllocator(query: QueryKey, directory: Directory): AllocationModel {
  return chain(
    ownerBytes(query, directory),
    evenSplit('metricsDerived'),
    evenSplit('resourceActive'),
    everybody(directory),
    terminal('unallocated'),
  );
}

/** Charges the owners that the resolver named for the topics. Steps aside when nobody owns any of them. */
function ownerBytes(query: QueryKey, directory: Directory): AllocationModel {
  const byBytes = usageRatio([query]);
  return allocationModel({ name: 'owner_bytes', terminal: false, subject: query }, (context) => {
    const date = isoDateOf(context.line.timestamp);
    const { totals, outcome } = context.usage(query);
    const owned = [...totals.keys()].some(
      (name) => directory.ownership.teamOfTopic(name.slice(TOPIC_PREFIX.length), date) !== null,
    );
    if (outcome !== 'failed' && totals.size > 0 && !owned)
      return { stepAside: true, because: 'NO_OWNER_LOCATED' };
    return byBytes(context);
  });
}

/** Evenly across everybody of the period, each under the name that rows carry. */
function everybody(directory: Directory): AllocationModel {
  const split = evenSplit('tenantPeriod');
  return allocationModel(split.model, (context, steppedAside) =>
    split(withPayers(context, directory), steppedAside),
  );
}

function withPayers(context: AllocationContext, directory: Directory): AllocationContext {
  const date = isoDateOf(context.line.timestamp);
  const payers = new Map<string, Identity>();
  for (const identity of context.identities.tenantPeriod) {
    const payer = directory.payerOf(identity, date);
    if (payer) payers.set(payer.identityId, payer);
  }
  return { ...context, identities: { ...context.identities, tenantPeriod: [...payers.values()] } };
}
