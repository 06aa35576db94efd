import type { ConfigProblem, LoadedConfig, TenantConfig } from '@chargeback/config';
import { ConfigError } from '@chargeback/config';
import { findEmitter } from '@chargeback/emitters';
import type { ConfiguredEmitter, PluginRegistry, TenantDefinition } from '@chargeback/engine';
import {
  type Aggregation,
  ChargebackError,
  describeCause,
  type EmitterHost,
  type EmitterSpec,
  type PluginSettingsBase,
  type Problem,
  problemOf,
} from '@chargeback/plugin-api';
import {
  describeLocation,
  openStore,
  parseConnectionString,
  type StoragePlace,
  storeExists,
  type StoreLocation,
} from '@chargeback/storage';
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

const ORDER: readonly Aggregation[] = ['hourly', 'daily', 'monthly'];

/**
 * Checks every tenant's settings against its plugin and makes what the engine needs.
 * @throws {ConfigError} with every problem of every tenant.
 */
export function configureTenants(session: Session, only?: string): Tenants {
  const { loaded } = session;
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
    const outcome = configureTenant(session, name, config);
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

function configureTenant(session: Session, name: string, config: TenantConfig): Outcome {
  const { loaded, registry } = session;
  const found = findPlugin(registry, loaded, { name, ecosystem: config.ecosystem });
  if (!('plugin' in found)) return { unavailable: found };
  const section = ['tenants', name, 'plugin_settings'];
  const checked = loaded.checkSection<PluginSettingsBase>(section, found.plugin.settings);
  if ('problems' in checked) return { problems: checked.problems };
  const settings = checked.value;
  const misplaced = connectionProblem(session, name, config);
  if (misplaced) return { problems: [misplaced] };
  const unsupported = overrideProblems(loaded, section, settings);
  if (unsupported.length > 0) return { problems: unsupported };
  const logger = session.logger.child({ tenant: name, module: 'emitters' });
  const host: EmitterHost = { logger, tenantId: config.tenant_id, ecosystem: found.plugin.ecosystem };
  const emitters = makeEmitters(settings, host, { loaded, section });
  if ('problems' in emitters) return { problems: emitters.problems };
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

/** An override that is not applied would allocate wrongly in silence: it is refused. */
function overrideProblems(
  loaded: LoadedConfig,
  section: readonly (string | number)[],
  settings: PluginSettingsBase,
): ConfigProblem[] {
  return (['allocator_overrides', 'identity_resolution_overrides'] as const)
    .filter((key) => Object.keys(settings[key]).length > 0)
    .map((key) =>
      loaded.problemAt([...section, key], 'CB_CONFIG_VALUE', `${key} are not available in this version`, {
        fix: 'Remove the overrides, or stay with the version that applies them.',
      }),
    );
}

interface EmitterPlace {
  readonly loaded: LoadedConfig;
  readonly section: readonly (string | number)[];
}

function makeEmitters(
  settings: PluginSettingsBase,
  host: EmitterHost,
  { loaded, section }: EmitterPlace,
): { emitters: ConfiguredEmitter[] } | { problems: ConfigProblem[] } {
  const emitters: ConfiguredEmitter[] = [];
  const problems: ConfigProblem[] = [];
  const names = new Set<string>();
  for (const [index, spec] of settings.emitters.entries()) {
    const place = [...section, 'emitters', index];
    const complain = (key: string, message: string): void => {
      problems.push(loaded.problemAt([...place, key], 'CB_EMIT_SETTINGS', message));
    };
    const name = spec.name ?? spec.type;
    if (names.has(name)) complain('name', `two emitters are named ${name}; give each its own name`);
    names.add(name);
    if (isFiner(spec, settings)) {
      complain(
        'aggregation',
        `emitter ${name} asks for ${spec.aggregation} rows; chargeback_granularity is ${settings.chargeback_granularity}`,
      );
    }
    const made = makeEmitter(spec, host, { loaded, section: place });
    if ('problems' in made) problems.push(...made.problems);
    else
      emitters.push({
        name,
        aggregation: spec.aggregation,
        lookbackDays: spec.lookback_days,
        emitter: made.emitter,
      });
  }
  return problems.length > 0 ? { problems } : { emitters };
}

function isFiner(spec: EmitterSpec, settings: PluginSettingsBase): boolean {
  if (spec.aggregation === null) return false;
  return ORDER.indexOf(spec.aggregation) < ORDER.indexOf(settings.chargeback_granularity);
}

function makeEmitter(
  spec: EmitterSpec,
  host: EmitterHost,
  { loaded, section }: EmitterPlace,
): { emitter: ConfiguredEmitter['emitter'] } | { problems: readonly ConfigProblem[] } {
  try {
    const plugin = findEmitter(spec.type);
    const params = loaded.checkSection([...section, 'params'], plugin.params);
    if ('problems' in params) return { problems: params.problems };
    return { emitter: plugin.create(params.value, host) };
  } catch (cause) {
    const fix = ChargebackError.isInstance(cause) ? { fix: cause.fix } : {};
    return {
      problems: [loaded.problemAt([...section, 'type'], 'CB_EMIT_SETTINGS', describeCause(cause), fix)],
    };
  }
}
