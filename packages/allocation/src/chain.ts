import {
  type AllocationContext,
  type AllocationDetail,
  type AllocationPlan,
  ChargebackError,
  isStepAside,
  type TierAttempt,
} from '@chargeback/plugin-api';
import { type AllocationModel, allocationModel, assertModel, modelError } from './allocation-model.ts';

/**
 * Tiered fallback: the first model that does not step aside decides. Its portions carry the 0-based tier and
 * what was tried before. A composed model inside keeps the tiers of its own chains; what this chain tried
 * comes first in `tiersTried`.
 * Source: "Tiered fallback (ChainModel)" of the cost specification.
 * @throws {ChargebackError} `CB_ALLOCATION_MODEL` unless the last model, and only the last, is terminal.
 */
export function chain(...models: readonly AllocationModel[]): AllocationModel {
  assertChain(models);
  const description = { name: 'chain', terminal: true, parts: models.map(({ model }) => ({ model })) };
  return allocationModel(description, (context, steppedAside) => firstPlan(models, context, steppedAside));
}

function firstPlan(
  models: readonly AllocationModel[],
  context: AllocationContext,
  steppedAside: AllocationDetail | undefined,
): AllocationPlan {
  const tried: TierAttempt[] = [];
  for (const [tier, model] of models.entries()) {
    const outcome = model(context, tried.at(-1)?.because ?? steppedAside);
    if (!isStepAside(outcome)) return atTier(outcome, tier, tried);
    tried.push({ tier, because: outcome.because });
  }
  const last = models.at(-1)!.model.name;
  throw new ChargebackError('CB_ALLOCATION_FAILED', `the last tier, ${last}, stepped aside`, {
    fix: 'A model that is described as terminal must always return a plan.',
  });
}

function atTier(plan: AllocationPlan, tier: number, tried: readonly TierAttempt[]): AllocationPlan {
  return {
    portions: plan.portions.map((portion) => ({
      ...portion,
      chainTier: portion.chainTier ?? tier,
      tiersTried: [...tried, ...portion.tiersTried],
    })),
  };
}

function assertChain(models: readonly AllocationModel[]): void {
  if (models.length === 0) {
    throw modelError('a chain needs at least one model', 'End the chain with a terminal model.');
  }
  for (const [tier, model] of models.entries()) assertModel(model, `tier ${tier} of the chain`);
  const last = models.length - 1;
  const early = models.findIndex(({ model }, tier) => model.terminal && tier < last);
  if (early !== -1) {
    throw modelError(
      `tier ${early} (${models[early]!.model.name}) never steps aside, so tier ${early + 1} can never be reached`,
      'Put the terminal model last, and only there.',
    );
  }
  if (!models[last]!.model.terminal) {
    throw modelError(
      `the last tier (${models[last]!.model.name}) may step aside, and the cost would be left over`,
      'End the chain with a terminal model.',
    );
  }
}
