import { ChargebackError, type Problem } from '@chargeback/plugin-api';
import type { ZodType } from 'zod';

/** A problem with its place in the configuration file. Lines and columns count from 1; null when there is no place. */
export interface ConfigProblem extends Problem {
  /** The configuration file, as it was named. */
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
}

/** Keys and indexes from the top of the file: `['tenants', 'prod', 'lookback_days']`. */
export type ConfigPath = readonly (string | number)[];

/** Longest list that a message spells out; `problems` always has all of them. */
const LISTED_PROBLEMS = 200;

/** The configuration cannot be used: carries every problem that was found, warnings included, sorted by line. */
export class ConfigError extends ChargebackError {
  readonly problems: readonly ConfigProblem[];
  /** Sections that only plugins can judge, for whoever wants to tell those problems in the same breath. */
  readonly sections: readonly UnjudgedSection[];

  constructor(problems: readonly ConfigProblem[], sections: readonly UnjudgedSection[] = []) {
    const sorted = sortProblems(problems);
    const file = sorted[0]?.file;
    super('CB_CONFIG_INVALID', describe(sorted), file === undefined ? {} : { path: file });
    this.problems = sorted;
    this.sections = sections;
  }
}

/** The plugin settings of one tenant in a file that has problems elsewhere. */
export interface UnjudgedSection {
  readonly ecosystem: string;
  readonly problems: (schema: ZodType) => readonly ConfigProblem[];
}

/** `config.yaml:12:5 tenants.prod.lookback_days: must be at most 364 (fix: …)` */
export function formatConfigProblem(problem: ConfigProblem): string {
  const place = problem.line === null ? '' : `:${problem.line}:${problem.column ?? 1}`;
  const path = problem.path === null ? '' : ` ${problem.path}`;
  const warning = problem.severity === 'warning' ? ' warning:' : '';
  return `${problem.file}${place}${path}:${warning} ${problem.message} (fix: ${problem.fix})`;
}

/** A copy in the order of the file; what has no place comes first. */
export function sortProblems(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return problems.toSorted(
    (left, right) => (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0),
  );
}

/** `tenants.prod.emitters[0].type`; a key that is not a plain word is quoted. Null for the top of the file. */
export function formatPath(path: ConfigPath): string | null {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[\w-]+$/u.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text === '' ? null : text;
}

function describe(problems: readonly ConfigProblem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const head =
    errors === 1 ? 'The configuration has a problem:' : `The configuration has ${errors} problems:`;
  const lines = problems.slice(0, LISTED_PROBLEMS).map(formatConfigProblem);
  const rest = problems.length - lines.length;
  return [head, ...lines, ...(rest > 0 ? [`… and ${rest} more`] : [])].join('\n');
}
