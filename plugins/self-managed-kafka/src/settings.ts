import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import { currencySchema, metricsConnectionSchema } from '@chargeback/prometheus';
import { z } from 'zod';
import { changesSchema } from './changes-schema.ts';
import { costModelSchema } from './cost-model-schema.ts';
import { identitySourceSchema } from './identity-source-schema.ts';
import { METRIC_PRESET_NAMES, METRIC_PRESETS, QUERY_KEYS } from './metric-presets.ts';
import { ownershipSchema } from './ownership-schema.ts';
import { queriesSchema, queryProblem } from './queries-schema.ts';
import { resourceSourceSchema } from './resource-source-schema.ts';
import { matchersOf, selectorSchema } from './selector-schema.ts';

const SECONDS_PER_DAY = 86_400;

const presetSchema = z
  .enum(METRIC_PRESET_NAMES)
  .default('plain')
  .describe(
    METRIC_PRESET_NAMES.map((name) => `${name}: ${METRIC_PRESETS[name].title}`)
      .join('; ')
      .concat('.'),
  );

const shapeSchema = z.strictObject({
  ...pluginSettingsBaseSchema.shape,
  cluster_id: z.string().min(1).describe('Resource id of every line.'),
  broker_count: z.int().min(1).describe('Brokers that compute is billed for.'),
  region: z.string().min(1).nullish().describe('Chooses the overrides of the cost model.'),
  currency: currencySchema,
  cost_model: costModelSchema,
  changes: changesSchema.describe('Brokers and rates that are others from some day on.'),
  metrics: metricsConnectionSchema,
  metric_preset: presetSchema,
  selector: selectorSchema.nullish().describe('Label matchers that keep this cluster apart: cluster="prod".'),
  queries: queriesSchema.default({}),
  discovery_window_hours: z
    .int()
    .min(1)
    .max(24 * 366)
    .default(1)
    .describe('How far back brokers and topics are looked for.'),
  identity_source: identitySourceSchema.prefault({}),
  resource_source: resourceSourceSchema.prefault({}),
  charge_to: z
    .enum(['principal', 'team'])
    .default('principal')
    .describe('Whose name the rows carry: that of the principal, or that of its team on the billed day.'),
  storage_allocation: z
    .enum(['even_split', 'owner_bytes'])
    .default('even_split')
    .describe('Storage evenly, or in proportion to the retained bytes of the topics that a team owns.'),
  ownership: ownershipSchema.default([]).describe('Which team owns which topics and principals, and when.'),
});

type Shape = z.output<typeof shapeSchema>;

/** Settings of the ecosystem `self-managed-kafka`: its own keys besides those every ecosystem has. */
export const settingsSchema = shapeSchema.superRefine((settings, issues) => {
  const complain = (path: (string | number)[], message: string): void => {
    issues.addIssue({ code: 'custom', path, message });
  };
  const step = settings.metrics_step_seconds;
  if (SECONDS_PER_DAY % step !== 0) {
    complain(['metrics_step_seconds'], `${step} s do not divide a day; use 300, 900, 1800 or 3600`);
  }
  if (settings.storage_allocation === 'owner_bytes' && !settings.ownership.some(ownsTopics)) {
    complain(
      ['ownership'],
      'storage_allocation owner_bytes needs an entry of ownership with topic or topic_regex',
    );
  }
  checkQueries(settings, complain);
});

function ownsTopics({ topic, topic_regex: regex }: Shape['ownership'][number]): boolean {
  return Boolean(topic) || Boolean(regex);
}

function checkQueries(settings: Shape, complain: (path: (string | number)[], message: string) => void): void {
  const { queries, metrics_step_seconds: stepSeconds } = settings;
  const matchers = matchersOf(settings.selector);
  for (const key of QUERY_KEYS) {
    const query = queries[key];
    const problem = query === undefined ? null : queryProblem(key, query, { stepSeconds, matchers });
    if (problem !== null) complain(['queries', key], problem);
  }
  const own = queries.bytes_in_per_principal ?? queries.bytes_out_per_principal;
  if (own !== undefined && queries.principals === undefined && settings.identity_source.source !== 'static') {
    const message =
      'principals is needed too: a query with one series for each principal, whatever its value';
    complain(['queries'], message);
  }
}

export type Settings = z.output<typeof settingsSchema>;
