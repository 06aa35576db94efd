import { z, type ZodType } from 'zod';
import { configSchema, IGNORED_KEYS, LOG_LEVELS, logLevelSchema } from './config-schema.ts';

/** A JSON schema or a part of one. */
export type JsonSchema = { [keyword: string]: unknown };

const PLACEHOLDER: JsonSchema = { type: 'string', pattern: '\\$\\{' };

/** Keywords whose value is a schema, a list of schemas, or a map of schemas. */
const ONE = [
  'additionalProperties',
  'items',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'unevaluatedProperties',
];
const LISTS = ['anyOf', 'oneOf', 'allOf', 'prefixItems'];
const MAPS = ['properties', 'patternProperties', '$defs', 'dependentSchemas'];

/** Keywords that a placeholder would break; a text without any of them accepts it as it is. */
const NARROW = ['enum', 'const', 'pattern', 'format', 'minLength', 'maxLength'];
const ANNOTATIONS = new Set([
  'description',
  'title',
  'default',
  'examples',
  'deprecated',
  '$schema',
  '$id',
  '$defs',
]);

/**
 * The JSON schema (draft 2020-12) of the configuration file, for editors: made from the schemas that judge the
 * file. `plugin_settings` is judged by the schema of the tenant's ecosystem. Where a value is narrower than
 * text, a text with a placeholder (`${…}`) is allowed too.
 *
 * @param pluginSchemas settings schema by ecosystem; list an alias under its own name too.
 */
export function configJsonSchema(pluginSchemas: Readonly<Record<string, ZodType>>): JsonSchema {
  const schema = toJsonSchema(configSchema);
  for (const path of IGNORED_KEYS) addIgnoredKey(schema, path);
  const tenant = descend(schema, ['tenants', '*']);
  const definitions: JsonSchema = {};
  const choices: JsonSchema[] = [];
  for (const [ecosystem, pluginSchema] of Object.entries(pluginSchemas)) {
    const name = `plugin_settings.${ecosystem}`;
    Object.assign(definitions, embed(toJsonSchema(pluginSchema), name));
    const { required } = definitions[name] as JsonSchema;
    choices.push({
      if: { properties: { ecosystem: { const: ecosystem } }, required: ['ecosystem'] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON schema, not a promise
      then: {
        properties: { plugin_settings: { $ref: reference(name) } },
        ...(Array.isArray(required) && required.length > 0 ? { required: ['plugin_settings'] } : {}),
      },
    });
  }
  if (choices.length > 0) tenant.allOf = choices;
  (descend(tenant, ['ecosystem']) as JsonSchema).examples = Object.keys(pluginSchemas);
  return {
    ...schema,
    title: 'Chargeback configuration',
    $defs: { ...(schema.$defs as object), ...definitions },
  };
}

function toJsonSchema(schema: ZodType): JsonSchema {
  const made: JsonSchema = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    // What JSON schema cannot say is left to the engine.
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema === logLevelSchema) Object.assign(jsonSchema, LEVELS_IN_ANY_CASE);
    },
  });
  return allowPlaceholders(made);
}

const anyCase = (word: string): string =>
  word.replaceAll(/[A-Z]/gu, (letter) => `[${letter}${letter.toLowerCase()}]`);

const LEVELS_IN_ANY_CASE: JsonSchema = {
  anyOf: [
    { type: 'string', enum: [...LOG_LEVELS] },
    { type: 'string', pattern: `^(?:${LOG_LEVELS.map(anyCase).join('|')})$` },
  ],
};

/** Rebuilds a schema bottom up. Keys (`propertyNames`) never hold placeholders. */
function allowPlaceholders(schema: JsonSchema): JsonSchema {
  const inner = mapSchemas(schema, allowPlaceholders);
  // Where a placeholder stands for the tag of a union, several options fit.
  if (Array.isArray(inner.oneOf)) {
    inner.anyOf = inner.oneOf;
    delete inner.oneOf;
  }
  const types = [inner.type].flat();
  const isScalar = types.some((type) => type === 'number' || type === 'integer' || type === 'boolean');
  const isNarrow =
    !types.includes('object') && !types.includes('array') && NARROW.some((keyword) => keyword in inner);
  if (!isScalar && !isNarrow) return inner;
  const kept = Object.entries(inner).filter(([keyword]) => ANNOTATIONS.has(keyword));
  const judged = Object.entries(inner).filter(([keyword]) => !ANNOTATIONS.has(keyword));
  return { ...Object.fromEntries(kept), anyOf: [Object.fromEntries(judged), { ...PLACEHOLDER }] };
}

/** A copy whose direct sub-schemas went through the function. Data such as `default` and `enum` is left alone. */
function mapSchemas(schema: JsonSchema, change: (part: JsonSchema) => JsonSchema): JsonSchema {
  const copy: JsonSchema = { ...schema };
  const changed = (part: unknown): unknown => (isSchema(part) ? change(part) : part);
  for (const keyword of ONE) if (keyword in copy) copy[keyword] = changed(copy[keyword]);
  for (const keyword of LISTS) {
    const list = copy[keyword];
    if (Array.isArray(list)) copy[keyword] = list.map(changed);
  }
  for (const keyword of MAPS) {
    const map = copy[keyword];
    if (isSchema(map)) {
      copy[keyword] = Object.fromEntries(Object.entries(map).map(([key, part]) => [key, changed(part)]));
    }
  }
  return copy;
}

function isSchema(part: unknown): part is JsonSchema {
  return typeof part === 'object' && part !== null && !Array.isArray(part);
}

const reference = (name: string): string => `#/$defs/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** The schema and its own definitions under names that no other schema has, references changed to match. */
function embed(schema: JsonSchema, name: string): JsonSchema {
  const { $schema: _, $defs = {}, ...root } = schema;
  const rename = (part: JsonSchema): JsonSchema => {
    const copy = mapSchemas(part, rename);
    if (typeof copy.$ref === 'string') copy.$ref = renamed(copy.$ref, name);
    return copy;
  };
  const definitions: JsonSchema = { [name]: rename(root) };
  for (const [key, part] of Object.entries($defs as JsonSchema)) {
    definitions[`${name}.${key}`] = rename(part as JsonSchema);
  }
  return definitions;
}

function renamed(target: string, name: string): string {
  if (target === '#') return reference(name);
  return target.startsWith('#/$defs/') ? `${reference(name)}.${target.slice('#/$defs/'.length)}` : target;
}

/** Editors show the key as outdated instead of wrong. */
function addIgnoredKey(schema: JsonSchema, path: readonly string[]): void {
  const parent = descend(schema, path.slice(0, -1));
  const properties = (parent.properties ??= {}) as JsonSchema;
  properties[path.at(-1)!] = { deprecated: true, description: 'Ignored: it has no meaning here.' };
}

function descend(schema: JsonSchema, path: readonly string[]): JsonSchema {
  let at = schema;
  for (const step of path) {
    at = (step === '*' ? at.additionalProperties : (at.properties as JsonSchema)[step]) as JsonSchema;
  }
  return at;
}
