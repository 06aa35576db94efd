import { z } from 'zod';
import type { CostAllocator, IdentityResolver } from './allocation.ts';
import type { EmitterPlugin } from './emitter.ts';
import type { Logger } from './logger.ts';
import { API_VERSION } from './plugin.ts';

/** What an override gets instead of globals when it is made, once per tenant and product type. */
export interface OverrideHost {
  readonly logger: Logger;
  /**
   * The text of a file beside the configuration. What was read counts as a part of the override: when the file
   * changes, the days that it decided are calculated again.
   */
  readonly readText: (file: string) => string;
}

/** An allocator with parameters, as `allocator_overrides` may name it. Made by {@link defineAllocator}. */
export interface AllocatorDefinition<Params = unknown> {
  readonly kind: 'allocator';
  readonly apiVersion: number;
  /** Strict: an unknown parameter is an error. */
  readonly params: z.ZodType<Params>;
  create(params: Params, host: OverrideHost): CostAllocator;
}

/** A resolver with parameters, as `identity_resolution_overrides` may name it. */
export interface IdentityResolverDefinition<Params = unknown> {
  readonly kind: 'identity-resolver';
  readonly apiVersion: number;
  readonly params: z.ZodType<Params>;
  create(params: Params, host: OverrideHost): IdentityResolver;
}

/** An emitter, as `emitters[].type` may name it by its path. */
export interface EmitterDefinition<Params = unknown> extends EmitterPlugin<Params> {
  readonly kind: 'emitter';
  readonly apiVersion: number;
}

type Defined<Definition> = Omit<Definition, 'kind' | 'apiVersion'>;

/** The parameters of an override that takes none. */
export const NO_PARAMS = z.strictObject({});

/** Marks an allocator with parameters. One without may be exported as a plain {@link CostAllocator}. */
export function defineAllocator<Params>(
  definition: Defined<AllocatorDefinition<Params>>,
): AllocatorDefinition<Params> {
  return { ...definition, kind: 'allocator', apiVersion: API_VERSION };
}

/** Marks a resolver with parameters. One without may be exported as a plain {@link IdentityResolver}. */
export function defineIdentityResolver<Params>(
  definition: Defined<IdentityResolverDefinition<Params>>,
): IdentityResolverDefinition<Params> {
  return { ...definition, kind: 'identity-resolver', apiVersion: API_VERSION };
}

export function defineEmitter<Params>(
  definition: Defined<EmitterDefinition<Params>>,
): EmitterDefinition<Params> {
  return { ...definition, kind: 'emitter', apiVersion: API_VERSION };
}
