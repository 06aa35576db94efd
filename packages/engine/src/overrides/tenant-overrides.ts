import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type ConfigProblem, type LoadedConfig, nearestName } from '@chargeback/config';
import {
  ChargebackError,
  type CostAllocator,
  describeCause,
  type IdentityResolver,
  type Logger,
  type OverrideSpec,
  type PluginSettingsBase,
  type ProductRoute,
  type RoutingTable,
} from '@chargeback/plugin-api';
import { canonicalJson, digestOf } from '../fingerprint.ts';
import { type ExtensionKind, type LoadedExtension, loadExtension } from './load-extension.ts';
import { locateModule, type ModulePlaces } from './locate-module.ts';
import { moduleDigest } from './module-digest.ts';
import { parseReference } from './reference.ts';
import { type Rehearsal, rehearseAllocator, rehearseResolver } from './rehearse.ts';

/** A handler that a configuration put in the place of the plugin's own. */
export interface Override<Handler> {
  /** As it is written in the configuration. */
  readonly use: string;
  /** File and line that name it: `config.yaml:14`. */
  readonly place: string;
  readonly handler: Handler;
  /** Every text in its parameters: identities that the configuration names need no inventory. */
  readonly named?: ReadonlySet<string>;
}

/** The overrides of one tenant by product type. */
export interface TenantOverrides {
  readonly allocators: ReadonlyMap<string, Override<CostAllocator>>;
  readonly resolvers: ReadonlyMap<string, Override<IdentityResolver>>;
  /** Of everything that decides what they do: paths, parameters, the text of modules and of files they read. */
  readonly digest: string;
}

export const NO_OVERRIDES: TenantOverrides = { allocators: new Map(), resolvers: new Map(), digest: '' };

export interface OverridesToResolve {
  readonly loaded: LoadedConfig;
  /** Path of the tenant's `plugin_settings`. */
  readonly section: readonly (string | number)[];
  readonly settings: PluginSettingsBase;
  /** Undefined where the plugin tells it only once it is connected: the product types are checked then. */
  readonly routing: RoutingTable | undefined;
  readonly places: ModulePlaces;
  /** False: modules are found, but not run. */
  readonly importCode: boolean;
  readonly logger: Logger;
}

/** Checks every override and makes it ready. No money moves before; all problems are told together. */
export async function resolveOverrides(
  tenant: OverridesToResolve,
): Promise<{ readonly overrides: TenantOverrides } | { readonly problems: readonly ConfigProblem[] }> {
  const problems: ConfigProblem[] = [];
  const digests: string[] = [];
  const { allocator_overrides, identity_resolution_overrides } = tenant.settings;
  const allocators = new Map<string, Override<CostAllocator>>();
  const resolvers = new Map<string, Override<IdentityResolver>>();
  for (const [productType, spec] of Object.entries(allocator_overrides)) {
    const attempt = new Attempt(tenant, { key: 'allocator_overrides', productType, spec });
    const handler = await attempt.make('allocator', rehearseAllocator);
    if (handler) allocators.set(productType, handler);
    problems.push(...attempt.problems);
    digests.push(...attempt.digestParts);
  }
  for (const [productType, spec] of Object.entries(identity_resolution_overrides)) {
    const attempt = new Attempt(tenant, { key: 'identity_resolution_overrides', productType, spec });
    const handler = await attempt.make('identity-resolver', rehearseResolver);
    if (handler) resolvers.set(productType, handler);
    problems.push(...attempt.problems);
    digests.push(...attempt.digestParts);
  }
  if (problems.length > 0) return { problems };
  return { overrides: { allocators, resolvers, digest: digests.length === 0 ? '' : digestOf(digests) } };
}

/**
 * The route that an override replaces a part of.
 * @throws {ChargebackError} `CB_OVERRIDE_PRODUCT_TYPE` with the nearest name.
 */
export function routeToOverride(productType: string, { routes, fallback }: RoutingTable): ProductRoute {
  const found = [...routes, fallback].find((route) => route.productType === productType);
  if (found) return found;
  const names = [...routes, fallback].map((route) => route.productType).toSorted();
  const near = nearestName(productType, names);
  throw new ChargebackError(
    'CB_OVERRIDE_PRODUCT_TYPE',
    `there is no product type ${JSON.stringify(productType)}${near === undefined ? '' : `; did you mean ${near}?`}`,
    { fix: `Use one of: ${names.join(', ')}.` },
  );
}

interface WrittenOverride {
  readonly key: 'allocator_overrides' | 'identity_resolution_overrides';
  readonly productType: string;
  readonly spec: OverrideSpec;
}

type Handlers = { allocator: CostAllocator; 'identity-resolver': IdentityResolver };
type Rehearse<Handler> = (rehearsal: Rehearsal<Handler>) => void;

/** One override on its way from text to handler. */
class Attempt {
  readonly problems: ConfigProblem[] = [];
  readonly digestParts: string[] = [];
  readonly #tenant: OverridesToResolve;
  readonly #written: WrittenOverride;
  readonly #path: readonly (string | number)[];

  constructor(tenant: OverridesToResolve, written: WrittenOverride) {
    this.#tenant = tenant;
    this.#written = written;
    this.#path = [...tenant.section, written.key, written.productType];
  }

  /** The override, or undefined with problems; undefined without any where code is not to be run. */
  async make<Kind extends keyof Handlers & ExtensionKind>(
    kind: Kind,
    rehearse: Rehearse<Handlers[Kind]>,
  ): Promise<Override<Handlers[Kind]> | undefined> {
    const { productType, spec } = this.#written;
    const { routing, settings, places, importCode, loaded } = this.#tenant;
    const route = routing && this.#guarded(() => routeToOverride(productType, routing));
    if (!importCode) {
      this.#guarded(() => locateModule(parseReference(spec.use), places));
      return undefined;
    }
    const extension = await this.#load(kind);
    if (!extension) return undefined;
    const params = loaded.checkSection([...this.#path, 'params'], extension.definition.params);
    if ('problems' in params) {
      this.problems.push(...params.problems);
      return undefined;
    }
    const handler = this.#create(extension, params.value);
    if (!handler) return undefined;
    const named = new Set(textsOf(spec.params));
    this.digestParts.push(
      kind,
      productType,
      spec.use,
      canonicalJson(spec.params),
      moduleDigest(extension.url),
    );
    if (route) this.#guarded(() => rehearse({ handler, route, params: settings.allocator_params, named }));
    const { file, line } = loaded.problemAt(this.#path, 'CB_OVERRIDE_KIND', '');
    return { use: spec.use, place: `${path.basename(file)}:${line ?? '?'}`, handler, named };
  }

  async #load<Kind extends ExtensionKind>(kind: Kind): Promise<LoadedExtension<Kind> | undefined> {
    try {
      return await loadExtension(kind, this.#written.spec.use, this.#tenant.places);
    } catch (cause) {
      return this.#report(cause);
    }
  }

  #create<Kind extends keyof Handlers>(
    { definition }: LoadedExtension<Kind>,
    params: unknown,
  ): Handlers[Kind] | undefined {
    const { places, logger } = this.#tenant;
    const readText = (file: string): string => {
      const text = readFileSync(path.resolve(places.directory, file), 'utf8');
      this.digestParts.push(file, text);
      return text;
    };
    const host = { logger: logger.child({ override: this.#written.spec.use }), readText };
    try {
      const handler: unknown = definition.create(params, host);
      if (typeof handler === 'function') return handler as Handlers[Kind];
      return this.#report(new ChargebackError('CB_OVERRIDE_CREATE', `create returned ${typeof handler}`));
    } catch (cause) {
      return this.#report(new ChargebackError('CB_OVERRIDE_CREATE', describeCause(cause), { cause }));
    }
  }

  #guarded<Result>(check: () => Result): Result | undefined {
    try {
      return check();
    } catch (cause) {
      return this.#report(cause);
    }
  }

  #report(cause: unknown): undefined {
    if (!ChargebackError.isInstance(cause)) throw cause;
    const message = `${this.#written.spec.use}: ${describeCause(cause)}`;
    this.problems.push(this.#tenant.loaded.problemAt(this.#path, cause.code, message, { fix: cause.fix }));
  }
}

function* textsOf(value: unknown): Iterable<string> {
  if (typeof value === 'string') yield value;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    yield key;
    yield* textsOf(inner);
  }
}
