import type { ConfigPath } from './config-problem.ts';
import { forEachScalar, type Place, type SourceNode } from './source-tree.ts';

/** The value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface PlaceholderFinding {
  readonly place: Place;
  readonly path: ConfigPath;
  readonly message: string;
  readonly fix: string;
}

export interface Interpolated {
  readonly text: string;
  /** Values that came from variables: they may be secrets. */
  readonly used: readonly string[];
  readonly missing: readonly string[];
  /** A `${` that is not a placeholder. */
  readonly malformed: boolean;
}

// `$${` first, so that what it escapes is not read as a placeholder.
const TOKEN = /\$\$\{|\$\{([A-Za-z_][\w.-]*)(?::-([^}]*))?\}|\$\{/gu;
const WHOLE = /^\$\{[A-Za-z_][\w.-]*(?::-[^}]*)?\}$/u;

/**
 * Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for a literal `${`. The default applies when the
 * variable is not set and when it is empty. What was put in is not looked at again.
 */
export function interpolate(text: string, lookup: Lookup): Interpolated {
  const used: string[] = [];
  const missing: string[] = [];
  let malformed = false;
  const replaced = text.replace(
    TOKEN,
    (token: string, name: string | undefined, fallback: string | undefined) => {
      if (token === '$${') return '${';
      if (name === undefined) {
        malformed = true;
        return token;
      }
      const value = lookup(name);
      if (fallback !== undefined && (value === undefined || value === '')) return fallback;
      if (value === undefined) {
        missing.push(name);
        return token;
      }
      used.push(value);
      return value;
    },
  );
  return { text: replaced, used, missing, malformed };
}

/**
 * Replaces the placeholders in every text value of the tree, in place. Keys and comments are not touched.
 * Every variable that is missing is reported, once for each place where it is written.
 */
export function interpolateTree(
  root: SourceNode,
  lookup: Lookup,
): { findings: PlaceholderFinding[]; used: Set<string> } {
  const findings = new Map<string, PlaceholderFinding>();
  const used = new Set<string>();
  // One long text behind many aliases is worked on once.
  const done = new Map<string, Interpolated>();
  forEachScalar(root, (scalar, path) => {
    if (typeof scalar.value !== 'string' || !scalar.value.includes('${')) return;
    const result = done.get(scalar.value) ?? interpolate(scalar.value, lookup);
    done.set(scalar.value, result);
    for (const value of result.used) used.add(value);
    const { place } = scalar;
    const report = (key: string, message: string, fix: string): void => {
      // A value behind an alias is written once, however often it is used.
      findings.set(`${place.line}:${place.column}:${key}`, { place, path, message, fix });
    };
    for (const name of new Set(result.missing)) {
      report(
        name,
        `the environment variable ${name} is not set`,
        `Set ${name}, put it into the .env file, or give a default: \${${name}:-default}.`,
      );
    }
    if (result.malformed) {
      report(
        '',
        '${ begins something that is not a placeholder',
        'Write ${NAME} or ${NAME:-default}, or $${ for a literal ${.',
      );
    }
    scalar.placeholder = WHOLE.test(scalar.value) ? 'whole' : 'part';
    scalar.unresolved = result.malformed || result.missing.length > 0;
    scalar.value = result.text;
  });
  return { findings: [...findings.values()], used };
}
