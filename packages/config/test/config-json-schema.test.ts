import { configJsonSchema, type JsonSchema } from '@chargeback/config';
import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

interface Tree {
  readonly name: string;
  readonly children?: Tree[] | undefined;
}
const tree: z.ZodType<Tree> = z.strictObject({
  name: z.string(),
  get children() {
    return z.array(tree).optional();
  },
});

const schema = configJsonSchema({
  demo: pluginSettingsBaseSchema.extend({
    cluster_id: z.string(),
    url: z.url().optional(),
    tree: tree.optional(),
  }),
  'second/one': z.strictObject({
    quantity: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('fixed'), count: z.int() }),
        z.strictObject({ type: z.literal('query'), query: z.string() }),
      ])
      .optional(),
  }),
});

/** The part at a path of keywords, references followed. */
function part(...path: (string | number)[]): JsonSchema {
  let at: unknown = schema;
  for (const step of path) {
    at = (at as Record<string | number, unknown>)[step];
    const reference = (at as JsonSchema | undefined)?.$ref;
    if (typeof reference === 'string') {
      const name = reference.replace('#/$defs/', '').replaceAll('~1', '/').replaceAll('~0', '~');
      at = (schema.$defs as JsonSchema)[name];
    }
  }
  return at as JsonSchema;
}

/** Whether a value fits a part, as another reader of JSON schema sees it. */
const accepts = (value: unknown, ...path: (string | number)[]): boolean =>
  z.fromJSONSchema(part(...path) as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value).success;

const TENANT = ['properties', 'tenants', 'additionalProperties'] as const;

describe('the JSON schema for editors', () => {
  it('is draft 2020-12, strict, and can be written as JSON', () => {
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(schema.additionalProperties).toBe(false);
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  });

  it('requires what has no default, and gives defaults and bounds', () => {
    expect(schema.required).toBeUndefined();
    expect(part(...TENANT).required).toEqual(['ecosystem', 'tenant_id']);
    expect(part(...TENANT, 'properties', 'lookback_days')).toMatchObject({ default: 200 });
    expect(accepts(364, ...TENANT, 'properties', 'lookback_days')).toBe(true);
    expect(accepts(365, ...TENANT, 'properties', 'lookback_days')).toBe(false);
  });

  it.each([
    ['port', 8080, 0],
    ['enable_cors', true, 3],
  ])('allows a placeholder for api.%s', (key, good, bad) => {
    expect(accepts(good, 'properties', 'api', 'properties', key)).toBe(true);
    expect(accepts('${X:-1}', 'properties', 'api', 'properties', key)).toBe(true);
    expect(accepts('80', 'properties', 'api', 'properties', key)).toBe(false);
    expect(accepts(bad, 'properties', 'api', 'properties', key)).toBe(false);
  });

  it('takes log levels in any case', () => {
    const level = ['properties', 'logging', 'properties', 'level'];
    for (const good of ['INFO', 'info', 'Debug', '${LEVEL}']) expect(accepts(good, ...level)).toBe(true);
    for (const bad of ['loud', 3, 'xinfo']) expect(accepts(bad, ...level)).toBe(false);
  });

  it('marks ignored keys as deprecated instead of unknown', () => {
    expect(part('properties', 'preview').deprecated).toBe(true);
    expect(part(...TENANT, 'properties', 'storage', 'properties', 'backend').deprecated).toBe(true);
  });

  it('chooses plugin_settings by ecosystem', () => {
    const choices = part(...TENANT).allOf as JsonSchema[];
    expect(choices.map((choice) => choice.if)).toEqual(
      ['demo', 'second/one'].map((name) => ({
        properties: { ecosystem: { const: name } },
        required: ['ecosystem'],
      })),
    );
    const settings = (index: number): JsonSchema =>
      part(...TENANT, 'allOf', index, 'then', 'properties', 'plugin_settings');
    expect(settings(0)).toMatchObject({ additionalProperties: false, required: ['cluster_id'] });
    expect(Object.keys(settings(0).properties as JsonSchema)).toContain('emitters');
    expect(Object.keys(settings(1).properties as JsonSchema)).toEqual(['quantity']);
    expect(choices.map((choice) => (choice.then as JsonSchema).required)).toEqual([
      ['plugin_settings'],
      undefined,
    ]);
  });

  it('allows placeholders in plugin settings, tags of unions included', () => {
    const settings = (index: number, key: string): (string | number)[] => [
      ...TENANT,
      'allOf',
      index,
      'then',
      'properties',
      'plugin_settings',
      'properties',
      key,
    ];
    expect(accepts('${URL}', ...settings(0, 'url'))).toBe(true);
    expect(accepts('${G}', ...settings(0, 'chargeback_granularity'))).toBe(true);
    expect(accepts({ type: '${T}', count: '${N}' }, ...settings(1, 'quantity'))).toBe(true);
    expect(accepts({ type: 'fixed', count: 'x' }, ...settings(1, 'quantity'))).toBe(false);
  });

  it('keeps references inside a plugin’s schema intact', () => {
    const target = part(...TENANT, 'allOf', 0, 'then', 'properties', 'plugin_settings', 'properties', 'tree');
    expect(target).toMatchObject({ required: ['name'] });
    const items = ((target.properties as JsonSchema).children as JsonSchema).items as JsonSchema;
    const references = JSON.stringify(schema).match(/"#\/\$defs\/[^"]+"/gu) ?? [];
    const names = Object.keys(schema.$defs as JsonSchema);
    expect(items.$ref).toBeTypeOf('string');
    for (const reference of references) {
      expect(names).toContain(JSON.parse(reference).replace('#/$defs/', '').replaceAll('~1', '/'));
    }
  });

  it('works without any plugin', () => {
    expect(configJsonSchema({})).toMatchObject({ type: 'object', $defs: {} });
  });
});
