import { configJsonSchema } from '@chargeback/config';
import type { z } from 'zod';
import { createLogger } from '../logger.ts';
import { builtInRegistry, type ProcessContext } from '../session.ts';

/** `chargeback config schema`: the JSON schema of the configuration file, for editors. */
export async function configSchema(context: ProcessContext): Promise<number> {
  const logging = { level: 'WARNING', per_module_levels: {} } as const;
  const registry = await builtInRegistry(await createLogger({ logging, stream: context.stderr }));
  const schemas: Record<string, z.ZodType> = {};
  for (const { plugin } of registry.plugins) {
    for (const name of [plugin.ecosystem, ...(plugin.aliases ?? [])]) schemas[name] = plugin.settings;
  }
  context.stdout.write(`${JSON.stringify(configJsonSchema(schemas), undefined, 2)}\n`);
  return 0;
}
