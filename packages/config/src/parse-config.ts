import path from 'node:path';
import { type ErrorCode, makeProblem } from '@chargeback/plugin-api';
import type { ZodType } from 'zod';
import { checkTenants } from './check-tenants.ts';
import {
  ConfigError,
  type ConfigPath,
  type ConfigProblem,
  formatPath,
  sortProblems,
  type UnjudgedSection,
} from './config-problem.ts';
import { type Config, configSchema, IGNORED_KEYS } from './config-schema.ts';
import { describeIssue } from './describe-issue.ts';
import { interpolateTree } from './interpolate.ts';
import { parseSource } from './parse-source.ts';
import { readSection, steps } from './read-section.ts';
import { makeRedact } from './redact.ts';
import { childAt, hasUnresolved, nodeAt, type Place, placeOf, type SourceNode } from './source-tree.ts';

/** Variables by name, such as `process.env`. Only read. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ParseConfigOptions {
  /** Named in problems; its folder is `directory`. */
  readonly file: string;
  readonly environment: Environment;
  /** Where relative SQLite paths start, to see whether two tenants share a database; default: the process's own. */
  readonly workingDirectory?: string;
}

export interface ProblemDetails {
  readonly fix?: string;
  readonly severity?: ConfigProblem['severity'];
}

/** A usable configuration, with what is needed to judge the plugins' own sections later. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly ConfigProblem[];
  /** Absolute folder of the configuration file. */
  readonly directory: string;
  /** Judges a section, placeholders replaced, by a plugin's own (synchronous) schema. An absent section counts as empty. */
  checkSection<T>(path: ConfigPath, schema: ZodType<T>): SectionResult<T>;
  /** A problem at a place of the file, an error unless told otherwise. */
  problemAt(path: ConfigPath, code: ErrorCode, message: string, details?: ProblemDetails): ConfigProblem;
}

export type SectionResult<T> = { readonly value: T } | { readonly problems: ConfigProblem[] };

/**
 * Reads a configuration from its text.
 *
 * @throws {ConfigError} with every problem, when there is an error among them.
 */
export function parseConfig(text: string, options: ParseConfigOptions): LoadedConfig {
  const { root: parsed, findings } = parseSource(text);
  const place = parsed?.place ?? { line: 1, column: 1 };
  const root: SourceNode = parsed ?? { kind: 'map', place, entries: new Map() };
  const { findings: placeholders, used } = interpolateTree(root, (name) => lookup(options.environment, name));
  const source = new Source(root, options.file, makeRedact(used));

  const warnings = source.dropIgnoredKeys();
  const problems = [
    ...findings.map(({ place: at, message, fix }) =>
      source.problem({ code: 'CB_CONFIG_YAML', message, at, ...(fix === undefined ? {} : { fix }) }),
    ),
    ...placeholders.map((finding) =>
      source.problem({ ...finding, code: 'CB_CONFIG_VARIABLE', at: finding.place }),
    ),
  ];
  const result = source.check([], configSchema);
  if ('problems' in result) problems.push(...result.problems);
  const workingDirectory = options.workingDirectory ?? path.resolve();
  for (const found of checkTenants(root, workingDirectory)) problems.push(source.problem(found));
  if ('problems' in result || problems.length > 0) {
    throw new ConfigError([...warnings, ...problems], source.pluginSections());
  }

  if (Object.keys(result.value.tenants).length === 0) warnings.push(source.noTenants());
  return {
    config: result.value,
    warnings: sortProblems(warnings),
    directory: path.dirname(path.resolve(options.file)),
    checkSection: (section, schema) => source.check(section, schema),
    problemAt: (at, code, ...[message, details = {}]: [string, ProblemDetails?]) =>
      source.problem({ path: at, code, message, ...details }),
  };
}

interface ProblemParts extends ProblemDetails {
  readonly code: ErrorCode;
  readonly message: string;
  readonly path?: ConfigPath;
  /** Place, when it is not that of the path. */
  readonly at?: Place | null;
}

/** The tree of one file, and how its problems are told. */
class Source {
  readonly #root: SourceNode;
  readonly #file: string;
  readonly #redact: (text: string) => string;

  constructor(root: SourceNode, file: string, redact: (text: string) => string) {
    this.#root = root;
    this.#file = file;
    this.#redact = redact;
  }

  problem({ code, message, path: at = [], ...parts }: ProblemParts): ConfigProblem {
    const place = parts.at === undefined ? placeOf(this.#root, at) : parts.at;
    const where = formatPath(at);
    const problem = makeProblem(code, this.#redact(message), {
      severity: parts.severity ?? 'error',
      ...(parts.fix === undefined ? {} : { fix: this.#redact(parts.fix) }),
      ...(where === null ? {} : { path: where }),
    });
    return { ...problem, file: this.#file, line: place?.line ?? null, column: place?.column ?? null };
  }

  check<T>(section: ConfigPath, schema: ZodType<T>): SectionResult<T> {
    const node = nodeAt(this.#root, section);
    let reading = readSection(node, schema);
    if (node === undefined && 'issues' in reading && reading.issues.some(({ path: at }) => at.length === 0)) {
      // Not written at all, and the schema has no default for the whole: judge it as an empty map.
      const place = placeOf(this.#root, section) ?? this.#root.place;
      reading = readSection({ kind: 'map', place, entries: new Map() }, schema);
    }
    if (!('issues' in reading)) return reading;
    const { issues, knownKeys } = reading;
    const problems = issues
      .filter(({ path: at }) => !this.#isUnresolved(nodeAt(node, steps(at))))
      .flatMap((issue) => describeIssue(issue, { root: node, knownKeys }))
      .filter(({ path: at }) => !this.#isUnresolved(nodeAt(node, at)))
      .map((found) => this.problem({ ...found, path: [...section, ...found.path] }));
    return { problems: sortProblems(problems) };
  }

  /** The plugin settings of every tenant whose ecosystem can be read. */
  pluginSections(): UnjudgedSection[] {
    const tenants = childAt(this.#root, 'tenants');
    if (tenants?.kind !== 'map') return [];
    return [...tenants.entries].flatMap(([name, { node }]) => {
      const ecosystem = node.kind === 'map' ? childAt(node, 'ecosystem') : undefined;
      if (ecosystem?.kind !== 'scalar' || typeof ecosystem.value !== 'string') return [];
      const problems = (schema: ZodType): ConfigProblem[] => {
        const checked = this.check(['tenants', name, 'plugin_settings'], schema);
        return 'problems' in checked ? checked.problems : [];
      };
      return [{ ecosystem: ecosystem.value, problems }];
    });
  }

  /** A missing variable is reported once: what a schema says about the hole it leaves is not. */
  #isUnresolved(node: SourceNode | undefined): boolean {
    return node?.kind === 'scalar' && hasUnresolved(node);
  }

  /** Removes the keys that have no meaning here, with a warning for each. */
  dropIgnoredKeys(): ConfigProblem[] {
    return IGNORED_KEYS.flatMap((pattern) => this.#dropMatches(this.#root, pattern, []));
  }

  #dropMatches(node: SourceNode, pattern: readonly string[], above: ConfigPath): ConfigProblem[] {
    const [step, ...rest] = pattern;
    if (node.kind !== 'map' || step === undefined) return [];
    const keys = step === '*' ? [...node.entries.keys()] : [step];
    return keys.flatMap((key) => {
      const child = childAt(node, key);
      if (child === undefined) return [];
      const at = [...above, key];
      if (rest.length > 0) return this.#dropMatches(child, rest, at);
      const message = 'this key of the existing product has no meaning here and is ignored';
      const warning = this.problem({ path: at, code: 'CB_CONFIG_IGNORED_KEY', message, severity: 'warning' });
      node.entries.delete(key);
      return [warning];
    });
  }

  noTenants(): ConfigProblem {
    const message = 'no tenants are configured; there is nothing to do';
    return this.problem({
      path: ['tenants'],
      code: 'CB_CONFIG_VALUE',
      message,
      severity: 'warning',
      fix: 'Add a tenant below tenants:.',
    });
  }
}

/** Only own values: `${constructor}` names no variable. */
function lookup(environment: Environment, name: string): string | undefined {
  return Object.hasOwn(environment, name) ? environment[name] : undefined;
}
