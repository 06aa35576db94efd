import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LoadedConfig, loadConfig } from '@chargeback/config';
import { discoverPlugins, type PluginModule, type PluginRegistry } from '@chargeback/engine';
import { ChargebackError, type Logger } from '@chargeback/plugin-api';
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
}

/** A loaded configuration with its logger and its plugins. */
export interface Session {
  readonly loaded: LoadedConfig;
  readonly logger: Logger;
  readonly registry: PluginRegistry;
  readonly workingDirectory: string;
}

export async function openSession(options: ConfigOptions, context: ProcessContext): Promise<Session> {
  const loaded = await loadConfig({
    file: path.resolve(context.cwd(), options.config),
    environment: context.env,
    workingDirectory: context.cwd(),
    ...(options.envFile === undefined ? {} : { envFile: path.resolve(context.cwd(), options.envFile) }),
  });
  const logger = createLogger({ logging: loaded.config.logging, stream: context.stderr });
  for (const { code, message, line, path: place } of loaded.warnings) {
    logger.warn({ code, line, path: place }, message);
  }
  const registry = await discoverAll(loaded, { logger, workingDirectory: context.cwd() });
  return { loaded, logger, registry, workingDirectory: context.cwd() };
}

async function discoverAll(
  loaded: LoadedConfig,
  { logger, workingDirectory }: { logger: Logger; workingDirectory: string },
): Promise<PluginRegistry> {
  return discoverPlugins({
    builtIns: await builtInPlugins(),
    packages: loaded.config.plugins,
    pluginsPath: loaded.config.plugins_path,
    workingDirectory,
    importPackage: (name) => import(name),
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
    load: () => import(String(name)) as Promise<unknown>,
  }));
}
