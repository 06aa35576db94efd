import type { Identity } from '@chargeback/plugin-api';
import type { Settings } from './settings.ts';

/** The identities listed in the configuration; they have always existed. */
export function staticIdentities({ identity_source: source }: Settings): Identity[] {
  if (source.source === 'prometheus') return [];
  return source.static_identities.map(({ identity_id, identity_type, display_name, team }) => ({
    identityId: identity_id,
    identityType: identity_type,
    displayName: display_name ?? null,
    createdAt: null,
    deletedAt: null,
    metadata: { team: team ?? teamOf(source, identity_id) },
  }));
}

/** Describes a name that a metric carries. */
export function principalIdentity({ identity_source: source }: Settings, principal: string): Identity {
  return {
    identityId: principal,
    identityType: 'principal',
    displayName: principal,
    createdAt: null,
    deletedAt: null,
    metadata: { team: teamOf(source, principal) },
  };
}

/** Names come from outside: one that is called `constructor` has no team of its own either. */
function teamOf(
  { principal_to_team: teams, default_team: otherwise }: Settings['identity_source'],
  name: string,
): string {
  return Object.hasOwn(teams, name) ? teams[name]! : otherwise;
}
