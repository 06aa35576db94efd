import type { PluginSettingsBase } from '@chargeback/plugin-api';
import { paintFor } from '../output/paint.ts';
import { type ConfigOptions, openSession, type ProcessContext } from '../session.ts';
import { configureTenants } from '../tenants.ts';

export interface ValidateOptions extends ConfigOptions {
  readonly json?: boolean;
}

/**
 * `chargeback validate`: every check that needs no network. Problems end up as a configuration error. With
 * `--no-import` nothing of others is run: overrides are looked for only, and their plugins are left unchecked.
 */
export async function validate(options: ValidateOptions, context: ProcessContext): Promise<number> {
  const session = await openSession(options, context);
  const { definitions, unavailable } = await configureTenants(session, {
    importCode: options.import ?? true,
  });
  const { warnings } = session.loaded;
  const paint = paintFor(context.stdout);
  const unchecked = options.import === false ? unavailable : [];
  const broken = options.import === false ? [] : unavailable;
  if (options.json) {
    const problems = [...broken.map(({ problem }) => problem), ...warnings];
    context.stdout.write(
      `${JSON.stringify({ valid: broken.length === 0, problems, unchecked: unchecked.map(({ name }) => name) }, undefined, 2)}\n`,
    );
  } else {
    for (const { line, message } of warnings)
      context.stdout.write(`${paint.warn('!')} line ${line ?? '?'}: ${message}\n`);
    for (const { name } of unchecked) {
      context.stdout.write(`${paint.warn('!')} ${name}: not checked; its plugin would have to be run\n`);
    }
    for (const { name, problem } of broken) {
      context.stdout.write(`${paint.bad('✗')} ${name}: ${problem.message}\n  ${paint.dim(problem.fix)}\n`);
    }
    for (const { name, plugin, settings } of definitions) {
      context.stdout.write(
        `${paint.good('✓')} ${name}: ${plugin.ecosystem}, ${settings.emitters.length} emitter(s)${overridden(settings)}\n`,
      );
    }
    if (broken.length === 0) context.stdout.write('The configuration is valid.\n');
  }
  return broken.length === 0 ? 0 : 2;
}

function overridden({ allocator_overrides, identity_resolution_overrides }: PluginSettingsBase): string {
  const count = Object.keys(allocator_overrides).length + Object.keys(identity_resolution_overrides).length;
  return count === 0 ? '' : `, ${count} override(s)`;
}
