import type { ConfigProblem, LoadedConfig, TenantConfig } from '@chargeback/config';
import { ConfigError } from '@chargeback/config';
import { type PluginRegistry, resolveOverrides, type TenantDefinition } from '@chargeback/engine';
import {
  ChargebackError,
  describeCause,
  type EcosystemPlugin,
  type EmitterHost,
  type PluginSettingsBase,
  type Problem,
  problemOf,
  type RoutingTable,
} from '@chargeback/plugin-api';
import {
  describeLocation,
  openStore,
  parseConnectionString,
  type StoragePlace,
  storeExists,
  type StoreLocation,
} from '@chargeback/storage';
import { makeEmitters } from './emitters.ts';
import { createHost } from './host.ts';
import type { Session } from './session.ts';

/** Tenants that can run, and what keeps others from it. */
export interface Tenants {
  readonly definitions: readonly ConfiguredTenant[];
  /** Tenants whose ecosystem is not there: they fail alone. */
  readonly unavailable: readonly { readonly name: string; readonly problem: Problem }[];
}

export interface ConfiguredTenant extends TenantDefinition {
  readonly config: TenantConfig;
  /** Where the store is, for people; never with user or password. */
  readonly database: string;
  readonly dialect: StoreLocation['dialect'];
  readonly storage: StoragePlace;
  /** False before the first run: opening the store would make it. */
  readonly hasStore: () => Promise<boolean>;
}

export interface TenantsOptions {
  /** Only this tenant. */
  readonly only?: string | undefined;
  /** False: overrides and emitters of others are found, but not run, and so not there. Default true. */
  readonly importCode?: boolean;
}

/**
 * Checks every tenant's settings against its plugin and makes what the engine needs.
 * @throws {ConfigError} with every problem of every tenant.
 */
export async function configureTenants(session: Session, options: TenantsOptions = {}): Promise<Tenants> {
  const { loaded } = session;
  const { only } = options;
  const names = Object.keys(loaded.config.tenants);
  if (only !== undefined && !names.includes(only)) {
    throw new ChargebackError('CB_CONFIG_UNKNOWN_TENANT', `no tenant is named ${JSON.stringify(only)}`, {
      fix: `Use one of: ${names.join(', ') || '(none configured)'}.`,
    });
  }
  const problems: ConfigProblem[] = [];
  const definitions: ConfiguredTenant[] = [];
  const unavailable: { name: string; problem: Problem }[] = [];
  for (const [name, config] of Object.entries(loaded.config.tenants)) {
    if (only !== undefined && name !== only) continue;
    const outcome = await configureTenant(session, { name, config }, options.importCode ?? true);
    if ('definition' in outcome) definitions.push(outcome.definition);
    else if ('unavailable' in outcome) unavailable.push({ name, problem: outcome.unavailable });
    else problems.push(...outcome.problems);
  }
  if (problems.length === 0) problems.push(...sharedDestinations(loaded, definitions));
  if (problems.length > 0) throw new ConfigError(problems);
  return { definitions, unavailable };
}

/** Two emitters on one file would overwrite each other at every run, and each would believe that it stands. */
function sharedDestinations(loaded: LoadedConfig, definitions: readonly ConfiguredTenant[]): ConfigProblem[] {
  const owners = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  for (const { name: tenant, makeEmitters: emitters } of definitions) {
    for (const [index, { name, emitter }] of emitters().entries()) {
      if (emitter.destination === undefined) continue;
      const label = `${tenant}/${name}`;
      const other = owners.get(emitter.destination);
      owners.set(emitter.destination, label);
      if (other === undefined) continue;
      const place = ['tenants', tenant, 'plugin_settings', 'emitters', index, 'params'];
      const message = `emitters ${other} and ${label} write the same files or metrics, ${emitter.destination}`;
      problems.push(
        loaded.problemAt(place, 'CB_EMIT_SETTINGS', message, {
          fix: 'Give each its own output_dir, filename_template or metric_prefix.',
        }),
      );
    }
  }
  return problems;
}

type Outcome =
  | { readonly definition: ConfiguredTenant }
  | { readonly unavailable: Problem }
  | { readonly problems: readonly ConfigProblem[] };

async function configureTenant(
  session: Session,
  { name, config }: { name: string; config: TenantConfig },
  importCode: boolean,
): Promise<Outcome> {
  const { loaded, registry, places } = session;
  const found = findPlugin(registry, loaded, { name, ecosystem: config.ecosystem });
  if (!('plugin' in found)) return { unavailable: found };
  const section = ['tenants', name, 'plugin_settings'];
  const checked = loaded.checkSection<PluginSettingsBase>(section, found.plugin.settings);
  if ('problems' in checked) return { problems: checked.problems };
  const settings = checked.value;
  const problems: ConfigProblem[] = [];
  const misplaced = connectionProblem(session, name, config);
  if (misplaced) problems.push(misplaced);
  const logger = session.logger.child({ tenant: name, module: 'overrides' });
  const routing = routingOf(session, { section, settings }, found.plugin);
  if (routing && 'problem' in routing) return { problems: [...problems, routing.problem] };
  const wanted = { loaded, section, settings, routing, places, importCode, logger };
  const overridden = await resolveOverrides(wanted);
  if ('problems' in overridden) problems.push(...overridden.problems);
  const host = emitterHost(session, { name, tenantId: config.tenant_id, ecosystem: found.plugin.ecosystem });
  const emitters = await makeEmitters(settings, host, { loaded, section, places, importCode });
  if ('problems' in emitters) problems.push(...emitters.problems);
  if (problems.length > 0 || 'problems' in overridden || 'problems' in emitters) return { problems };
  const { connection_string: connectionString } = config.storage;
  const place = { connectionString, workingDirectory: session.workingDirectory };
  const location = parseConnectionString(connectionString, session.workingDirectory);
  return {
    definition: {
      name,
      config,
      database: describeLocation(location),
      dialect: location.dialect,
      storage: place,
      hasStore: () => storeExists(place),
      tenantId: config.tenant_id,
      plugin: found.plugin,
      settings,
      overrides: overridden.overrides,
      thirdParty: found.origin.kind !== 'built-in',
      lookbackDays: config.lookback_days,
      limits: {
        allocationRetryLimit: config.allocation_retry_limit,
        gatherFailureThreshold: config.gather_failure_threshold,
        emptyListingThreshold: config.zero_gather_deletion_threshold,
        timeoutSeconds: config.tenant_execution_timeout_seconds,
        retentionDays: config.retention_days,
        resumeAfterSeconds: config.resume_after_seconds,
      },
      makeEmitters: () => emitters.emitters,
      openStore: () =>
        openStore({
          ...place,
          ecosystem: found.plugin.ecosystem,
          tenantId: config.tenant_id,
        }),
    },
  };
}

/** The product types as far as the plugin tells them without a connection. It is the plugin's own code: it may throw. */
function routingOf(
  { loaded }: Session,
  { section, settings }: { section: readonly (string | number)[]; settings: PluginSettingsBase },
  plugin: EcosystemPlugin,
): RoutingTable | { readonly problem: ConfigProblem } | undefined {
  try {
    return plugin.routing?.(settings);
  } catch (cause) {
    const coded = ChargebackError.isInstance(cause) ? cause : null;
    const fix = coded ? { fix: coded.fix } : {};
    return {
      problem: loaded.problemAt(section, coded?.code ?? 'CB_PLUGIN_CREATE', describeCause(cause), fix),
    };
  }
}

function emitterHost(
  { loaded, logger }: Session,
  { name, tenantId, ecosystem }: { name: string; tenantId: string; ecosystem: string },
): EmitterHost {
  const { fetch, clock, sleep } = createHost({ configDirectory: loaded.directory });
  const module = logger.child({ tenant: name, module: 'emitters' });
  return { logger: module, tenantId, ecosystem, fetch, clock, sleep };
}

function connectionProblem(session: Session, name: string, config: TenantConfig): ConfigProblem | null {
  try {
    parseConnectionString(config.storage.connection_string, session.workingDirectory);
    return null;
  } catch (cause) {
    if (!ChargebackError.isInstance(cause)) throw cause;
    const place = ['tenants', name, 'storage', 'connection_string'];
    return session.loaded.problemAt(place, cause.code, cause.message, { fix: cause.fix });
  }
}

function findPlugin(
  registry: PluginRegistry,
  loaded: LoadedConfig,
  { name, ecosystem }: { name: string; ecosystem: string },
): ReturnType<PluginRegistry['get']> | Problem {
  try {
    return registry.get(ecosystem);
  } catch (cause) {
    if (!ChargebackError.isInstance(cause)) throw cause;
    const at = loaded.problemAt(['tenants', name, 'ecosystem'], cause.code, cause.message, {
      fix: cause.fix,
    });
    return { ...problemOf(cause), path: at.path };
  }
}
