import { API_VERSION, type EcosystemPlugin } from '@chargeback/plugin-api';
import { connect } from './connect.ts';
import { routing } from './routes.ts';
import { type Settings, settingsSchema } from './settings.ts';

/** What the engine calls. Pure: it reads nothing and connects to nothing. */
export function register(): EcosystemPlugin<Settings> {
  return {
    apiVersion: API_VERSION,
    ecosystem: '__NAME__',
    settings: settingsSchema,
    routing,
    create: connect,
  };
}
