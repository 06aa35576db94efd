import { z, type ZodType } from 'zod';
import { type ConfigPath } from './config-problem.ts';
import { retype } from './retype.ts';
import { nodeAt, type SourceNode, toValue } from './source-tree.ts';

export type Issue = z.core.$ZodIssue;

/** Message of an issue whose schema says nothing of its own: it is described by `describeIssue`. */
export const NO_MESSAGE = '\u0000';

export type Reading<T> =
  | { readonly value: T }
  | {
      readonly issues: readonly Issue[];
      /** Names that a schema knows, by the `keys` of the issue that rejects others. */
      readonly knownKeys: ReadonlyMap<readonly string[], readonly string[]>;
    };

/** More rounds than any schema has levels that hide each other's issues. */
const MAX_ROUNDS = 20;

const TYPES_TO_RETYPE = new Set(['number', 'int', 'boolean', 'null']);
const MAPS = new Set(['object', 'record', 'map']);

/**
 * Judges a part of the file by a schema. The schema itself directs how placeholders are typed: every value is
 * first offered as the text it is, and only where the schema rejects the text (it wants a number, say) is the
 * value offered again as YAML would have read it. So "12345" stays a password and "007" a tenant id, a port
 * becomes a number, and a union that accepts a text gets the text. An empty key where a map or list is wanted
 * counts as an empty one.
 *
 * Only synchronous schemas are supported.
 */
export function readSection<T>(root: SourceNode | undefined, schema: ZodType<T>): Reading<T> {
  const replaced = new Map<SourceNode, unknown>();
  const offer = (values: ReadonlyMap<SourceNode, unknown>): Reading<T> =>
    parse(schema, toValue(root, values));
  let reading = offer(replaced);
  for (let round = 0; round < MAX_ROUNDS && 'issues' in reading; round += 1) {
    const before = replaced.size;
    for (const issue of reading.issues) replaceWanted(root, issue, replaced);
    if (replaced.size > before) {
      reading = offer(replaced);
      continue;
    }
    const better = tryOthers(root, reading.issues, { replaced, offer });
    if (better === undefined) break;
    reading = better;
  }
  return reading;
}

function parse<T>(schema: ZodType<T>, value: unknown): Reading<T> {
  const knownKeys = new Map<readonly string[], readonly string[]>();
  const error: z.core.$ZodErrorMap = (issue) => {
    if (issue.code === 'unrecognized_keys') knownKeys.set(issue.keys, keysOf(issue.inst));
    return NO_MESSAGE;
  };
  try {
    const outcome = schema.safeParse(value, { error });
    return outcome.success ? { value: outcome.data } : { issues: outcome.error.issues, knownKeys };
  } catch (cause) {
    // A check of a plugin's schema threw instead of reporting, or is asynchronous.
    const message = `cannot be checked: ${cause instanceof Error ? cause.message : String(cause)}`;
    return { issues: [{ code: 'custom', path: [], message, input: undefined }], knownKeys };
  }
}

/** The keys an object's schema names, or those a record's schema allows. */
function keysOf(schema: unknown): string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  if (schema instanceof z.ZodRecord && schema.keyType instanceof z.ZodEnum)
    return schema.keyType.options.map(String);
  return [];
}

/** Retypes the value that an issue says should have another type. */
function replaceWanted(root: SourceNode | undefined, issue: Issue, replaced: Map<SourceNode, unknown>): void {
  if (issue.code !== 'invalid_type') return;
  const node = nodeAt(root, steps(issue.path));
  if (node === undefined || replaced.has(node)) return;
  const isEmpty = node.kind === 'scalar' && node.value === null;
  if (isEmpty && MAPS.has(issue.expected)) replaced.set(node, {});
  if (isEmpty && issue.expected === 'array') replaced.set(node, []);
  if (!TYPES_TO_RETYPE.has(issue.expected)) return;
  const other = retype(node);
  if (other !== undefined) replaced.set(node, other.value);
}

interface Offering<T> {
  readonly replaced: Map<SourceNode, unknown>;
  readonly offer: (values: ReadonlyMap<SourceNode, unknown>) => Reading<T>;
}

/** For unions and own checks, which do not say what they want: keeps another type only if that settles the issue. */
function tryOthers<T>(
  root: SourceNode | undefined,
  issues: readonly Issue[],
  { replaced, offer }: Offering<T>,
): Reading<T> | undefined {
  for (const issue of issues) {
    if (issue.code === 'invalid_type' || issue.code === 'unrecognized_keys') continue;
    const candidates = new Map(replaced);
    for (const path of pathsOf(issue)) {
      const node = nodeAt(root, path);
      const other = node === undefined || candidates.has(node) ? undefined : retype(node);
      if (node !== undefined && other !== undefined) candidates.set(node, other.value);
    }
    if (candidates.size === replaced.size) continue;
    const reading = offer(candidates);
    if ('issues' in reading && reading.issues.some(({ path }) => startsWith(path, issue.path))) continue;
    for (const [node, value] of candidates) replaced.set(node, value);
    return reading;
  }
  return undefined;
}

/** The places an issue speaks of, those of the options of a union included. */
function pathsOf(issue: Issue, parent: readonly PropertyKey[] = []): ConfigPath[] {
  const path = [...parent, ...issue.path];
  if (issue.code !== 'invalid_union') return [steps(path)];
  return [steps(path), ...issue.errors.flat().flatMap((inner) => pathsOf(inner, path))];
}

function startsWith(path: readonly PropertyKey[], start: readonly PropertyKey[]): boolean {
  return start.every((step, index) => path[index] === step);
}

export function steps(path: readonly PropertyKey[]): ConfigPath {
  return path.map((step) => (typeof step === 'number' ? step : String(step)));
}
