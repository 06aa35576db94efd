import type { Identity, Metadata } from '@chargeback/plugin-api';
import type { z } from 'zod';
import type { staticIdentitiesSchema } from './static-identities-schema.ts';

/** Where identities come from and which team each belongs to, as tenants write it. */
export interface IdentityList {
  readonly source: 'prometheus' | 'static' | 'both';
  readonly static_identities: z.output<typeof staticIdentitiesSchema>;
  readonly principal_to_team: Readonly<Record<string, string>>;
  readonly default_team: string;
}

/** The identities listed in the configuration; they have always existed. `teamOf` tells of those without a team. */
export function listedIdentities(list: IdentityList, teamOf: (identityId: string) => Metadata): Identity[] {
  if (list.source === 'prometheus') return [];
  return list.static_identities.map(({ identity_id, identity_type, display_name, team }) => ({
    identityId: identity_id,
    identityType: identity_type,
    displayName: display_name ?? null,
    createdAt: null,
    deletedAt: null,
    metadata: team ? { team } : teamOf(identity_id),
  }));
}

/** Names come from outside: one that is called `constructor` has no team of its own either. */
export function mappedTeam(
  { principal_to_team: teams, default_team: otherwise }: IdentityList,
  name: string,
): string {
  return Object.hasOwn(teams, name) ? teams[name]! : otherwise;
}
