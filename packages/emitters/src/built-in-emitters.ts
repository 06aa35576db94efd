import { ChargebackError, type EmitterPlugin } from '@chargeback/plugin-api';
import { csvEmitter } from './csv-emitter.ts';
import { prometheusEmitter } from './prometheus-emitter.ts';

/** The emitters that need no dotted path. */
export const builtInEmitters: readonly EmitterPlugin[] = [csvEmitter, prometheusEmitter];

/**
 * The built-in emitter of that type.
 * @throws {ChargebackError} `CB_EMIT_SETTINGS`, listing the types there are.
 */
export function findEmitter(type: string): EmitterPlugin {
  const found = builtInEmitters.find((plugin) => plugin.type === type);
  if (found) return found;
  throw new ChargebackError('CB_EMIT_SETTINGS', `no emitter is called ${JSON.stringify(type)}`, {
    fix: `Use one of: ${builtInEmitters.map((plugin) => plugin.type).join(', ')}, or the path of one of your own: dir.module.export.`,
  });
}
