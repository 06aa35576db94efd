import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  ChargebackError,
  describeCause,
  type EcosystemPlugin,
  type Logger,
  type Register,
} from '@chargeback/plugin-api';
import { adaptPlugin } from './adapt-plugin.ts';
import {
  type LoadedPlugin,
  type PluginFailure,
  type PluginOrigin,
  PluginRegistry,
} from './plugin-registry.ts';

export interface DiscoveryOptions {
  /** Modules of the plugins that ship with the application, in order. */
  readonly builtIns: readonly PluginModule[];
  /** Names of installed packages, from the configuration. */
  readonly packages: readonly string[];
  /** Folder whose every sub-folder is a plugin; null for none. Relative to `workingDirectory`. */
  readonly pluginsPath: string | null;
  readonly workingDirectory: string;
  /** Imports a package by name, as the application would. */
  readonly importPackage: (name: string) => Promise<unknown>;
  readonly logger: Logger;
}

export interface PluginModule {
  readonly name: string;
  readonly load: () => Promise<unknown>;
}

interface Candidate {
  readonly origin: PluginOrigin;
  readonly load: () => Promise<unknown>;
}

/**
 * Finds every plugin: built-ins, then packages named in the configuration, then the sub-folders of
 * `pluginsPath`. One that fails is a warning with its cause; the others go on.
 */
export async function discoverPlugins(options: DiscoveryOptions): Promise<PluginRegistry> {
  const plugins: LoadedPlugin[] = [];
  const failures: PluginFailure[] = [];
  for (const candidate of await candidatesOf(options, failures)) {
    try {
      const plugin = registerPlugin(await candidate.load());
      assertNotTaken(plugin, plugins);
      plugins.push({ plugin, origin: candidate.origin });
    } catch (cause) {
      failures.push({ origin: candidate.origin, error: loadError(candidate.origin, cause) });
    }
  }
  for (const { origin, error } of failures) {
    options.logger.warn(
      { plugin: origin.name, code: error.code, error },
      `plugin not loaded: ${error.message}`,
    );
  }
  return new PluginRegistry(plugins, failures);
}

async function candidatesOf(options: DiscoveryOptions, failures: PluginFailure[]): Promise<Candidate[]> {
  const builtIns = options.builtIns.map(({ name, load }): Candidate => ({
    origin: { kind: 'built-in', name },
    load,
  }));
  const packages = options.packages.map((name): Candidate => ({
    origin: { kind: 'package', name },
    load: () => options.importPackage(name),
  }));
  if (options.pluginsPath === null) return [...builtIns, ...packages];
  const folder = path.resolve(options.workingDirectory, options.pluginsPath);
  try {
    return [...builtIns, ...packages, ...(await folderCandidates(folder))];
  } catch (cause) {
    const origin: PluginOrigin = { kind: 'folder', name: folder };
    failures.push({ origin, error: loadError(origin, cause) });
    return [...builtIns, ...packages];
  }
}

async function folderCandidates(folder: string): Promise<Candidate[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter(
      (entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !/^[._]|^node_modules$/.test(entry.name),
    )
    .map((entry) => path.join(folder, entry.name))
    .toSorted()
    .map((directory) => ({
      origin: { kind: 'folder', name: directory },
      load: () => importFolder(directory),
    }));
}

async function importFolder(directory: string): Promise<unknown> {
  const entry = await entryOf(directory);
  return import(pathToFileURL(entry).href);
}

async function entryOf(directory: string): Promise<string> {
  const tried: string[] = [];
  const manifest = path.join(directory, 'package.json');
  const names = ['index.js', 'index.mjs', 'index.ts', 'src/index.ts', 'dist/index.js'];
  if (existsSync(manifest)) {
    const parsed: unknown = JSON.parse(await readFile(manifest, 'utf8'));
    const main = entryInManifest(parsed);
    if (main !== undefined) names.unshift(main);
  }
  for (const name of names) {
    const file = path.join(directory, name);
    if (existsSync(file)) return file;
    tried.push(name);
  }
  throw new ChargebackError('CB_PLUGIN_LOAD', `no entry file in ${directory}; tried ${tried.join(', ')}`, {
    fix: 'Add an index.js that exports register(), or name it as "main" in package.json.',
  });
}

function entryInManifest(manifest: unknown): string | undefined {
  if (typeof manifest !== 'object' || manifest === null) return undefined;
  const { main, exports } = manifest as { main?: unknown; exports?: unknown };
  if (typeof exports === 'string') return exports;
  const root = typeof exports === 'object' && exports !== null && '.' in exports ? exports['.'] : undefined;
  if (typeof root === 'string') return root;
  if (typeof root === 'object' && root !== null && 'default' in root && typeof root.default === 'string') {
    return root.default;
  }
  return typeof main === 'string' ? main : undefined;
}

function registerPlugin(module: unknown): EcosystemPlugin {
  const register =
    typeof module === 'object' && module !== null && 'register' in module ? module.register : undefined;
  if (typeof register !== 'function') {
    throw new ChargebackError('CB_PLUGIN_LOAD', 'the module does not export a function named register', {
      fix: 'Export `register`, a function that returns the plugin.',
    });
  }
  const plugin: unknown = (register as Register)();
  if (!isPlugin(plugin)) {
    throw new ChargebackError(
      'CB_PLUGIN_LOAD',
      'register() did not return a plugin: apiVersion, ecosystem, settings and create are needed',
    );
  }
  return adaptPlugin(plugin);
}

function isPlugin(value: unknown): value is EcosystemPlugin {
  if (typeof value !== 'object' || value === null) return false;
  const plugin = value as Partial<EcosystemPlugin>;
  return (
    typeof plugin.apiVersion === 'number' &&
    typeof plugin.ecosystem === 'string' &&
    plugin.ecosystem.length > 0 &&
    typeof plugin.create === 'function' &&
    typeof plugin.settings === 'object' &&
    plugin.settings !== null
  );
}

function assertNotTaken(plugin: EcosystemPlugin, others: readonly LoadedPlugin[]): void {
  const names = new Set([plugin.ecosystem, ...(plugin.aliases ?? [])]);
  for (const other of others) {
    const taken = [other.plugin.ecosystem, ...(other.plugin.aliases ?? [])].find((name) => names.has(name));
    if (taken === undefined) continue;
    throw new ChargebackError(
      'CB_PLUGIN_DUPLICATE',
      `the ecosystem ${taken} is already registered by ${other.origin.name}`,
    );
  }
}

function loadError(origin: PluginOrigin, cause: unknown): ChargebackError {
  if (ChargebackError.isInstance(cause)) {
    return new ChargebackError(cause.code, `${origin.name}: ${cause.message}`, { fix: cause.fix, cause });
  }
  return new ChargebackError('CB_PLUGIN_LOAD', `${origin.name}: ${describeCause(cause)}`, { cause });
}
