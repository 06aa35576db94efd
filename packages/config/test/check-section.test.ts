import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ConfigProblem, SectionResult } from '@chargeback/config';
import { load, places, tenant, type Variables } from './support.ts';

const SECTION = ['tenants', 'prod', 'plugin_settings'];

const quantity = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('fixed'), count: z.int().min(1) }),
  z.strictObject({ type: z.literal('query'), query: z.string() }),
]);

const settings = pluginSettingsBaseSchema.extend({
  cluster_id: z.string().min(1),
  metrics: z.strictObject({ url: z.url(), password: z.string().optional() }).optional(),
  rate: z.union([z.string(), z.number()]).optional(),
  limit: z.union([z.number(), z.literal('none')]).optional(),
  source: z.union([z.strictObject({ port: z.int() }), z.strictObject({ file: z.string() })]).optional(),
  quantity: quantity.optional(),
  verbose: z.boolean().nullable().default(null),
});

function check<T>(
  lines: readonly string[],
  schema: z.ZodType<T>,
  variables: Variables = {},
): SectionResult<T> {
  return load(tenant('plugin_settings:', ...lines.map((line) => `  ${line}`)), variables).checkSection(
    SECTION,
    schema,
  );
}

function problems(lines: readonly string[], variables: Variables = {}): ConfigProblem[] {
  const result = check(lines, settings, variables);
  if ('problems' in result) return result.problems;
  throw new Error('the section is valid, though it should not be');
}

function value(lines: readonly string[], variables: Variables = {}): z.output<typeof settings> {
  const result = check(lines, settings, variables);
  if ('value' in result) return result.value;
  throw new Error(result.problems.map(({ path, message }) => `${path}: ${message}`).join('\n'));
}

describe('a plugin’s section', () => {
  it('is parsed by the plugin’s schema, defaults included', () => {
    expect(value(['cluster_id: c', 'emitters:', '  - type: csv'])).toMatchObject({
      cluster_id: 'c',
      min_refresh_gap_seconds: 1800,
      chargeback_granularity: 'daily',
      emitters: [{ type: 'csv', aggregation: null, params: {}, lookback_days: null }],
    });
  });

  it('that is absent counts as empty', () => {
    expect(load(tenant()).checkSection(SECTION, z.strictObject({ a: z.int().default(3) }))).toEqual({
      value: { a: 3 },
    });
    expect(load(tenant()).checkSection(SECTION, z.array(z.string()).default(['x']))).toEqual({
      value: ['x'],
    });
    const result = load(tenant()).checkSection([...SECTION, 'params'], z.strictObject({ a: z.int() }));
    expect('problems' in result && places(result.problems)).toEqual([
      '2:3 CB_CONFIG_VALUE tenants.prod.plugin_settings.params.a',
    ]);
  });

  it('gets problems of the same quality: place, nearest name, fix', () => {
    const found = problems([
      'clustr_id: x',
      'emitters:',
      '  - type: csv',
      '    agregation: daily',
      '  - aggregation: dayly',
      'metrics: {url: nowhere}',
      'verbose: 3',
    ]);
    expect(places(found)).toEqual([
      '5:5 CB_CONFIG_VALUE tenants.prod.plugin_settings.cluster_id',
      '6:7 CB_CONFIG_UNKNOWN_KEY tenants.prod.plugin_settings.clustr_id',
      '9:11 CB_CONFIG_UNKNOWN_KEY tenants.prod.plugin_settings.emitters[0].agregation',
      '10:11 CB_CONFIG_VALUE tenants.prod.plugin_settings.emitters[1].type',
      '10:11 CB_CONFIG_VALUE tenants.prod.plugin_settings.emitters[1].aggregation',
      '11:17 CB_CONFIG_VALUE tenants.prod.plugin_settings.metrics.url',
      '12:7 CB_CONFIG_VALUE tenants.prod.plugin_settings.verbose',
    ]);
    expect(found.map(({ fix }) => fix).filter((fix) => fix.startsWith('Did you mean'))).toEqual([
      'Did you mean cluster_id?',
      'Did you mean aggregation?',
      'Did you mean daily?',
    ]);
  });

  it('types placeholders as the schema wants them', () => {
    const found = value(
      [
        'cluster_id: ${NUMBER}',
        'metrics: {url: "${URL}", password: "${NUMBER}"}',
        'metrics_step_seconds: ${NUMBER}',
        'granularity_durations: {weekly: "${NUMBER}"}',
        'emitters: [{type: csv, lookback_days: "${NUMBER}"}]',
        'allocator_params: {ratio: "${NUMBER}", real: 0.5}',
        'rate: ${NUMBER}',
        'limit: ${NUMBER}',
        'source: {port: "${NUMBER}"}',
        'quantity: {type: "${KIND}", count: "${NUMBER}"}',
        'verbose: "${NOTHING:-}"',
      ],
      { NUMBER: '0012', URL: 'http://h:9090', KIND: 'fixed' },
    );
    expect(found).toMatchObject({
      cluster_id: '0012',
      metrics: { url: 'http://h:9090', password: '0012' },
      metrics_step_seconds: 12,
      granularity_durations: { weekly: 12 },
      emitters: [{ lookback_days: 12 }],
      // A union that accepts text gets the text as it is.
      allocator_params: { ratio: '0012', real: 0.5 },
      rate: '0012',
      limit: 12,
      source: { port: 12 },
      quantity: { type: 'fixed', count: 12 },
      verbose: null,
    });
  });

  it('types a placeholder as a number when a check of the plugin’s own asks for one', () => {
    const schema = z.strictObject({
      ratio: z
        .union([z.string(), z.number()])
        .refine((ratio) => typeof ratio === 'number', 'must be a number'),
    });
    expect(check(['ratio: ${R}'], schema, { R: '0.7' })).toEqual({ value: { ratio: 0.7 } });
    expect(check(['ratio: ${R}'], schema, { R: 'much' })).toMatchObject({
      problems: [{ message: 'must be a number' }],
    });
  });

  it('does not turn a text that the schema rejects into a number', () => {
    const schema = z.strictObject({ id: z.string().min(5) });
    expect(check(['id: ${ID}'], schema, { ID: '007' })).toMatchObject({
      problems: [{ message: 'must have at least 5 characters' }],
    });
  });

  it('explains unions by the option that comes nearest', () => {
    expect(problems(['cluster_id: c', 'limit: [1]'])[0]?.message).toBe(
      'must be none or a number, not a list',
    );
    expect(places(problems(['cluster_id: c', 'source: {prt: 1, port: x}']))).toContain(
      '7:24 CB_CONFIG_VALUE tenants.prod.plugin_settings.source.port',
    );
    expect(problems(['cluster_id: c', 'quantity: {type: fxed}'])[0]).toMatchObject({
      path: 'tenants.prod.plugin_settings.quantity.type',
      message: 'must be one of: fixed, query',
      fix: 'Did you mean fixed?',
    });
  });

  it('names the keys that a map may have', () => {
    const schema = z.strictObject({ names: z.partialRecord(z.enum(['bytes_in', 'bytes_out']), z.string()) });
    expect(check(['names: {byte_in: x}'], schema)).toMatchObject({
      problems: [
        { path: 'tenants.prod.plugin_settings.names.byte_in', fix: 'Did you mean bytes_in?', line: 6 },
      ],
    });
  });

  it('passes on what a check of the plugin’s own says, with its fix', () => {
    const schema = z.strictObject({ a: z.number(), b: z.number() }).refine(({ a, b }) => a + b === 1, {
      error: 'a + b must equal 1.0',
      path: ['b'],
      params: { fix: 'Change b.' },
    });
    expect(check(['a: 0.5', 'b: 0.2'], schema)).toMatchObject({
      problems: [{ line: 7, column: 7, message: 'a + b must equal 1.0', fix: 'Change b.' }],
    });
  });

  it('survives a check that throws', () => {
    const schema = z.strictObject({}).refine(() => {
      throw new Error('broken check');
    });
    expect(check(['{}'], schema)).toMatchObject({
      problems: [{ message: expect.stringContaining('broken check') }],
    });
  });
});
