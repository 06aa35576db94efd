import { crnRoot, type Item, itemBase } from './item-base.ts';
import type { Lived, SimulatedApiKey } from './organization.ts';

/** Writes the identities of an organisation as its interfaces show them. */
export interface IdentityItems {
  readonly serviceAccount: (one: Lived) => Item;
  readonly user: (one: Lived) => Item;
  readonly apiKey: (one: SimulatedApiKey) => Item;
  /** Identity providers, their pools, certificate authorities, group mappings. */
  readonly described: (kind: string) => (one: Lived) => Item;
}

export function identityItems(organizationId: string): IdentityItems {
  const base = (kind: string, segment: string, one: Lived): Item =>
    itemBase(kind, 'iam/v2', { ...one, crn: `${crnRoot(organizationId)}/${segment}=${one.id}` });
  return {
    serviceAccount: (one) => ({
      ...base('ServiceAccount', 'service-account', one),
      display_name: one.displayName,
      description: `Account of ${one.displayName}`,
    }),
    user: (one) => ({
      ...base('User', 'user', one),
      email: `${one.id}@example.invalid`,
      full_name: one.displayName,
      auth_type: 'AUTH_TYPE_SSO',
    }),
    apiKey: (one) => ({
      ...base('ApiKey', 'api-key', one),
      spec: {
        display_name: one.displayName,
        description: one.displayName,
        ...(one.ownerId === null ? {} : { owner: { id: one.ownerId, kind: ownerKind(one.ownerId) } }),
        resource: { id: one.resourceId, kind: 'Cluster' },
      },
    }),
    described: (kind) => (one) => ({
      ...base(kind, kind.toLowerCase(), one),
      display_name: one.displayName,
      description: `${kind} ${one.displayName}`,
    }),
  };
}

function ownerKind(id: string): string {
  return id.startsWith('u-') ? 'User' : 'ServiceAccount';
}
