import { z } from 'zod';

const staticIdentitySchema = z.strictObject({
  identity_id: z.string().min(1),
  identity_type: z.string().min(1),
  display_name: z.string().nullish(),
  team: z.string().nullish(),
});

/** Who may be charged: names found in metrics, a list, or both. */
export const identitySourceSchema = z
  .strictObject({
    source: z.enum(['prometheus', 'static', 'both']).default('prometheus'),
    label: z
      .string()
      .regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'a label name holds letters, digits and _')
      .nullish()
      .describe('Label that names the principal; by default that of the metric preset.'),
    principal_to_team: z.record(z.string(), z.string().min(1)).default({}),
    default_team: z.string().min(1).default('UNASSIGNED'),
    static_identities: z.array(staticIdentitySchema).default([]),
  })
  .superRefine((source, issues) => {
    const ids = source.static_identities.map(({ identity_id }) => identity_id);
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) === index) continue;
      const path = ['static_identities', index, 'identity_id'];
      issues.addIssue({ code: 'custom', path, message: `identity ${id} is listed twice` });
    }
  });

export type IdentitySource = z.output<typeof identitySourceSchema>;
