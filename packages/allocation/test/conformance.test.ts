import { describe, it } from 'vitest';
import { testAllocator } from '../../testkit/src/index.ts';
import {
  chain,
  composite,
  directOwner,
  directOwnerAllocator,
  evenSplit,
  evenSplitAllocator,
  terminal,
  terminalAllocator,
  usageRatio,
  usageRatioAllocator,
} from '../src/index.ts';

const runner = { describe, it };
const queryKeys = ['bytes_in', 'bytes_out'];
const everything = chain(
  usageRatio(queryKeys),
  evenSplit('mergedActive'),
  evenSplit('tenantPeriod'),
  terminal('unallocated'),
);

// The models that step aside, alone.
const mayStepAside = true;
testAllocator(runner, evenSplit('mergedActive'), { name: 'evenSplit', mayStepAside });
testAllocator(runner, usageRatio(queryKeys), { name: 'usageRatio', mayStepAside, queryKeys });
testAllocator(
  runner,
  directOwner(({ resource }) => resource?.ownerId ?? null),
  {
    name: 'directOwner',
    mayStepAside,
  },
);

testAllocator(runner, terminal('resource'), { name: 'terminal(resource)' });
testAllocator(runner, terminal('unallocated'), { name: 'terminal(unallocated)' });
testAllocator(runner, everything, { name: 'chain', queryKeys });
testAllocator(
  runner,
  composite([
    { ratio: '0.7', model: everything },
    { ratio: '0.3', model: chain(evenSplit('tenantPeriod'), terminal('resource')) },
  ]),
  { name: 'composite', queryKeys },
);

// Those that a configuration names.
testAllocator(runner, evenSplitAllocator, {
  name: 'evenSplitAllocator',
  params: { identities: 'tenantPeriod' },
});
testAllocator(runner, usageRatioAllocator, {
  name: 'usageRatioAllocator',
  params: { queries: queryKeys },
  queryKeys,
});
testAllocator(runner, directOwnerAllocator, { name: 'directOwnerAllocator' });
testAllocator(runner, directOwnerAllocator, {
  name: 'directOwnerAllocator(finance)',
  params: { owner: 'finance' },
});
testAllocator(runner, terminalAllocator, { name: 'terminalAllocator', params: { to: 'resource' } });
