import type { ConfigProblem, LoadedConfig } from '@chargeback/config';
import { builtInEmitters, findEmitter } from '@chargeback/emitters';
import {
  type ConfiguredEmitter,
  loadExtension,
  locateModule,
  looksLikeReference,
  type ModulePlaces,
  parseReference,
} from '@chargeback/engine';
import {
  type Aggregation,
  ChargebackError,
  describeCause,
  type EmitterHost,
  type EmitterPlugin,
  type EmitterSpec,
  type PluginSettingsBase,
} from '@chargeback/plugin-api';

const ORDER: readonly Aggregation[] = ['hourly', 'daily', 'monthly'];

export interface EmitterPlace {
  readonly loaded: LoadedConfig;
  readonly section: readonly (string | number)[];
  readonly places: ModulePlaces;
  /** False: emitters of others are found, but neither run nor made. */
  readonly importCode: boolean;
}

/** Makes the emitters of one tenant; every problem with any of them is told. */
export async function makeEmitters(
  settings: PluginSettingsBase,
  host: EmitterHost,
  { loaded, section, ...modules }: EmitterPlace,
): Promise<{ emitters: ConfiguredEmitter[] } | { problems: ConfigProblem[] }> {
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
    const made = await makeEmitter(spec, host, { loaded, section: place, ...modules });
    if ('problems' in made) problems.push(...made.problems);
    else if (made.emitter)
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

async function makeEmitter(
  spec: EmitterSpec,
  host: EmitterHost,
  { loaded, section, ...modules }: EmitterPlace,
): Promise<{ emitter: ConfiguredEmitter['emitter'] | undefined } | { problems: readonly ConfigProblem[] }> {
  try {
    const plugin = await emitterOf(spec.type, modules);
    if (!plugin) return { emitter: undefined };
    const params = loaded.checkSection([...section, 'params'], plugin.params);
    if ('problems' in params) return { problems: params.problems };
    return { emitter: plugin.create(params.value, host) };
  } catch (cause) {
    const fix = ChargebackError.isInstance(cause) ? { fix: cause.fix } : {};
    const code = ChargebackError.isInstance(cause) ? cause.code : 'CB_EMIT_SETTINGS';
    return { problems: [loaded.problemAt([...section, 'type'], code, describeCause(cause), fix)] };
  }
}

/** A built-in emitter by its name, anything else by its path; undefined where code is not to be run. */
async function emitterOf(
  type: string,
  { places, importCode }: Pick<EmitterPlace, 'places' | 'importCode'>,
): Promise<EmitterPlugin | undefined> {
  const isBuiltIn = builtInEmitters.some((plugin) => plugin.type === type);
  if (isBuiltIn || !looksLikeReference(type)) return findEmitter(type);
  if (importCode) return (await loadExtension('emitter', type, places)).definition;
  locateModule(parseReference(type), places);
  return undefined;
}
