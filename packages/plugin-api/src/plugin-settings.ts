import { z } from 'zod';

const reference = z.string().min(1).describe('dir.module.export, package#export or ./file.mjs#export.');

/** An override: where it is, and the parameters that its own schema checks. */
export const overrideSpecSchema = z
  .union([
    reference,
    z.strictObject({
      use: reference,
      params: z.record(z.string(), z.unknown()).default({}).describe("Checked by the override's own schema."),
    }),
  ])
  .transform((written) => (typeof written === 'string' ? { use: written, params: {} } : written));

export type OverrideSpec = z.output<typeof overrideSpecSchema>;

const overridesSchema = z.record(z.string().min(1), overrideSpecSchema);

/** One configured emitter. `params` are checked by the emitter's own schema. */
export const emitterSpecSchema = z.strictObject({
  type: z
    .string()
    .min(1)
    .describe('Built-in name (csv, prometheus), or dir.module.export, package#export or ./file.mjs#export.'),
  name: z.string().min(1).optional().describe('Names this emitter in its records; defaults to its type.'),
  aggregation: z
    .enum(['hourly', 'daily', 'monthly'])
    .nullish()
    .transform((value) => value ?? null)
    .describe('Period that rows are added up to; not finer than chargeback_granularity.'),
  params: z.record(z.string(), z.unknown()).default({}),
  lookback_days: z
    .int()
    .min(1)
    .nullish()
    .transform((value) => value ?? null),
});

export type EmitterSpec = z.output<typeof emitterSpecSchema>;

/** The settings that every ecosystem has. A plugin extends the shape with its own keys. */
export const pluginSettingsBaseSchema = z.strictObject({
  allocator_params: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe('Parameters that reach allocators.'),
  allocator_overrides: overridesSchema
    .default({})
    .describe('Product type to the allocator that replaces the built-in one.'),
  identity_resolution_overrides: overridesSchema
    .default({})
    .describe('Product type to the identity resolver that replaces the built-in one.'),
  min_refresh_gap_seconds: z
    .int()
    .min(0)
    .default(1800)
    .describe('A gather younger than this is not repeated.'),
  granularity_durations: z
    .record(z.string().min(1), z.int().min(1))
    .default({})
    .describe('Name of a granularity to its whole hours.'),
  metrics_step_seconds: z.int().min(1).default(3600).describe('Seconds between samples; divides a day.'),
  emitters: z.array(emitterSpecSchema).default([]),
  chargeback_granularity: z.enum(['hourly', 'daily', 'monthly']).default('daily'),
  missing_usage: z
    .enum(['hold', 'estimate', 'fallback'])
    .default('hold')
    .describe('What happens to a line whose metrics are incomplete.'),
  partial_period: z
    .enum(['active_fraction', 'allocate_full'])
    .default('active_fraction')
    .describe('Whether a line is reduced to the part of its window in which the resource existed.'),
});

export type PluginSettingsBase = z.output<typeof pluginSettingsBaseSchema>;
