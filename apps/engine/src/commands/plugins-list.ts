import type { PluginRegistry } from '@chargeback/engine';
import { createLogger } from '../logger.ts';
import { paintFor } from '../output/paint.ts';
import { renderTable } from '../output/render-table.ts';
import { builtInRegistry, openSession, type ProcessContext } from '../session.ts';

export interface PluginsListOptions {
  readonly config?: string;
  readonly envFile?: string;
  readonly json?: boolean;
}

/** `chargeback plugins list`: which ecosystems are there, from where, and what failed to load. */
export async function pluginsList(options: PluginsListOptions, context: ProcessContext): Promise<number> {
  const registry = await registryFor(options, context);
  const exitCode = registry.failures.length > 0 ? 1 : 0;
  if (options.json) {
    context.stdout.write(`${JSON.stringify(jsonOf(registry), undefined, 2)}\n`);
    return exitCode;
  }
  const rows = registry.plugins.map(({ plugin, origin }) => [
    plugin.ecosystem,
    (plugin.aliases ?? []).join(', '),
    String(plugin.apiVersion),
    `${origin.kind}: ${origin.name}`,
  ]);
  const titles = ['Ecosystem', 'Aliases', 'Contract', 'Origin'];
  context.stdout.write(
    renderTable(
      titles.map((title) => ({ title })),
      rows,
    ),
  );
  const paint = paintFor(context.stdout);
  for (const { error } of registry.failures) {
    context.stdout.write(`${paint.bad('✗')} ${error.message}\n  ${paint.dim(error.fix)}\n`);
  }
  return exitCode;
}

async function registryFor(options: PluginsListOptions, context: ProcessContext): Promise<PluginRegistry> {
  if (options.config !== undefined) {
    const { config, envFile } = options;
    return (await openSession({ config, ...(envFile === undefined ? {} : { envFile }) }, context)).registry;
  }
  return builtInRegistry(
    await createLogger({ logging: { level: 'INFO', per_module_levels: {} }, stream: context.stderr }),
  );
}

function jsonOf(registry: PluginRegistry): object {
  return {
    plugins: registry.plugins.map(({ plugin, origin }) => ({
      ecosystem: plugin.ecosystem,
      aliases: plugin.aliases ?? [],
      api_version: plugin.apiVersion,
      origin,
    })),
    failures: registry.failures.map(({ origin, error }) => ({
      origin,
      code: error.code,
      message: error.message,
    })),
  };
}
