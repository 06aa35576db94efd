import { Decimal } from '@chargeback/money';
import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import { metricsConnectionSchema } from '@chargeback/prometheus';
import { z } from 'zod';
import { queryProblem } from './query-range.ts';

const MAX_RATE = new Decimal('1e12');

/** A price per unit, kept exact: from text, or from a YAML number by its shortest form. */
const rateSchema: z.ZodType<Decimal, string | number> = z
  .union([z.string(), z.number()])
  .transform((value, issues): Decimal => {
    const text = String(value).trim();
    if (!/^\d*\.?\d+(e[+-]?\d{1,3})?$/i.test(text)) {
      issues.addIssue({
        code: 'custom',
        message: 'a rate is a decimal number of at least 0, such as "0.0001"',
      });
      return z.NEVER;
    }
    const rate = new Decimal(text);
    if (rate.greaterThan(MAX_RATE)) {
      issues.addIssue({ code: 'custom', message: `a rate is at most ${MAX_RATE.toFixed()}` });
      return z.NEVER;
    }
    return rate;
  });

const staticIdentitySchema = z.strictObject({
  identity_id: z.string().min(1),
  identity_type: z.string().min(1),
  display_name: z.string().nullish(),
  team: z.string().nullish(),
});

const identitySourceSchema = z
  .strictObject({
    source: z.enum(['prometheus', 'static', 'both']).default('prometheus'),
    label: z.string().min(1).default('principal').describe('Label that names the identity.'),
    discovery_query: z.string().min(1).nullish().describe('PromQL with one series per identity.'),
    principal_to_team: z.record(z.string(), z.string()).default({}),
    default_team: z.string().min(1).default('UNASSIGNED'),
    static_identities: z.array(staticIdentitySchema).default([]),
  })
  .superRefine((source, issues) => {
    if (source.source !== 'static' && !source.discovery_query) {
      issues.addIssue({
        code: 'custom',
        path: ['discovery_query'],
        message: `discovery_query required when source is ${source.source}`,
      });
    }
    const ids = source.static_identities.map(({ identity_id }) => identity_id);
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) === index) continue;
      issues.addIssue({
        code: 'custom',
        path: ['static_identities', index, 'identity_id'],
        message: `identity ${id} is listed twice`,
      });
    }
  });

const costQuantitySchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('fixed'), count: z.int().min(1).describe('Number of instances.') }),
  z.strictObject({
    type: z.literal('storage_gib'),
    query: z.string().min(1).describe('PromQL gauge in bytes.'),
  }),
  z.strictObject({
    type: z.literal('network_gib'),
    query: z.string().min(1).describe('PromQL increase in bytes.'),
  }),
]);

const costTypeSchema = z
  .strictObject({
    name: z.string().min(1).describe('The product type.'),
    product_category: z.string().min(1),
    rate: rateSchema.describe(
      'Price per instance-hour (fixed), GiB-hour (storage_gib) or GiB (network_gib).',
    ),
    cost_quantity: costQuantitySchema,
    allocation_strategy: z.enum(['even_split', 'usage_ratio']),
    allocation_query: z.string().min(1).nullish(),
    allocation_label: z.string().min(1).nullish(),
  })
  .superRefine((costType, issues) => {
    if (costType.allocation_strategy === 'usage_ratio') {
      for (const key of ['allocation_query', 'allocation_label'] as const) {
        if (!costType[key])
          issues.addIssue({ code: 'custom', path: [key], message: `${key} required for usage_ratio` });
      }
    }
    const complain = (path: string[], message: string | null): void => {
      if (message !== null) issues.addIssue({ code: 'custom', path, message });
    };
    const quantity = costType.cost_quantity;
    if (quantity.type === 'network_gib') complain(['cost_quantity', 'query'], queryProblem(quantity.query));
    if (costType.allocation_query) complain(['allocation_query'], queryProblem(costType.allocation_query));
  });

/** Settings of the ecosystem `generic-metrics`: its own keys besides those every ecosystem has. */
export const settingsSchema = z.strictObject({
  ...pluginSettingsBaseSchema.shape,
  cluster_id: z.string().min(1).describe('Resource id of every line.'),
  display_name: z.string().min(1).nullish(),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'an ISO 4217 code such as USD')
    .default('USD'),
  metrics: metricsConnectionSchema,
  identity_source: identitySourceSchema,
  cost_types: z
    .array(costTypeSchema)
    .min(1)
    .superRefine((costTypes, issues) => {
      const names = costTypes.map(({ name }) => name);
      for (const [index, name] of names.entries()) {
        if (names.indexOf(name) === index) continue;
        issues.addIssue({
          code: 'custom',
          path: [index, 'name'],
          message: `cost type ${name} is defined twice`,
        });
      }
    }),
});

export type Settings = z.output<typeof settingsSchema>;
export type CostType = Settings['cost_types'][number];
