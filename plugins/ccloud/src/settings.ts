import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import { serverUrlSchema } from '@chargeback/prometheus';
import { z } from 'zod';
import { IDENTITY_TYPES, RESOURCE_TYPES } from './inventory/names.ts';
import { orgWideSettingsSchema } from './products/org-wide.ts';
import { checkAllocatorParams } from './products/product-table.ts';
import { metricsSettingsSchema } from './usage/create-metrics.ts';

/** The vendor's public address, of which there is one. */
export const PUBLIC_API_URL = 'https://api.confluent.cloud';

/** Key and secret go into one header: what cannot stand there is refused before it can show in a message. */
const credentialSchema = z
  .string()
  .min(1)
  .regex(/^[\u0021-\u007E]+$/, 'it holds spaces, line ends or letters beyond ASCII; remove them');

const keySchema = credentialSchema.refine((key) => !key.includes(':'), 'a key holds no colon');

/** How politely and how patiently the API is asked. */
const requestShape = {
  timeout_seconds: z.number().min(1).max(600).default(30).describe('Of each try.'),
  max_attempts: z.int().min(1).max(10).default(6),
  max_in_flight: z.int().min(1).max(50).default(8),
  requests_per_second: z.number().min(0.1).max(100).default(10),
  max_response_bytes: z.int().min(1024).default(134_217_728),
};

const apiSchema = z.strictObject({
  key: keySchema.describe('Cloud API key, not one of a cluster.'),
  secret: credentialSchema,
  base_url: serverUrlSchema.default(PUBLIC_API_URL).describe('For private endpoints and tests.'),
  ca_file: z.string().min(1).nullish().describe('PEM file of a private certificate authority.'),
  ...requestShape,
});

const billingSchema = z
  .strictObject({
    days_per_query: z.int().min(1).max(30).default(15).describe('Days of the bill in one request.'),
  })
  .prefault({});

const flinkRegionSchema = z.strictObject({
  region_id: z.string().trim().min(1).describe('Region of the compute pools, such as us-east-1.'),
  key: keySchema.describe('Flink API key of the region.'),
  secret: credentialSchema,
  base_url: serverUrlSchema
    .nullish()
    .describe('Instead of https://flink.<region>.<cloud>.confluent.cloud, for private endpoints.'),
});

const { environment: _environment, ...skippable } = RESOURCE_TYPES;
const { principal: _principal, system: _system, ...listedIdentities } = IDENTITY_TYPES;
const SKIPPABLE = [...Object.values(skippable), ...Object.values(listedIdentities)];

/** Settings of the ecosystem `ccloud`: its own keys besides those every ecosystem has. */
export const settingsSchema = z
  .strictObject({
    ...pluginSettingsBaseSchema.shape,
    ccloud_api: apiSchema,
    billing_api: billingSchema,
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'an ISO 4217 code such as USD')
      .default('USD')
      .describe('Currency of the bill; the API does not name it.'),
    flink: z
      .array(flinkRegionSchema)
      .default([])
      .describe('Credentials per region, to list who runs which Flink statement.'),
    skip_listings: z
      .array(z.enum(SKIPPABLE as [string, ...string[]]))
      .default([])
      .describe('Types of resources and identities that are not listed, such as those the key may not see.'),
    metrics: metricsSettingsSchema,
    org_wide: orgWideSettingsSchema,
  })
  .superRefine((settings, issues) => {
    for (const { message } of checkAllocatorParams(settings.allocator_params))
      issues.addIssue({ code: 'custom', path: ['allocator_params'], message });
    const regions = settings.flink.map(({ region_id }) => region_id.toLowerCase());
    for (const [index, region] of regions.entries()) {
      if (regions.indexOf(region) === index) continue;
      const message = `region ${region} is listed twice`;
      issues.addIssue({ code: 'custom', path: ['flink', index, 'region_id'], message });
    }
  });

export type Settings = z.output<typeof settingsSchema>;
