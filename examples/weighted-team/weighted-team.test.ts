import { testAllocator } from '@chargeback/testkit';
import { describe, it } from 'vitest';
import { weightedTeam } from './weighted-team.ts';

testAllocator({ describe, it }, weightedTeam, {
  name: 'weightedTeam',
  params: { weights: { 'identity-0': 3, 'identity-1': 1 } },
});
