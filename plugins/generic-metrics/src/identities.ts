import { type Identity, UNALLOCATED, UNALLOCATED_IDENTITY } from '@chargeback/plugin-api';
import { listedIdentities, mappedTeam } from '@chargeback/prometheus';
import type { Settings } from './settings.ts';

/** The identities listed in the configuration. */
export function staticIdentities({ identity_source: source }: Settings): Identity[] {
  return listedIdentities(source, (name) => ({ team: mappedTeam(source, name) }));
}

/** Describes a name that a metric carries. */
export function principalIdentity({ identity_source: source }: Settings, principal: string): Identity {
  if (principal === UNALLOCATED) return UNALLOCATED_IDENTITY;
  return {
    identityId: principal,
    identityType: 'principal',
    displayName: principal,
    createdAt: null,
    deletedAt: null,
    metadata: { team: mappedTeam(source, principal) },
  };
}
