export { activeFraction, type Fraction } from './active-fraction.ts';
export { discoverPlugins, type DiscoveryOptions, type PluginModule } from './discover-plugins.ts';
export type { ConfiguredEmitter } from './configured-emitter.ts';
export { lineWindow } from './line-window.ts';
export {
  type LoadedPlugin,
  type PluginFailure,
  type PluginOrigin,
  PluginRegistry,
} from './plugin-registry.ts';
export { type LoadedExtension, loadExtension, type ExtensionKind } from './overrides/load-extension.ts';
export { locateModule, locatePackage, type ModulePlaces } from './overrides/locate-module.ts';
export { looksLikeReference, parseReference } from './overrides/reference.ts';
export {
  NO_OVERRIDES,
  type Override,
  type OverridesToResolve,
  resolveOverrides,
  type TenantOverrides,
} from './overrides/tenant-overrides.ts';
export type { ProgressEvent, ProgressListener, Stage } from './progress.ts';
export { retentionStart } from './prune.ts';
export { runTenant } from './run-tenant.ts';
export {
  DEFAULT_LIMITS,
  failedRun,
  type ProcessRegistry,
  type RunOptions,
  type TenantDefinition,
  type TenantLimits,
  type TenantRun,
} from './tenant-definition.ts';
export { exitCodeOf, runTenants, type RunTenantsOptions } from './run-tenants.ts';
export { Wiring, type WiringOptions, type WiringRow } from './wiring.ts';
