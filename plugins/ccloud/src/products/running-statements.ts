import { type AllocationModel, allocationModel } from '@chargeback/allocation';
import { Decimal } from '@chargeback/money';
import { runningStatements } from '../resolution/resolve-flink.ts';

/**
 * In proportion to how many statements each owner has running in the compute pool. SHARED: how much a statement
 * consumed is not known. The detail says why there is no usage to go by.
 */
export function byRunningStatements(): AllocationModel {
  const description = { name: 'running_statements', terminal: false, subject: 'compute pool' };
  return allocationModel(description, (context, steppedAside) => {
    const counts = runningStatements(context);
    if (counts.size === 0) return { stepAside: true, because: 'NO_ACTIVE_IDENTITIES_LOCATED' };
    return {
      portions: [
        {
          ratio: new Decimal(1),
          recipients: Array.from(counts, ([identityId, count]) => ({ identityId, weight: BigInt(count) })),
          costType: 'SHARED',
          method: 'running_statements',
          detail: steppedAside ?? 'NO_METRICS_LOCATED',
          chainTier: null,
          compositionIndex: null,
          tiersTried: [],
        },
      ],
    };
  });
}
