import { z } from 'zod';

const staticIdentitySchema = z.strictObject({
  identity_id: z.string().min(1),
  identity_type: z.string().min(1),
  display_name: z.string().nullish(),
  team: z.string().nullish(),
});

/** Identities that a configuration lists because no metric names them, each once. */
export const staticIdentitiesSchema = z
  .array(staticIdentitySchema)
  .default([])
  .superRefine((identities, issues) => {
    const ids = identities.map(({ identity_id }) => identity_id);
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) === index) continue;
      const path = [index, 'identity_id'];
      issues.addIssue({ code: 'custom', path, message: `identity ${id} is listed twice` });
    }
  });
