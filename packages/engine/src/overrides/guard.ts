import {
  ChargebackError,
  type CostAllocator,
  describeCause,
  type IdentityResolver,
  type ResolveContext,
} from '@chargeback/plugin-api';
import { checkedPlan, checkedResolution, isThenable, type KnownBesides } from './check-outcome.ts';
import { readOnly } from './read-only.ts';

/** Whose code it is, as problems name it: `allocator teams.weighted (config.yaml:14)`. */
export interface Guarded extends KnownBesides {
  readonly label: string;
}

/** An allocator of others: it sees inputs that it cannot change, and what it returns is checked. */
export function guardAllocator(allocate: CostAllocator, { label, ...known }: Guarded): CostAllocator {
  return (context) => {
    const frozen = readOnlyContext(context);
    return blaming(label, () => checkedPlan(settled(allocate(frozen)), frozen, known));
  };
}

/** A resolver of others, likewise. */
export function guardResolver(resolve: IdentityResolver, { label }: Guarded): IdentityResolver {
  return (context) => {
    const frozen = readOnlyContext(context);
    return blaming(label, () => checkedResolution(settled(resolve(frozen))));
  };
}

function readOnlyContext<Context extends ResolveContext>({ usage, ...data }: Context): Context {
  const frozen = { ...readOnly(data), usage: (queryKey: string) => readOnly(usage(queryKey)) };
  return Object.freeze(frozen) as unknown as Context;
}

/** A promise is refused by the checks; its rejection must not end the process besides. */
function settled(outcome: unknown): unknown {
  if (isThenable(outcome)) Promise.resolve(outcome).catch(() => undefined);
  return outcome;
}

function blaming<Outcome>(label: string, call: () => Outcome): Outcome {
  try {
    return call();
  } catch (cause) {
    const fix = ChargebackError.isInstance(cause) ? { fix: cause.fix } : { fix: `Mend ${label}.` };
    throw new ChargebackError('CB_ALLOCATION_FAILED', `${label}: ${describeCause(cause)}`, { cause, ...fix });
  }
}
