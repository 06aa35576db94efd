import { staticIdentitiesSchema } from '@chargeback/prometheus';
import { z } from 'zod';

/** Who may be charged: names found in metrics, a list, or both. */
export const identitySourceSchema = z.strictObject({
  source: z.enum(['prometheus', 'static', 'both']).default('prometheus'),
  label: z
    .string()
    .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'a label name holds letters, digits and _')
    .nullish()
    .describe('Label that names the principal; by default that of the metric preset.'),
  discovery_window_hours: z
    .int()
    .min(1)
    .max(24 * 366)
    .nullish()
    .describe('How far back principals are looked for; by default as far as brokers and topics.'),
  principal_to_team: z.record(z.string(), z.string().min(1)).default({}),
  default_team: z.string().min(1).default('UNASSIGNED'),
  static_identities: staticIdentitiesSchema,
});
