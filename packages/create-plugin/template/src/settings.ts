import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import { z } from 'zod';

/** What a user writes under `plugin_settings`. Strict: an unknown key is an error with the nearest name. */
export const settingsSchema = pluginSettingsBaseSchema.extend({
  bill_file: z.string().min(1).describe('CSV file of the bill, relative to the configuration file.'),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .default('USD')
    .describe('ISO 4217 code of its amounts.'),
});

export type Settings = z.output<typeof settingsSchema>;
