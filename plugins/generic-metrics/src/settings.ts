import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import {
  currencySchema,
  metricsConnectionSchema,
  ownStepProblem,
  rateSchema,
  staticIdentitiesSchema,
} from '@chargeback/prometheus';
import { z } from 'zod';

const identitySourceSchema = z
  .strictObject({
    source: z.enum(['prometheus', 'static', 'both']).default('prometheus'),
    label: z.string().min(1).default('principal').describe('Label that names the identity.'),
    discovery_query: z.string().min(1).nullish().describe('PromQL with one series per identity.'),
    principal_to_team: z.record(z.string(), z.string()).default({}),
    default_team: z.string().min(1).default('UNASSIGNED'),
    static_identities: staticIdentitiesSchema,
  })
  .superRefine((source, issues) => {
    if (source.source !== 'static' && !source.discovery_query) {
      issues.addIssue({
        code: 'custom',
        path: ['discovery_query'],
        message: `discovery_query required when source is ${source.source}`,
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
    if (quantity.type === 'network_gib') complain(['cost_quantity', 'query'], ownStepProblem(quantity.query));
    if (costType.allocation_query) complain(['allocation_query'], ownStepProblem(costType.allocation_query));
  });

/** Settings of the ecosystem `generic-metrics`: its own keys besides those every ecosystem has. */
export const settingsSchema = z.strictObject({
  ...pluginSettingsBaseSchema.shape,
  cluster_id: z.string().min(1).describe('Resource id of every line.'),
  display_name: z.string().min(1).nullish(),
  currency: currencySchema,
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
