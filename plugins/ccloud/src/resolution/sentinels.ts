import { type Identity, type Inventory, type Resource } from '@chargeback/plugin-api';
import { CONNECTOR_AUTH_MODES, IDENTITY_TYPES, METADATA, RESOURCE_TYPES } from '../inventory/names.ts';
import { textOf } from './text-of.ts';

/** Types of the named sentinels. None of them takes part in a split over all identities of a period. */
export const SENTINEL_TYPES = {
  apiKeyOwner: 'api_key_owner',
  connectorCredentials: 'connector_credentials',
  ksqldbCredentials: 'ksqldb_credentials',
  flinkStatementOwner: 'flink_statement_owner',
} as const;

function sentinel(identityId: string, identityType: string, displayName: string): Identity {
  return { identityId, identityType, displayName, createdAt: null, deletedAt: null, metadata: {} };
}

/** Who bears a cost whose owner cannot be named, one per reason. */
export const SENTINELS = {
  apiKeyOwnerUnknown: sentinel(
    'api_key_owner_unknown',
    SENTINEL_TYPES.apiKeyOwner,
    'Owner of an API key without owner',
  ),
  connectorUnknown: sentinel(
    'connector_credentials_masked',
    SENTINEL_TYPES.connectorCredentials,
    'Connector that no listing knows',
  ),
  connectorCredentialsUnknown: sentinel(
    'connector_credentials_unknown',
    SENTINEL_TYPES.connectorCredentials,
    'Connector credentials without owner',
  ),
  connectorApiKeyMasked: sentinel(
    'connector_api_key_masked',
    SENTINEL_TYPES.connectorCredentials,
    'Connector with a masked API key',
  ),
  connectorApiKeyNotFound: sentinel(
    'connector_api_key_not_found',
    SENTINEL_TYPES.connectorCredentials,
    'Connector whose API key no listing knows',
  ),
  ksqldbUnknown: sentinel(
    'ksqldb_deleted_when_calc_started',
    SENTINEL_TYPES.ksqldbCredentials,
    'ksqlDB cluster that no listing knows',
  ),
  ksqldbOwnerUnknown: sentinel(
    'ksqldb_owner_unknown',
    SENTINEL_TYPES.ksqldbCredentials,
    'ksqlDB cluster without credential identity',
  ),
  flinkStatementOwnerUnknown: sentinel(
    'flink_stmt_owner_unknown',
    SENTINEL_TYPES.flinkStatementOwner,
    'Flink statement without known owner',
  ),
} as const satisfies Record<string, Identity>;

/** What the prefix of an id says about somebody whom no listing knows. */
const KIND_OF_PREFIX: Readonly<Record<string, string>> = {
  sa: IDENTITY_TYPES.serviceAccount,
  u: IDENTITY_TYPES.user,
  pool: IDENTITY_TYPES.identityPool,
};

/**
 * Describes an id that is named somewhere (a metric, an API key, a connector, a statement) but listed nowhere,
 * such as a service account that was deleted before it could be listed. Its type is `principal`, so that a
 * listing of its real type does not take it for deleted; what its id says is kept as `metadata.kind`.
 */
export function unlistedIdentity(identityId: string): Identity {
  const fixed = Object.values(SENTINELS).find((one) => one.identityId === identityId);
  if (fixed) return fixed;
  const dash = identityId.indexOf('-');
  const kind = KIND_OF_PREFIX[dash < 0 ? '' : identityId.slice(0, dash)] ?? 'unknown';
  return {
    identityId,
    identityType: IDENTITY_TYPES.principal,
    displayName: `Unlisted ${kind.replace('_', ' ')} ${identityId}`,
    createdAt: null,
    deletedAt: null,
    metadata: { kind },
  };
}

/** An identity as the inventory of the window has it, or what its id says. */
export function identityIn(inventory: Inventory, identityId: string): Identity {
  return inventory.identities.get(identityId) ?? unlistedIdentity(identityId);
}

/** A connector that authenticates in a way nobody knows stands for itself. */
export function connectorAsIdentity({ resourceId, displayName }: Resource): Identity {
  return sentinel(resourceId, SENTINEL_TYPES.connectorCredentials, `Connector ${displayName ?? resourceId}`);
}

/** The auth mode of a connector; an absent one is unknown. */
export function authModeOf({ metadata }: Resource): string {
  return textOf(metadata[METADATA.authMode]) ?? CONNECTOR_AUTH_MODES.unknown;
}

/**
 * Everybody who may be charged without being in a listing: the named sentinels, owners that resources and API
 * keys name, and connectors that stand for themselves. To be stored with the identities, in a batch that is
 * authoritative for nothing.
 */
export function identitiesBesidesListings(
  resources: Iterable<Resource>,
  listed: Iterable<Identity>,
): Identity[] {
  const known = new Set<string>();
  const found = new Map<string, Identity>();
  const named = new Set<string>();
  for (const one of Object.values(SENTINELS)) found.set(one.identityId, one);
  for (const { identityId, metadata } of listed) {
    known.add(identityId);
    const owner = textOf(metadata[METADATA.ownerId]);
    if (owner !== null) named.add(owner);
  }
  for (const resource of resources) {
    const owner = resource.ownerId;
    if (owner !== null) named.add(owner);
    const account = textOf(resource.metadata[METADATA.kafkaServiceAccountId]);
    if (account !== null) named.add(account);
    if (resource.resourceType === RESOURCE_TYPES.connector && standsForItself(resource)) {
      found.set(resource.resourceId, connectorAsIdentity(resource));
    }
  }
  for (const id of named)
    if (id !== '' && !known.has(id) && !found.has(id)) found.set(id, unlistedIdentity(id));
  return [...found.values()];
}

export function standsForItself(connector: Resource): boolean {
  const mode = authModeOf(connector);
  return mode !== CONNECTOR_AUTH_MODES.serviceAccount && mode !== CONNECTOR_AUTH_MODES.apiKey;
}
