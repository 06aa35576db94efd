import { type AllocatorDefinition, defineAllocator } from '@chargeback/plugin-api';
import { z } from 'zod';
import { chain } from './chain.ts';
import { directOwner } from './direct-owner.ts';
import { evenSplit } from './even-split.ts';
import { terminal } from './terminal.ts';
import { usageRatio } from './usage-ratio.ts';

const identitySet = z.enum(['resourceActive', 'metricsDerived', 'mergedActive', 'tenantPeriod']);

/** What comes after every model: evenly across those active, then all of the period, then nobody. */
const otherwise = [evenSplit('mergedActive'), evenSplit('tenantPeriod'), terminal('unallocated')] as const;

const evenSplitParams = z.strictObject({
  identities: identitySet.default('mergedActive').describe('The set whose members share.'),
  identity_types: z.array(z.string().min(1)).min(1).optional().describe('Only identities of these types.'),
});

/** Evenly across an identity set. For `allocator_overrides`: `@chargeback/allocation#evenSplitAllocator`. */
export const evenSplitAllocator: AllocatorDefinition<z.output<typeof evenSplitParams>> = defineAllocator({
  params: evenSplitParams,
  create: ({ identities, identity_types: identityTypes }) =>
    chain(
      evenSplit(identities, identityTypes ? { identityTypes } : {}),
      evenSplit('tenantPeriod', identityTypes ? { identityTypes } : {}),
      terminal('unallocated'),
    ),
});

const usageRatioParams = z.strictObject({
  queries: z.array(z.string().min(1)).min(1).describe('Keys of usage queries, added up.'),
});

/** In proportion to usage, else evenly: `@chargeback/allocation#usageRatioAllocator`. */
export const usageRatioAllocator: AllocatorDefinition<z.output<typeof usageRatioParams>> = defineAllocator({
  params: usageRatioParams,
  create: ({ queries }) => chain(usageRatio(queries), ...otherwise),
});

const directOwnerParams = z.strictObject({
  owner: z.string().min(1).optional().describe("An identity id; default: the resource's own owner."),
});

/** To one owner, else evenly: `@chargeback/allocation#directOwnerAllocator`. */
export const directOwnerAllocator: AllocatorDefinition<z.output<typeof directOwnerParams>> = defineAllocator({
  params: directOwnerParams,
  create: ({ owner }) =>
    chain(directOwner(owner ?? (({ resource }) => resource?.ownerId ?? null)), ...otherwise),
});

const terminalParams = z.strictObject({ to: z.enum(['resource', 'unallocated']) });

/** To the resource itself or to UNALLOCATED: `@chargeback/allocation#terminalAllocator`. */
export const terminalAllocator: AllocatorDefinition<z.output<typeof terminalParams>> = defineAllocator({
  params: terminalParams,
  create: ({ to }) => terminal(to, { detail: 'USING_DEFAULT_ALLOCATOR' }),
});
