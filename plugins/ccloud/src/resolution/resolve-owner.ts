import type {
  Identity,
  IdentityResolution,
  IdentityResolver,
  Inventory,
  Resource,
} from '@chargeback/plugin-api';
import { CONNECTOR_AUTH_MODES, IDENTITY_TYPES, METADATA } from '../inventory/names.ts';
import { authModeOf, connectorAsIdentity, identityIn, SENTINELS } from './sentinels.ts';
import { textOf } from './text-of.ts';

/** Nobody is tied to the line: shared by the organization, or charged to its resource by definition. */
export const resolveNobody: IdentityResolver = () => ({ resourceActive: [], metricsDerived: [] });

/** A connector has one owner: its service account, or the owner of its API key. */
export const resolveConnector: IdentityResolver = ({ resource, inventory }) =>
  only(resource === null ? SENTINELS.connectorUnknown : connectorOwner(resource, inventory));

/** A ksqlDB cluster has one owner: its credential identity. */
export const resolveKsqldb: IdentityResolver = ({ resource, inventory }) => {
  if (resource === null) return only(SENTINELS.ksqldbUnknown);
  const { ownerId } = resource;
  return only(ownerId ? identityIn(inventory, ownerId) : SENTINELS.ksqldbOwnerUnknown);
};

function only(owner: Identity): IdentityResolution {
  return { resourceActive: [owner], metricsDerived: [] };
}

/** By the connector's own settings and the API keys of the window, so that a key that vanished later still counts. */
function connectorOwner(connector: Resource, inventory: Inventory): Identity {
  const { metadata, ownerId } = connector;
  switch (authModeOf(connector)) {
    case CONNECTOR_AUTH_MODES.serviceAccount: {
      const account = textOf(metadata[METADATA.kafkaServiceAccountId]) ?? textOf(ownerId);
      return account === null ? SENTINELS.connectorCredentialsUnknown : identityIn(inventory, account);
    }
    case CONNECTOR_AUTH_MODES.apiKey: {
      return ownerByApiKey(textOf(metadata[METADATA.kafkaApiKey]), ownerId, inventory);
    }
    default:
      return connectorAsIdentity(connector);
  }
}

function ownerByApiKey(apiKey: string | null, ownerId: string | null, inventory: Inventory): Identity {
  if (apiKey !== null && /^\*+$/.test(apiKey)) return SENTINELS.connectorApiKeyMasked;
  const listed = apiKey === null ? undefined : inventory.identities.get(apiKey);
  const known = listed?.identityType === IDENTITY_TYPES.apiKey;
  const owner = (known ? textOf(listed.metadata[METADATA.ownerId]) : null) ?? textOf(ownerId);
  if (owner !== null) return identityIn(inventory, owner);
  return apiKey === null || known ? SENTINELS.connectorCredentialsUnknown : SENTINELS.connectorApiKeyNotFound;
}
