import type { ErrorCode } from '@chargeback/plugin-api';
import type { ConfigPath } from './config-problem.ts';
import { nearestName } from './nearest-name.ts';
import { type Issue, NO_MESSAGE, steps } from './read-section.ts';
import { nodeAt, type SourceNode } from './source-tree.ts';

/** An issue of a schema in words that never hold a value of the file. */
export interface Described {
  readonly path: ConfigPath;
  readonly code: ErrorCode;
  readonly message: string;
  readonly fix?: string;
}

export interface IssueContext {
  readonly root: SourceNode | undefined;
  readonly knownKeys: ReadonlyMap<readonly string[], readonly string[]>;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  object: 'a map of keys',
  record: 'a map of keys',
  map: 'a map of keys',
  array: 'a list',
  tuple: 'a list',
  null: 'nothing',
};

/** Longest list of names that a fix spells out. */
const LISTED_NAMES = 30;

/** One description for most issues; one per key for unknown keys. */
export function describeIssue(issue: Issue, context: IssueContext): Described[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, issue, context));
  const path = steps(issue.path);
  if (issue.code === 'invalid_union') {
    const closest = closestOption(issue);
    if (closest !== undefined) return closest.flatMap((inner) => describeIssue(inner, context));
  }
  const words = describe(issue, nodeAt(context.root, path));
  // A message that the schema's author wrote knows more than ours.
  const message = issue.message === NO_MESSAGE || issue.message === '' ? words.message : issue.message;
  return [{ path, code: 'CB_CONFIG_VALUE', ...words, message }];
}

type Words = { readonly message: string; readonly fix?: string };

function describe(issue: Issue, node: SourceNode | undefined): Words {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, node);
    case 'too_big':
    case 'too_small':
      return outOfBounds(issue);
    case 'invalid_value':
      return oneOf(issue.values.map(String), node);
    case 'invalid_union':
      return unionMismatch(issue, node);
    case 'invalid_format':
      return invalidFormat(issue);
    case 'not_multiple_of':
      return {
        message: `must be a multiple of ${issue.divisor}`,
        fix: `Write a multiple of ${issue.divisor}.`,
      };
    case 'invalid_key':
      return { message: `this key is not allowed: ${innerMessage(issue.issues)}`, fix: 'Correct the key.' };
    case 'custom': {
      const fix: unknown = issue.params?.fix;
      return { message: 'is not valid', ...(typeof fix === 'string' ? { fix } : {}) };
    }
    default:
      return { message: 'is not valid' };
  }
}

function wrongType(expected: string, node: SourceNode | undefined): Words {
  const wanted = KINDS[expected] ?? expected;
  if (node === undefined) return { message: `is required (${wanted})`, fix: 'Add the key with a value.' };
  const found = kindOf(node);
  const written = node.kind === 'scalar' && node.placeholder === 'none' && node.value !== null;
  if (expected === 'string' && written) {
    return { message: `must be text; YAML reads ${found}`, fix: 'Put the value in quotes.' };
  }
  return { message: `must be ${wanted}, not ${found}`, fix: `Write ${wanted}.` };
}

function kindOf(node: SourceNode): string {
  if (node.kind !== 'scalar') return node.kind === 'map' ? 'a map of keys' : 'a list';
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'number') return 'a number';
  return typeof node.value === 'boolean' ? 'true or false' : 'text';
}

function outOfBounds(issue: Extract<Issue, { code: 'too_big' | 'too_small' }>): Words {
  const { origin } = issue;
  const small = issue.code === 'too_small';
  const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  if (
    small &&
    issue.inclusive === true &&
    Number(limit) === 1 &&
    (origin === 'string' || origin === 'array')
  ) {
    return { message: 'must not be empty', fix: 'Write a value.' };
  }
  const bound = issue.exact ? 'exactly' : boundWord(small, issue.inclusive === true);
  const unit = origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '';
  const verb = unit === '' ? 'must be' : 'must have';
  return { message: `${verb} ${bound} ${limit}${unit}`, fix: `Write a value of ${bound} ${limit}${unit}.` };
}

function boundWord(small: boolean, inclusive: boolean): string {
  if (small) return inclusive ? 'at least' : 'more than';
  return inclusive ? 'at most' : 'less than';
}

function oneOf(values: readonly string[], node: SourceNode | undefined): Words {
  const list = values.slice(0, LISTED_NAMES).join(', ');
  const message =
    node === undefined
      ? `is required; one of: ${list}`
      : values.length === 1
        ? `must be ${list}`
        : `must be one of: ${list}`;
  // Only what the file itself says is compared: nearness would tell something about a secret.
  const written = node?.kind === 'scalar' && node.placeholder === 'none' ? String(node.value) : undefined;
  const near = written === undefined ? undefined : nearestName(written, values);
  return { message, fix: near === undefined ? `Write one of: ${list}.` : `Did you mean ${near}?` };
}

function unionMismatch(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  node: SourceNode | undefined,
): Words {
  if (issue.discriminator !== undefined && 'options' in issue && issue.options !== undefined) {
    return oneOf(issue.options.map(String), node);
  }
  const all = issue.errors.flat();
  const wanted = all.flatMap((inner) =>
    inner.code === 'invalid_type' ? [KINDS[inner.expected] ?? inner.expected] : [],
  );
  const names = all.flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : []));
  const kinds = [...new Set([...names, ...wanted])].join(' or ');
  if (kinds === '') return { message: 'is not valid' };
  return node === undefined
    ? { message: `is required (${kinds})`, fix: 'Add the key with a value.' }
    : { message: `must be ${kinds}, not ${kindOf(node)}`, fix: `Write ${kinds}.` };
}

function invalidFormat(issue: Extract<Issue, { code: 'invalid_format' }>): Words {
  if (issue.format === 'url')
    return { message: 'must be a URL', fix: 'Write it in full, such as https://host:9090.' };
  if (issue.format === 'regex') {
    return { message: `must match ${issue.pattern ?? 'a pattern'}`, fix: 'Write a value of that form.' };
  }
  return {
    message: `must have the form of: ${issue.format.replaceAll('_', ' ')}`,
    fix: 'Write a value of that form.',
  };
}

/** Of an untagged union, the one option whose kind fits but whose inside does not; its issues say the most. */
function closestOption(issue: Extract<Issue, { code: 'invalid_union' }>): Issue[] | undefined {
  const deep = issue.errors.filter(
    (option) =>
      !option.some(
        ({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value'),
      ),
  );
  const [best] = deep.toSorted((left, right) => left.length - right.length);
  return best?.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }) as Issue);
}

function innerMessage(issues: readonly Issue[]): string {
  const [inner] = issues;
  if (inner === undefined) return 'it is not valid';
  return inner.message === NO_MESSAGE ? describe(inner, undefined).message : inner.message;
}

function unknownKey(
  key: string,
  issue: Extract<Issue, { code: 'unrecognized_keys' }>,
  { knownKeys }: IssueContext,
): Described {
  const known = knownKeys.get(issue.keys) ?? [];
  const near = nearestName(key, known);
  const list = known.slice(0, LISTED_NAMES).join(', ');
  const remedy = list === '' ? 'Remove it.' : `Remove it, or use one of: ${list}.`;
  return {
    path: [...steps(issue.path), key],
    code: 'CB_CONFIG_UNKNOWN_KEY',
    message: 'this key is not known',
    fix: near === undefined ? remedy : `Did you mean ${near}?`,
  };
}
