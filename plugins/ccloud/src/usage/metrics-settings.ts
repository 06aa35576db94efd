import { metricsConnectionSchema, serverUrlSchema } from '@chargeback/prometheus';
import { z } from 'zod';

/** Straight from the vendor's Metrics API, without a Prometheus in between. */
const metricsApiSchema = z
  .strictObject({
    type: z.literal('ccloud_metrics_api'),
    key: z.string().min(1).nullish().describe('Cloud API key; that of ccloud_api unless given.'),
    secret: z.string().min(1).nullish(),
    base_url: serverUrlSchema.default('https://api.telemetry.confluent.cloud'),
    ca_file: z.string().min(1).nullish().describe('PEM file of a private certificate authority.'),
    timeout_seconds: z.number().min(1).max(600).default(60).describe('Of each try.'),
    max_response_bytes: z.int().min(1024).default(268_435_456),
    max_in_flight: z.int().min(1).max(100).default(4),
    max_attempts: z.int().min(1).max(10).default(6),
    requests_per_second: z.number().min(0.01).max(100).default(4).describe('The API allows 300 a minute.'),
  })
  .superRefine(({ key, secret }, issues) => {
    if (Boolean(key) === Boolean(secret)) return;
    const [missing, given] = key ? ['secret', 'key'] : ['key', 'secret'];
    issues.addIssue({ code: 'custom', path: [missing], message: `${given} is given without ${missing}` });
  });

export type MetricsApiSettings = z.output<typeof metricsApiSchema>;

/** The block `metrics`: where usage comes from. Null: nowhere, costs are split without it. */
export const metricsSettingsSchema = z
  .discriminatedUnion('type', [metricsConnectionSchema, metricsApiSchema])
  .nullish()
  .transform((value) => value ?? null);

export type MetricsSettings = z.output<typeof metricsSettingsSchema>;
