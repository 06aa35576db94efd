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
    metadata: { team: team ?? source.principal_to_team[identity_id] ?? source.default_team },
  }));
}

/** Describes a name that a metric carries. */
export function principalIdentity({ identity_source: source }: Settings, principal: string): Identity {
  const team = source.principal_to_team[principal] ?? source.default_team;
  return {
    identityId: principal,
    identityType: 'principal',
    displayName: principal,
    createdAt: null,
    deletedAt: null,
    metadata: { team },
  };
}
