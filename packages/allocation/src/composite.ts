import { Decimal } from '@chargeback/money';
import {
  type AllocationContext,
  type AllocationDetail,
  type AllocationPlan,
  type AllocatorParams,
  ChargebackError,
  isStepAside,
  type Portion,
  type StepAside,
} from '@chargeback/plugin-api';
import {
  type AllocationModel,
  allocationModel,
  assertModel,
  modelError,
  type ModelPart,
} from './allocation-model.ts';
import { compositeRatios } from './composite-ratios.ts';

/** A part of the amount with the model that splits it. */
export interface CompositeComponent {
  /** Decimal text between 0 and 1, such as `0.70`. The ratios of a composite add up to 1. */
  readonly ratio: string;
  /** Name in `allocator_params` that replaces the ratio when it is given. */
  readonly param?: string;
  readonly model: AllocationModel;
}

/**
 * Cuts the amount by ratios and lets a model of its own, usually a chain, split each part. Portions carry the
 * 0-based index of their component and its ratio. A ratio of zero leaves its component out.
 *
 * Steps aside only when every component does. When one steps aside and another does not, the amount cannot
 * be placed: `CB_ALLOCATION_FAILED`; a component that ends in a terminal model never does that.
 * Source: "Composite allocation" of the cost specification.
 * @throws {ChargebackError} `CB_ALLOCATION_MODEL` when the ratios do not add up to 1 within 0.0001; when the
 *   model runs, `CB_CONFIG_VALUE` for ratios from parameters that do not.
 */
export function composite(components: readonly CompositeComponent[]): AllocationModel {
  for (const [index, { model }] of components.entries()) {
    assertModel(model, `component ${index} of the composite`);
  }
  const parts: readonly ModelPart[] = components.map(({ ratio, param, model }) => ({
    model: model.model,
    ratio,
    ...(param === undefined ? {} : { param }),
  }));
  const defaults = fixedRatios(parts);
  const description = {
    name: 'composite',
    terminal: components.every(({ model }) => model.model.terminal),
    parts,
  };
  const ratiosFor = (params: AllocatorParams): readonly Decimal[] =>
    parts.some(({ param }) => param !== undefined && params[param] !== undefined)
      ? compositeRatios(parts, params)
      : defaults;
  return allocationModel(description, (context, steppedAside) =>
    joinedPlan({ components, ratios: ratiosFor(context.params), context, steppedAside }),
  );
}

function fixedRatios(parts: readonly ModelPart[]): readonly Decimal[] {
  try {
    return compositeRatios(parts, {});
  } catch (cause) {
    if (!ChargebackError.isInstance(cause)) throw cause;
    throw modelError(cause.message, 'Give the components ratios that add up to 1.');
  }
}

interface CompositeRun {
  readonly components: readonly CompositeComponent[];
  readonly ratios: readonly Decimal[];
  readonly context: AllocationContext;
  readonly steppedAside: AllocationDetail | undefined;
}

function joinedPlan({ components, ratios, context, steppedAside }: CompositeRun): AllocationPlan | StepAside {
  const portions: Portion[] = [];
  const aside: { index: number; because: AllocationDetail }[] = [];
  for (const [compositionIndex, { model }] of components.entries()) {
    const ratio = ratios[compositionIndex]!;
    if (ratio.isZero()) continue;
    const outcome = model(context, steppedAside);
    if (isStepAside(outcome)) {
      aside.push({ index: compositionIndex, because: outcome.because });
      continue;
    }
    for (const portion of outcome.portions) {
      portions.push({ ...portion, ratio: ratio.times(portion.ratio), compositionIndex });
    }
  }
  const [first] = aside;
  if (!first) return { portions };
  if (portions.length === 0) return { stepAside: true, because: first.because };
  const { name } = components[first.index]!.model.model;
  throw new ChargebackError(
    'CB_ALLOCATION_FAILED',
    `component ${first.index} (${name}) of a composite stepped aside: ${first.because}`,
    { fix: 'Make each component a chain that ends with a terminal model.' },
  );
}
