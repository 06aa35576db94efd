import {
  type AllocatorDefinition,
  API_VERSION,
  ChargebackError,
  type CostAllocator,
  describeCause,
  type EmitterDefinition,
  type IdentityResolver,
  type IdentityResolverDefinition,
  NO_PARAMS,
} from '@chargeback/plugin-api';
import { locateModule, type ModulePlaces } from './locate-module.ts';
import { parseReference } from './reference.ts';

/** What code of others can be named for, by kind. */
export interface Extensions {
  readonly allocator: AllocatorDefinition;
  readonly 'identity-resolver': IdentityResolverDefinition;
  readonly emitter: EmitterDefinition;
}

export type ExtensionKind = keyof Extensions;

export interface LoadedExtension<Kind extends ExtensionKind> {
  readonly definition: Extensions[Kind];
  /** The module that it came from. */
  readonly url: string;
}

const WRAPPERS: Record<ExtensionKind, string> = {
  allocator: 'defineAllocator({ params, create })',
  'identity-resolver': 'defineIdentityResolver({ params, create })',
  emitter: 'defineEmitter({ type, params, create })',
};

/**
 * Imports what a path names. This runs the module: whoever writes the configuration is trusted.
 * @throws {ChargebackError} `CB_OVERRIDE_SYNTAX`, `_MODULE`, `_IMPORT`, `_EXPORT` or `_KIND`.
 */
export async function loadExtension<Kind extends ExtensionKind>(
  kind: Kind,
  text: string,
  places: ModulePlaces,
): Promise<LoadedExtension<Kind>> {
  const reference = parseReference(text);
  const url = locateModule(reference, places);
  const module = await importModule(url);
  if (!Object.hasOwn(module, reference.exportName)) {
    const names = Object.keys(module);
    throw new ChargebackError('CB_OVERRIDE_EXPORT', `${url} does not export ${reference.exportName}`, {
      fix: names.length === 0 ? 'It exports nothing.' : `Use one of its exports: ${names.join(', ')}.`,
    });
  }
  return { definition: definitionOf(kind, module[reference.exportName]), url };
}

async function importModule(url: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (cause) {
    const missing = /Cannot find package '(?<name>[^']+)'/u.exec(describeCause(cause))?.groups?.['name'];
    throw new ChargebackError('CB_OVERRIDE_IMPORT', `${url} cannot be loaded: ${describeCause(cause)}`, {
      cause,
      ...(missing === undefined
        ? {}
        : { fix: `Install ${missing} beside the configuration file: npm install ${missing}.` }),
    });
  }
}

function definitionOf<Kind extends ExtensionKind>(kind: Kind, value: unknown): Extensions[Kind] {
  if (typeof value === 'function' && kind !== 'emitter') {
    const handler = value as CostAllocator & IdentityResolver;
    const plain = { kind, apiVersion: API_VERSION, params: NO_PARAMS, create: () => handler };
    return plain as unknown as Extensions[Kind];
  }
  const found = isObject(value) && typeof value['kind'] === 'string' ? value['kind'] : typeof value;
  if (!isObject(value) || found !== kind) {
    throw wrongKind(kind, `it is of kind ${found}, ${kind} is wanted`);
  }
  if (typeof value['create'] !== 'function') throw wrongKind(kind, 'it has no function create');
  if (!isObject(value['params']) || typeof value['params']['safeParse'] !== 'function') {
    throw wrongKind(kind, 'its params are no zod schema');
  }
  if (value['apiVersion'] !== API_VERSION) {
    throw new ChargebackError(
      'CB_OVERRIDE_KIND',
      `it speaks contract version ${String(value['apiVersion'])}, this engine speaks ${API_VERSION}`,
      { fix: 'Install a version made for this engine.' },
    );
  }
  return value as unknown as Extensions[Kind];
}

function wrongKind(kind: ExtensionKind, what: string): ChargebackError {
  const plain = kind === 'emitter' ? '' : ' Without parameters a plain function will do.';
  return new ChargebackError('CB_OVERRIDE_KIND', what, { fix: `Export ${WRAPPERS[kind]}.${plain}` });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
