import assert from 'node:assert/strict';
import {
  type AllocatorDefinition,
  type CostAllocator,
  type IdentityResolver,
  type IdentityResolverDefinition,
  isStepAside,
  type OverrideHost,
} from '@chargeback/plugin-api';
import type { TestRunner } from '../storage-suite/store-test.ts';
import { assertConserved, assertPlan, type KnownBesides, weightsOf } from './assert-plan.ts';
import {
  cannedContexts,
  type ContextOptions,
  randomAmounts,
  shuffled,
  withAmount,
} from './canned-contexts.ts';
import { withoutMutation } from './frozen.ts';
import { silentLogger } from './silent-logger.ts';

export interface HandlerOptions extends ContextOptions {
  /** Names the tests; default: what is tested. */
  readonly name?: string;
  /** Parameters of a defined allocator or resolver, as they are written in YAML. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Texts of the files that it reads, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface AllocatorOptions extends HandlerOptions {
  /** For a model that stands before others in a chain: it may step aside. An override may not. */
  readonly mayStepAside?: boolean;
}

/**
 * The conformance suite of an allocator, in vitest and in `node:test`: it answers for every kind of line, with
 * usable weights for identities that exist, the same whenever and in whatever order it is asked, without touching
 * its inputs, and not a cent of a random bill is lost.
 */
export function testAllocator(
  runner: TestRunner,
  allocator: CostAllocator | AllocatorDefinition,
  options: AllocatorOptions = {},
): void {
  const { describe, it } = runner;
  const known: KnownBesides = {
    identities: new Set(textsOf(options.params)),
    ...(options.queryKeys ? { queryKeys: options.queryKeys } : {}),
  };
  const make = (): CostAllocator =>
    typeof allocator === 'function' ? allocator : created(allocator, options);
  describe(`allocator ${options.name ?? 'under test'}`, () => {
    for (const { name, context } of cannedContexts(options)) {
      it(`answers for a line with ${name}, the same twice and in any order, and changes nothing`, async () => {
        const allocate = make();
        const outcome = withoutMutation(context, allocate);
        if (options.mayStepAside && isStepAside(outcome)) return;
        const plan = weightsOf(assertPlan(outcome, context, known));
        assert.deepEqual(weightsOf(assertPlan(allocate(context), context, known)), plan, 'asked twice');
        const other = shuffled(context);
        assert.deepEqual(weightsOf(assertPlan(allocate(other), other, known)), plan, 'in another order');
        assert.deepEqual(weightsOf(assertPlan(make()(context), context, known)), plan, 'made anew');
      });
    }
    it('loses and invents no cent of 300 random bills', async () => {
      const allocate = make();
      for (const { context } of cannedContexts(options)) {
        for (const units of randomAmounts(30)) {
          const line = withAmount(context, units);
          const outcome = allocate(line);
          if (options.mayStepAside && isStepAside(outcome)) continue;
          assertConserved(assertPlan(outcome, line, known), units);
        }
      }
    });
  });
}

/** The conformance suite of an identity resolver, in vitest and in `node:test`. */
export function testIdentityResolver(
  runner: TestRunner,
  resolver: IdentityResolver | IdentityResolverDefinition,
  options: HandlerOptions = {},
): void {
  const { describe, it } = runner;
  const make = (): IdentityResolver =>
    typeof resolver === 'function' ? resolver : created(resolver, options);
  describe(`identity resolver ${options.name ?? 'under test'}`, () => {
    for (const { name, context } of cannedContexts(options)) {
      it(`answers for a line with ${name}, the same twice and in any order, and changes nothing`, async () => {
        const resolve = make();
        const names = namesOf(withoutMutation(context, resolve));
        assert.deepEqual(namesOf(resolve(context)), names, 'asked twice');
        assert.deepEqual(namesOf(resolve(shuffled(context))), names, 'in another order');
        assert.deepEqual(namesOf(make()(context)), names, 'made anew');
      });
    }
  });
}

function namesOf(resolution: ReturnType<IdentityResolver>): unknown {
  assert.ok(typeof resolution === 'object' && resolution !== null, `it returned ${String(resolution)}`);
  assert.ok(!('then' in resolution), 'it returned a promise: resolvers are synchronous');
  const sets = [resolution.resourceActive, resolution.metricsDerived].map((set) => {
    assert.ok(Array.isArray(set), 'resourceActive and metricsDerived are lists of identities');
    return set.map((identity) => {
      assert.ok(
        identity.identityId.length > 0 && identity.identityId.isWellFormed(),
        'an identity has an id',
      );
      assert.ok(identity.identityType.length > 0, `${identity.identityId} has a type`);
      assert.notEqual(identity.identityType, 'system', `${identity.identityId} is the engine's own`);
      return identity.identityId;
    });
  });
  const owners = [...(resolution.usageOwners ?? [])].map(([name, owner]) => `${name} = ${owner}`);
  // The engine sorts and removes doubles.
  return [...sets, owners].map((names) => [...new Set(names)].toSorted());
}

function created<Handler>(
  definition: {
    readonly params: AllocatorDefinition['params'];
    create(params: unknown, host: OverrideHost): Handler;
  },
  { params = {}, files = {} }: HandlerOptions,
): Handler {
  const readText = (file: string): string => {
    const text = files[file];
    assert.ok(text !== undefined, `it reads ${file}, which is not among the files of this test`);
    return text;
  };
  return definition.create(definition.params.parse(params), { logger: silentLogger, readText });
}

function* textsOf(value: unknown): Iterable<string> {
  if (typeof value === 'string') yield value;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    yield key;
    yield* textsOf(inner);
  }
}
