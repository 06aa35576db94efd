import { API_VERSION, type EcosystemPlugin } from '@chargeback/plugin-api';
import { createGenericMetrics } from './create.ts';
import { fallbackRoute, routesOf } from './routes.ts';
import { type Settings, settingsSchema } from './settings.ts';

/** Bills anything that Prometheus measures, from rates in YAML. */
export function register(): EcosystemPlugin<Settings> {
  return {
    apiVersion: API_VERSION,
    ecosystem: 'generic-metrics',
    aliases: ['generic_metrics_only'],
    settings: settingsSchema,
    routing: (settings) => ({ routes: routesOf(settings), fallback: fallbackRoute() }),
    create: createGenericMetrics,
  };
}
