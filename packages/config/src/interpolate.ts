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

interface Interpolated {
  readonly text: string;
  /** Values that came from variables: they may be secrets. */
  readonly used: readonly string[];
  readonly missing: readonly string[];
  /** A `${` that is not a placeholder. */
  readonly malformed: boolean;
  /** The text was exactly one placeholder. */
  readonly whole: boolean;
}

interface Placeholder {
  readonly name: string;
  readonly fallback: string | undefined;
  /** Position behind the closing brace. */
  readonly end: number;
}

/**
 * Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for a literal `${`. The default applies when the
 * variable is not set and when it is empty. What was put in is not looked at again.
 */
function interpolate(text: string, lookup: Lookup): Interpolated {
  const parts: string[] = [];
  const used: string[] = [];
  const missing: string[] = [];
  let [malformed, whole] = [false, false];
  let done = 0;
  for (let start = text.indexOf('${'); start !== -1; start = text.indexOf('${', done)) {
    const escaped = start > done && text[start - 1] === '$';
    parts.push(text.slice(done, escaped ? start - 1 : start));
    done = start + 2;
    const placeholder = escaped ? undefined : placeholderAt(text, start);
    if (placeholder === undefined) {
      parts.push('${');
      malformed ||= !escaped;
      continue;
    }
    const { name, fallback, end } = placeholder;
    const value = lookup(name);
    if (fallback !== undefined && (value === undefined || value === '')) parts.push(fallback);
    else if (value === undefined) missing.push(name);
    else {
      parts.push(value);
      used.push(value);
    }
    whole = start === 0 && end === text.length;
    done = end;
  }
  parts.push(text.slice(done));
  return { text: parts.join(''), used, missing, malformed, whole };
}

/** One step forward for each character, however often braces are left open: the file may be hostile. */
function placeholderAt(text: string, start: number): Placeholder | undefined {
  const opening = /\$\{(?<name>[A-Za-z_][\w.-]*)(?<end>\}|:-)/uy;
  opening.lastIndex = start;
  const { name, end } = opening.exec(text)?.groups ?? {};
  if (name === undefined) return undefined;
  if (end === '}') return { name, fallback: undefined, end: opening.lastIndex };
  const close = /[^}$]*(?:\$(?!\{)[^}$]*)*\}/uy;
  close.lastIndex = opening.lastIndex;
  const fallback = close.exec(text)?.[0];
  // No closing brace, or a placeholder inside the default: nesting is not supported.
  if (fallback === undefined) return undefined;
  return { name, fallback: fallback.slice(0, -1), end: close.lastIndex };
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
      const once = `${place.line}:${place.column}:${key}`;
      if (!findings.has(once)) findings.set(once, { place, path, message, fix });
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
        'Write ${NAME} or ${NAME:-default} (without another placeholder inside), or $${ for a literal ${.',
      );
    }
    scalar.placeholder = result.whole ? 'whole' : 'part';
    scalar.unresolved = result.malformed || result.missing.length > 0;
    scalar.value = result.text;
  });
  return { findings: [...findings.values()], used };
}
