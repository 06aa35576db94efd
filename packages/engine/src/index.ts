export { activeFraction, type Fraction } from './active-fraction.ts';
export { discoverPlugins, type DiscoveryOptions, type PluginModule } from './discover-plugins.ts';
export type { ConfiguredEmitter } from './emit.ts';
export { lineWindow } from './line-window.ts';
export {
  type LoadedPlugin,
  type PluginFailure,
  type PluginOrigin,
  PluginRegistry,
} from './plugin-registry.ts';
export type { ProgressEvent, ProgressListener, Stage } from './progress.ts';
export {
  failedRun,
  type RunOptions,
  runTenant,
  type TenantDefinition,
  type TenantRun,
} from './run-tenant.ts';
export { exitCodeOf, runTenants, type RunTenantsOptions } from './run-tenants.ts';
