import type { EcosystemPlugin } from '@chargeback/plugin-api';
import type { ShapeName } from './shapes.ts';

/** Loads what bills a shape, and nothing else: what a process loads is in its figures. */
export async function pluginOf(shape: ShapeName): Promise<EcosystemPlugin> {
  switch (shape) {
    case 'generic-metrics':
      return (await import('@chargeback/plugin-generic-metrics')).register();
    case 'self-managed-kafka':
      return (await import('@chargeback/plugin-self-managed-kafka')).register();
    case 'ccloud':
    case 'ccloud-large':
      return (await import('@chargeback/plugin-ccloud')).register();
  }
}
