import { API_VERSION, ChargebackError, type EcosystemPlugin } from '@chargeback/plugin-api';

type Adapter = (plugin: EcosystemPlugin) => EcosystemPlugin;

/**
 * Contract versions that are understood, each with what makes a plugin of today out of one written for it. When
 * the contract changes, the version before gets an adapter here instead of every plugin getting a new release.
 */
const ADAPTERS: ReadonlyMap<number, Adapter> = new Map([[API_VERSION, (plugin) => plugin]]);

/** @throws {ChargebackError} `CB_PLUGIN_API_VERSION` for a version that is not understood. */
export function adaptPlugin(plugin: EcosystemPlugin): EcosystemPlugin {
  const adapter = ADAPTERS.get(plugin.apiVersion);
  if (adapter) return adapter(plugin);
  const newer = plugin.apiVersion > API_VERSION;
  throw new ChargebackError(
    'CB_PLUGIN_API_VERSION',
    `the plugin speaks contract version ${plugin.apiVersion}, this engine understands ${[...ADAPTERS.keys()].join(', ')}`,
    { fix: newer ? 'Update the engine, or install an older version of the plugin.' : 'Update the plugin.' },
  );
}
