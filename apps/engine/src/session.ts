import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, type LoadedConfig, loadConfig } from '@chargeback/config';
import {
  discoverPlugins,
  locatePackage,
  type ModulePlaces,
  type PluginModule,
  type PluginRegistry,
} from '@chargeback/engine';
import { ChargebackError, type Logger } from '@chargeback/plugin-api';
import { importBuiltIn } from './import-built-in.ts';
import { createLogger } from './logger.ts';

/** What the process gives a command. */
export interface ProcessContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly cwd: () => string;
}

export interface ConfigOptions {
  readonly config: string;
  readonly envFile?: string;
  /** False: no code that the configuration names is run; default true. */
  readonly import?: boolean;
}

/** A loaded configuration with its logger and its plugins. */
export interface Session {
  readonly loaded: LoadedConfig;
  readonly logger: Logger;
  readonly registry: PluginRegistry;
  readonly workingDirectory: string;
  /** Where packages and overrides that the configuration names are looked for. */
  readonly places: ModulePlaces;
}

export async function openSession(options: ConfigOptions, context: ProcessContext): Promise<Session> {
  const loaded = await load(options, context);
  const logger = await createLogger({ logging: loaded.config.logging, stream: context.stderr });
  for (const { code, message, line, path: place } of loaded.warnings) {
    logger.warn({ code, line, path: place }, message);
  }
  const workingDirectory = context.cwd();
  const places = {
    directory: loaded.directory,
    resolveFromApplication: (specifier: string) => import.meta.resolve(specifier),
    stripsTypes: process.features.typescript !== undefined && process.features.typescript !== false,
  };
  const registry =
    options.import === false
      ? await builtInRegistry(logger)
      : await discoverAll(loaded, { logger, workingDirectory, places });
  return { loaded, logger, registry, workingDirectory, places };
}

/** Loads the file; where it has problems, those of the built-in plugins' own sections are told with them. */
async function load(options: ConfigOptions, context: ProcessContext): Promise<LoadedConfig> {
  try {
    return await loadConfig({
      file: path.resolve(context.cwd(), options.config),
      environment: context.env,
      workingDirectory: context.cwd(),
      ...(options.envFile === undefined ? {} : { envFile: path.resolve(context.cwd(), options.envFile) }),
    });
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const logger = await createLogger({
      logging: { level: 'ERROR', per_module_levels: {} },
      stream: context.stderr,
    });
    const registry = await builtInRegistry(logger);
    const more = cause.sections.flatMap(({ ecosystem, problems }) => {
      const found = registry.find(ecosystem);
      return found ? problems(found.plugin.settings) : [];
    });
    throw new ConfigError([...cause.problems, ...more]);
  }
}

async function discoverAll(
  loaded: LoadedConfig,
  { logger, workingDirectory, places }: Pick<Session, 'logger' | 'workingDirectory' | 'places'>,
): Promise<PluginRegistry> {
  return discoverPlugins({
    builtIns: await builtInPlugins(),
    packages: loaded.config.plugins,
    pluginsPath: loaded.config.plugins_path,
    workingDirectory,
    importPackage: (name) => import(locatePackage(name, places)),
    logger,
  });
}

/** Registry of the built-in plugins alone, for commands without a configuration. */
export async function builtInRegistry(logger: Logger): Promise<PluginRegistry> {
  return discoverPlugins({
    builtIns: await builtInPlugins(),
    packages: [],
    pluginsPath: null,
    workingDirectory: '.',
    importPackage: (name) => import(name),
    logger,
  });
}

/** The plugins that this application's package.json names; none is imported by name in code. */
async function builtInPlugins(): Promise<PluginModule[]> {
  const file = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'package.json');
  const manifest: unknown = JSON.parse(await readFile(file, 'utf8'));
  const names = (manifest as { chargeback?: { plugins?: unknown } }).chargeback?.plugins;
  if (!Array.isArray(names))
    throw new ChargebackError('CB_INTERNAL', 'package.json names no built-in plugins');
  return names.map((name: unknown) => ({
    name: String(name),
    load: () => importBuiltIn(String(name)),
  }));
}
