import { Decimal } from '@chargeback/money';
import { type AllocationPlan, ChargebackError, type Portion, type StepAside } from '@chargeback/plugin-api';

/**
 * Third-party code may return anything: a promise, nothing, a plan without portions.
 * @throws {ChargebackError} `CB_ALLOCATION_FAILED` unless it is a plan, or steps aside.
 */
export function assertPlan(
  outcome: unknown,
  productType: string,
): asserts outcome is AllocationPlan | StepAside {
  const isObject = typeof outcome === 'object' && outcome !== null;
  if (isObject && 'stepAside' in outcome) return;
  if (isObject && 'portions' in outcome && Array.isArray(outcome.portions) && outcome.portions.length > 0) {
    for (const portion of outcome.portions) assertPortion(portion, productType);
    return;
  }
  const got = isObject && 'then' in outcome ? 'a promise' : outcome === null ? 'null' : typeof outcome;
  throw new ChargebackError(
    'CB_ALLOCATION_FAILED',
    `an allocator must return a plan with portions, got ${got}`,
    {
      fix: 'Return { portions: […] } or { stepAside: true, because } from a synchronous function.',
    },
  );
}

function assertPortion(value: unknown, productType: string): void {
  const complain = (what: string): never => {
    throw new ChargebackError('CB_ALLOCATION_FAILED', `the allocator of ${productType} returned ${what}`);
  };
  if (typeof value !== 'object' || value === null) complain('a portion that is no object');
  const portion = value as Portion;
  if (!Decimal.isDecimal(portion.ratio)) complain('a portion whose ratio is not a Decimal');
  if (portion.costType !== 'USAGE' && portion.costType !== 'SHARED')
    complain(`the cost type ${String(portion.costType)}; it is USAGE or SHARED`);
  if (typeof portion.method !== 'string' || portion.method === '') complain('a portion without a method');
  if (portion.detail !== null && typeof portion.detail !== 'string')
    complain('a detail that is neither text nor null');
  for (const index of [portion.chainTier, portion.compositionIndex]) {
    if (index !== null && !Number.isSafeInteger(index)) complain('a tier or index that is not an integer');
  }
  if (!Array.isArray(portion.tiersTried)) complain('a portion without tiersTried; an empty list will do');
  if (!Array.isArray(portion.recipients) || portion.recipients.length === 0)
    complain('a portion without recipients');
  for (const recipient of portion.recipients) {
    if (typeof recipient !== 'object' || recipient === null) complain('a recipient that is no object');
    const { identityId, weight } = recipient;
    if (typeof identityId !== 'string' || identityId === '') complain('a recipient without an identity id');
    if (!identityId.isWellFormed()) complain('an identity id that is not well-formed text');
    if (typeof weight !== 'bigint')
      complain(`a weight of type ${typeof weight} for ${identityId}; weights are bigint`);
  }
}
