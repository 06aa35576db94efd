import { Decimal } from '@chargeback/money';
import type { AllocationPlan, Portion } from '@chargeback/plugin-api';

const WHOLE = new Decimal(1);

/** A plan of one portion that takes the whole amount, outside any chain or composite. */
export function wholePlan(
  portion: Pick<Portion, 'recipients' | 'costType' | 'method' | 'detail'>,
): AllocationPlan {
  return {
    portions: [{ ...portion, ratio: WHOLE, chainTier: null, compositionIndex: null, tiersTried: [] }],
  };
}
