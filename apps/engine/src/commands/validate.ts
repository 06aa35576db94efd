import { paintFor } from '../output/format.ts';
import { type ConfigOptions, openSession, type ProcessContext } from '../session.ts';
import { configureTenants } from '../tenants.ts';

export interface ValidateOptions extends ConfigOptions {
  readonly json?: boolean;
}

/** `chargeback validate`: every check that needs no network. Problems end up as a configuration error. */
export async function validate(options: ValidateOptions, context: ProcessContext): Promise<number> {
  const session = await openSession(options, context);
  const { definitions, unavailable } = configureTenants(session);
  const { warnings } = session.loaded;
  const paint = paintFor(context.stdout);
  if (options.json) {
    const problems = [...unavailable.map(({ problem }) => problem), ...warnings];
    context.stdout.write(`${JSON.stringify({ valid: unavailable.length === 0, problems }, undefined, 2)}\n`);
  } else {
    for (const { line, message } of warnings)
      context.stdout.write(`${paint.warn('!')} line ${line ?? '?'}: ${message}\n`);
    for (const { name, problem } of unavailable) {
      context.stdout.write(`${paint.bad('✗')} ${name}: ${problem.message}\n  ${paint.dim(problem.fix)}\n`);
    }
    for (const { name, plugin, settings } of definitions) {
      context.stdout.write(
        `${paint.good('✓')} ${name}: ${plugin.ecosystem}, ${settings.emitters.length} emitter(s)\n`,
      );
    }
    if (unavailable.length === 0) context.stdout.write('The configuration is valid.\n');
  }
  return unavailable.length === 0 ? 0 : 2;
}
