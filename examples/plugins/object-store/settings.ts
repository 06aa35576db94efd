import { pluginSettingsBaseSchema } from '@chargeback/plugin-api';
import { z } from 'zod';

export const settingsSchema = pluginSettingsBaseSchema.extend({
  bill_file: z.string().min(1).describe('CSV file of the bill, relative to the configuration file.'),
  requests_file: z.string().min(1).describe('CSV file of the requests, relative to the configuration file.'),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .default('EUR')
    .describe('ISO 4217 code of the amounts.'),
});

export type Settings = z.output<typeof settingsSchema>;
