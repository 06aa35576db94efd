import { ConfigError, type ConfigProblem, type LoadedConfig, parseConfig } from '@chargeback/config';

export type Variables = Record<string, string | undefined>;

export function load(text: string, environment: Variables = {}): LoadedConfig {
  return parseConfig(text, { file: 'config.yaml', environment });
}

/** The problems of a configuration that must not load. */
export function problemsOf(text: string, environment: Variables = {}): readonly ConfigProblem[] {
  try {
    load(text, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('the configuration loaded, though it should not');
}

/** Line, column, code and path of each problem. */
export function places(problems: readonly ConfigProblem[]): string[] {
  return problems.map(({ line, column, code, path }) => `${line}:${column} ${code} ${path}`);
}

/** One tenant with the lines given in its body. */
export function tenant(...lines: string[]): string {
  return [
    'tenants:',
    '  prod:',
    '    ecosystem: demo',
    '    tenant_id: t-1',
    ...lines.map((line) => `    ${line}`),
  ].join('\n');
}
