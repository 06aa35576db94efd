import { z } from 'zod';

export const LOG_LEVELS = ['CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export const DEFAULT_CONNECTION_STRING = 'sqlite:///data/chargeback.db';

/** Written in any case, read as upper case. */
export const logLevelSchema = z
  .string()
  .transform((level) => level.toUpperCase())
  .pipe(z.enum(LOG_LEVELS));

const loggingSchema = z.strictObject({
  level: logLevelSchema.prefault('INFO').describe('Least severity that is logged.'),
  per_module_levels: z
    .record(z.string().min(1), logLevelSchema)
    .default({})
    .describe('Name of a module to its own level.'),
});

const featuresSchema = z.strictObject({
  enable_periodic_refresh: z
    .boolean()
    .default(true)
    .describe('Whether the engine runs again and again, or once.'),
  refresh_interval: z.int().min(1).default(1800).describe('Seconds from the end of a run to the next.'),
  refresh_schedule: z
    .string()
    .min(1)
    .nullish()
    .transform((value) => value ?? null)
    .describe('Cron expression (UTC) that replaces refresh_interval, such as "15 3 * * *".'),
  max_parallel_tenants: z.int().min(1).max(64).default(4).describe('Tenants that are worked on at once.'),
});

const apiSchema = z.strictObject({
  host: z.string().min(1).default('0.0.0.0').describe('Address to listen on.'),
  port: z.int().min(1).max(65_535).default(8080),
  enable_cors: z.boolean().default(false).describe('Whether browsers on other origins may call.'),
  cors_origins: z.array(z.string().min(1)).default([]).describe('Origins that may call.'),
  request_timeout_seconds: z.int().min(1).max(300).default(30).describe('A slower answer becomes HTTP 504.'),
});

const monitoringSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address that the worker listens on for GET /metrics and /health; there is no authentication.'),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .nullish()
    .transform((value) => value ?? null)
    .describe('Port of it; without one nothing is served.'),
});

const storageSchema = z.strictObject({
  connection_string: z
    .string()
    .min(1)
    .default(DEFAULT_CONNECTION_STRING)
    .describe(
      'The database of this tenant alone: sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://user:password@host:5432/database.',
    ),
});

export const tenantSchema = z.strictObject({
  ecosystem: z.string().min(1).describe('Which plugin serves the tenant.'),
  tenant_id: z.string().min(1).describe('Names the tenant in every row; never sent to a provider.'),
  lookback_days: z
    .int()
    .min(1)
    .max(364)
    .default(200)
    .describe('Days back from today that are looked at; more than cutoff_days.'),
  cutoff_days: z
    .int()
    .min(1)
    .max(30)
    .default(5)
    .describe('The newest days, left out because their bill is not settled.'),
  retention_days: z.int().min(1).max(730).default(250).describe('Days that are kept.'),
  allocation_retry_limit: z
    .int()
    .min(1)
    .max(10)
    .default(3)
    .describe('Tries of a line before it goes to UNALLOCATED.'),
  topic_attribution_retry_limit: z
    .int()
    .min(1)
    .max(10)
    .default(3)
    .describe('Tries to fetch the metrics of a cluster before sentinel rows are written.'),
  zero_gather_deletion_threshold: z
    .int()
    .min(-1)
    .default(-1)
    .describe('Empty listings in a row after which resources count as deleted; -1 for never.'),
  gather_failure_threshold: z
    .int()
    .min(1)
    .default(5)
    .describe('Failed gathers in a row after which the tenant is suspended.'),
  resume_after_seconds: z
    .int()
    .min(1)
    .nullish()
    .transform((value) => value ?? null)
    .describe('Seconds after which a suspended tenant is tried again by itself; null for never.'),
  tenant_execution_timeout_seconds: z.int().min(0).default(3600).describe('Longest run; 0 for no limit.'),
  metrics_prefetch_workers: z.int().min(1).max(20).default(4).describe('Metrics queries in flight at once.'),
  storage: storageSchema.prefault({}),
  plugin_settings: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("The ecosystem's own settings, judged by its plugin."),
});

/** The whole file. Keys are spelled as in the YAML, in the output too. */
export const configSchema = z.strictObject({
  logging: loggingSchema.prefault({}),
  features: featuresSchema.prefault({}),
  api: apiSchema.prefault({}),
  monitoring: monitoringSchema.prefault({}),
  plugins_path: z
    .string()
    .nullish()
    .transform((folder) => (folder === undefined || folder === '' ? null : folder))
    .describe('Folder whose every sub-folder is a plugin; relative to the working directory.'),
  plugins: z.array(z.string().min(1)).default([]).describe('Installed npm packages that are plugins.'),
  tenants: z
    .record(z.string().min(1), tenantSchema)
    .default({})
    .describe('Name of a tenant to its settings.'),
});

export type Config = z.output<typeof configSchema>;
export type TenantConfig = z.output<typeof tenantSchema>;

/**
 * Keys of the existing product that mean nothing here: they load with a warning. `*` stands for any key.
 */
export const IGNORED_KEYS: readonly (readonly string[])[] = [
  ['logging', 'format'],
  ['preview'],
  ['tenants', '*', 'storage', 'backend'],
  ['tenants', '*', 'focus_preview'],
  // What a topic costs within its line is not told apart here.
  ['tenants', '*', 'plugin_settings', 'topic_attribution'],
];
