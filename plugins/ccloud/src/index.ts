import { API_VERSION, type EcosystemPlugin } from '@chargeback/plugin-api';
import { createCcloud, routingOf } from './create.ts';
import { type Settings, settingsSchema } from './settings.ts';

/** Allocates the bill of Confluent Cloud. */
export function register(): EcosystemPlugin<Settings> {
  return {
    apiVersion: API_VERSION,
    ecosystem: 'ccloud',
    aliases: ['confluent_cloud'],
    settings: settingsSchema,
    connectionSettings: ['ccloud_api', 'billing_api', 'flink', 'skip_listings'],
    routing: routingOf,
    create: createCcloud,
  };
}
