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

/** The simulators have no limit: what is measured is the engine, not how politely it asks. */
const REQUESTS_PER_SECOND = 100_000;

type Settings = ReturnType<EcosystemPlugin['settings']['parse']>;

/** Settings of a shape as its plugin wants them, without the limit on requests in time. */
export function settingsOf(plugin: EcosystemPlugin, served: object): Settings {
  const settings = plugin.settings.parse(served) as Settings & { readonly ccloud_api?: object };
  if (!settings.ccloud_api) return settings;
  const ccloud_api = { ...settings.ccloud_api, requests_per_second: REQUESTS_PER_SECOND };
  return Object.assign(settings, { ccloud_api });
}
