import {
  type Identity,
  type IsoDate,
  type Metadata,
  SYSTEM_IDENTITY_TYPE,
  UNALLOCATED,
  UNALLOCATED_IDENTITY,
} from '@chargeback/plugin-api';
import { listedIdentities, mappedTeam } from '@chargeback/prometheus';
import { createOwnership, type Ownership } from './ownership.ts';
import type { Settings } from './settings.ts';

/** What topics are called in stored usage, so that none is taken for a principal of the same name. */
export const TOPIC_PREFIX = 'topic:';

/** Marks teams that are listed because somebody may be charged through them. */
const OWNING_TEAM = { owning_team: true };

/** Who can be charged, and through which team on which day. */
export interface Directory {
  /** The identities listed in the configuration, and the teams that may be charged. */
  readonly listed: readonly Identity[];
  /** Those of them that the configuration lists as identities. */
  readonly fixed: readonly Identity[];
  readonly ownership: Ownership;
  /** Describes a name that stored usage carries, a topic's included. */
  describe(name: string): Identity;
  /** The team that answers for a principal on a day: by ownership, then `principal_to_team`, then the default. */
  teamOf(principal: string, date: IsoDate): string;
  /** The identity whose name a row carries for someone on a day; null for a team that is not charged itself. */
  payerOf(identity: Identity, date: IsoDate): Identity | null;
}

export function createDirectory(settings: Settings): Directory {
  const source = settings.identity_source;
  const ownership = createOwnership(settings.ownership);
  const teamOf: Directory['teamOf'] = (principal, date) =>
    ownership.teamOfPrincipal(principal, date) ?? mappedTeam(source, principal);
  const teamsOf = (principal: string): Metadata => {
    const all = [...new Set(ownership.turns.map((date) => teamOf(principal, date)))];
    return all.length === 1 ? { team: all[0]! } : { teams: all };
  };
  const fixed = listedIdentities(source, teamsOf);
  const fixedById = new Map(fixed.map((identity) => [identity.identityId, identity]));
  const teams = teamNames(settings)
    .filter((team) => !fixedById.has(team))
    .map((team) => teamIdentity(team));
  const teamById = new Map(teams.map((identity) => [identity.identityId, identity]));
  // The same names come with every day.
  const described = new Map<string, Identity>();
  const team = (name: string): Identity => fixedById.get(name) ?? teamById.get(name) ?? teamIdentity(name);
  return {
    listed: [...fixed, ...teams],
    fixed,
    ownership,
    describe: (name) => {
      const known = fixedById.get(name) ?? described.get(name);
      if (known) return known;
      const identity = describeName(name, teamsOf(name));
      described.set(name, identity);
      return identity;
    },
    teamOf,
    payerOf: (identity, date) => {
      if (fixedById.has(identity.identityId)) return identity;
      if (identity.metadata['owning_team'] === true || identity.identityId === UNALLOCATED) return null;
      return settings.charge_to === 'team' ? team(teamOf(identity.identityId, date)) : identity;
    },
  };
}

/** Every team that a row may name: none as long as only principals are charged. */
function teamNames({
  charge_to,
  storage_allocation,
  ownership,
  identity_source: source,
}: Settings): string[] {
  if (charge_to === 'principal' && storage_allocation === 'even_split') return [];
  const mapped = charge_to === 'team' ? Object.values(source.principal_to_team) : [];
  return [...new Set([source.default_team, ...mapped, ...ownership.map(({ team }) => team)])];
}

function teamIdentity(team: string): Identity {
  return {
    identityId: team,
    identityType: 'team',
    displayName: team,
    createdAt: null,
    deletedAt: null,
    metadata: { team, ...OWNING_TEAM },
  };
}

/**
 * Says the team, or all of them in turn: what is told of somebody must not change because a day passes, or days
 * that are long settled would be calculated again. A topic is kept out of every identity set: it owns nothing and pays for nothing. */
function describeName(name: string, teams: Metadata): Identity {
  if (name === UNALLOCATED) return UNALLOCATED_IDENTITY;
  const topic = name.startsWith(TOPIC_PREFIX);
  return {
    identityId: name,
    identityType: topic ? SYSTEM_IDENTITY_TYPE : 'principal',
    displayName: topic ? name.slice(TOPIC_PREFIX.length) : name,
    createdAt: null,
    deletedAt: null,
    metadata: topic ? {} : { ...teams, raw_principal: name },
  };
}
