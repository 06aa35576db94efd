import { ChargebackError, type EcosystemPlugin } from '@chargeback/plugin-api';

/** Where a plugin came from: a package name or a folder. */
export interface PluginOrigin {
  readonly kind: 'built-in' | 'folder' | 'package';
  readonly name: string;
}

export interface LoadedPlugin {
  readonly plugin: EcosystemPlugin;
  readonly origin: PluginOrigin;
}

/** A plugin that did not load: a warning, until a tenant names its ecosystem. */
export interface PluginFailure {
  readonly origin: PluginOrigin;
  readonly error: ChargebackError;
}

/** The ecosystems that registered, by name and alias. */
export class PluginRegistry {
  readonly plugins: readonly LoadedPlugin[];
  readonly failures: readonly PluginFailure[];
  readonly #byName = new Map<string, LoadedPlugin>();

  constructor(plugins: readonly LoadedPlugin[], failures: readonly PluginFailure[]) {
    this.plugins = plugins;
    this.failures = failures;
    for (const loaded of plugins) {
      for (const name of [loaded.plugin.ecosystem, ...(loaded.plugin.aliases ?? [])])
        this.#byName.set(name, loaded);
    }
  }

  find(ecosystem: string): LoadedPlugin | undefined {
    return this.#byName.get(ecosystem);
  }

  /** @throws {ChargebackError} `CB_PLUGIN_UNKNOWN_ECOSYSTEM`, quoting why plugins failed to load. */
  get(ecosystem: string): LoadedPlugin {
    const loaded = this.find(ecosystem);
    if (loaded) return loaded;
    const failed = this.failures.map(({ error }) => error.message);
    const quoted = failed.length > 0 ? `; plugins that failed to load: ${failed.join('; ')}` : '';
    throw new ChargebackError(
      'CB_PLUGIN_UNKNOWN_ECOSYSTEM',
      `no plugin registered the ecosystem ${JSON.stringify(ecosystem)}${quoted}`,
      { fix: `Use one of: ${this.names().join(', ') || '(none registered)'}.`, path: 'ecosystem' },
    );
  }

  /** Ecosystem names, sorted; aliases are not listed. */
  names(): string[] {
    return this.plugins.map(({ plugin }) => plugin.ecosystem).toSorted();
  }
}
