import {
  type AllocationContext,
  type AllocationDetail,
  type AllocationPlan,
  type AllocatorParams,
  ChargebackError,
  type CostAllocator,
  type StepAside,
} from '@chargeback/plugin-api';

/** A part of a composed model: a tier of a chain, or a component of a composite with its ratio. */
export interface ModelPart {
  readonly model: ModelDescription;
  /** Decimal text between 0 and 1; only in a composite. */
  readonly ratio?: string;
  /** Name in `allocator_params` that replaces the ratio; only in a composite. */
  readonly param?: string;
}

/** What a model is, as data: chains are checked by it and wiring is printed from it. */
export interface ModelDescription {
  /** `even_split`, `usage_ratio`, `direct_owner`, `terminal`, `chain`, `composite`, or the author's own word. */
  readonly name: string;
  /** True when it never steps aside. */
  readonly terminal: boolean;
  /** What it works on: an identity set, query keys, a destination. */
  readonly subject?: string;
  /** Detail of its portions; null for none; absent where the place in a chain decides. */
  readonly detail?: AllocationDetail | null;
  readonly parts?: readonly ModelPart[];
}

/** A cost allocator that can be composed with others. */
export interface AllocationModel {
  /**
   * @param steppedAside why the tier before this one stepped aside; undefined at the first place. Only models
   *   whose detail says "why not better" look at it.
   */
  (context: AllocationContext, steppedAside?: AllocationDetail): AllocationPlan | StepAside;
  readonly model: ModelDescription;
}

/**
 * Gives an allocator a description, so that it can stand in a chain or a composite: the way to compose an
 * allocator of one's own.
 */
export function allocationModel(
  model: ModelDescription,
  allocate: (
    context: AllocationContext,
    steppedAside: AllocationDetail | undefined,
  ) => AllocationPlan | StepAside,
): AllocationModel {
  return Object.assign(
    (context: AllocationContext, steppedAside?: AllocationDetail) => allocate(context, steppedAside),
    { model },
  );
}

/** The description of an allocator; undefined for one that was not made as a model. */
export function modelOf(allocator: CostAllocator): ModelDescription | undefined {
  return 'model' in allocator ? (allocator as AllocationModel).model : undefined;
}

/**
 * One line that tells how an allocator is wired:
 * `chain(usage_ratio(bytes) → even_split(mergedActive) → terminal(unallocated))`. An allocator that is no
 * model is `custom`.
 * @param params replace the ratios that they name, as they do when the model runs.
 */
export function describeModel(allocator: CostAllocator, params: AllocatorParams = {}): string {
  const model = modelOf(allocator);
  return model ? textOf(model, params) : 'custom';
}

function textOf({ name, subject, parts }: ModelDescription, params: AllocatorParams): string {
  if (!parts) return subject === undefined ? name : `${name}(${subject})`;
  const inner = parts.map(({ model, ratio, param }) => {
    const text = textOf(model, params);
    if (ratio === undefined) return text;
    const given = param === undefined ? undefined : params[param];
    return `${given === undefined ? ratio : String(given)} × ${text}`;
  });
  return `${name}(${inner.join(name === 'composite' ? ' + ' : ' → ')})`;
}

export function modelError(message: string, fix: string): ChargebackError {
  return new ChargebackError('CB_ALLOCATION_MODEL', message, { fix });
}

/** Plain JavaScript may hand over anything: says which place holds something that is no model. */
export function assertModel(candidate: unknown, place: string): void {
  const described = typeof candidate === 'function' && 'model' in candidate;
  if (!described || typeof candidate.model !== 'object' || candidate.model === null) {
    throw modelError(
      `${place} is not an allocation model`,
      'Use the models of this package, or wrap a function with allocationModel({ name, terminal }, function).',
    );
  }
}
