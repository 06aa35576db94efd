import { API_VERSION, type EcosystemPlugin } from '@chargeback/plugin-api';
import { connect } from './connect.ts';
import { routing } from './routes.ts';
import { type Settings, settingsSchema } from './settings.ts';

/** A fictional object store that sends its bill, and who asked for what, as CSV files. */
export function register(): EcosystemPlugin<Settings> {
  return {
    apiVersion: API_VERSION,
    ecosystem: 'object-store',
    settings: settingsSchema,
    routing: () => routing(),
    create: connect,
  };
}
