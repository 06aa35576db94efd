import { Decimal } from '@chargeback/money';
import {
  type AllocationContext,
  type AllocationPlan,
  defineAllocator,
  UNALLOCATED,
} from '@chargeback/plugin-api';
import { z } from 'zod';

const params = z.strictObject({
  weights: z
    .record(z.string().min(1), z.int().min(0))
    .describe('Team to its weight; the others get nothing.'),
});

/** Splits a line across teams by fixed weights, as far as they were there in the window of the line. */
export const weightedTeam = defineAllocator({
  params,
  create:
    ({ weights }) =>
    (context) =>
      planFor(context, weights),
});

function planFor(
  { identities }: AllocationContext,
  weights: Readonly<Record<string, number>>,
): AllocationPlan {
  const recipients = identities.tenantPeriod
    .map(({ identityId }) => ({ identityId, weight: BigInt(weights[identityId] ?? 0) }))
    .filter(({ weight }) => weight > 0n);
  const nobody = [{ identityId: UNALLOCATED, weight: 1n }];
  return {
    portions: [
      {
        ratio: new Decimal(1),
        recipients: recipients.length > 0 ? recipients : nobody,
        costType: 'SHARED',
        method: 'weighted_team',
        detail: recipients.length > 0 ? null : 'NO_IDENTITIES_LOCATED',
        chainTier: null,
        compositionIndex: null,
        tiersTried: [],
      },
    ],
  };
}
