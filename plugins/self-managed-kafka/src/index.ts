import { API_VERSION, type EcosystemPlugin } from '@chargeback/plugin-api';
import { createSelfManagedKafka } from './create.ts';
import { createDirectory } from './identities.ts';
import { queriesOf } from './queries.ts';
import { fallbackRoute, routesOf } from './routes.ts';
import { type Settings, settingsSchema } from './settings.ts';

/** Bills a Kafka cluster that somebody runs themselves, from its metrics and rates in YAML. */
export function register(): EcosystemPlugin<Settings> {
  return {
    apiVersion: API_VERSION,
    ecosystem: 'self-managed-kafka',
    aliases: ['self_managed_kafka'],
    settings: settingsSchema,
    routing: (settings) => ({
      routes: routesOf(settings, queriesOf(settings), createDirectory(settings)),
      fallback: fallbackRoute(),
    }),
    create: createSelfManagedKafka,
  };
}
