import type { Identity, IdentityBatch } from '@chargeback/plugin-api';
import { listAll } from '../http/ccloud-client.ts';
import type { CcloudRequest } from '../http/ccloud-request.ts';
import type { JsonValue } from '../http/parse-json.ts';
import type { InventorySource } from './inventory-source.ts';
import { type Listing, listOptional, runListing } from './listing.ts';
import { IDENTITY_TYPES, type IdentityType, METADATA } from './names.ts';
import { lifetimeAt, metadataOf, textAt } from './read-fields.ts';

interface IdentityListing {
  readonly type: IdentityType;
  readonly path: string;
  readonly read: (item: JsonValue, parentId: string) => Identity | null;
  /** The vendor answers 404 where an organisation does not have such things. */
  readonly optional?: boolean;
}

const description = (item: JsonValue) => ({ [METADATA.description]: textAt(item, 'description') });
const crn = (item: JsonValue) => ({ [METADATA.crn]: textAt(item, 'metadata', 'resource_name') });

const READ = {
  serviceAccount: (item: JsonValue) =>
    identityOf(item, IDENTITY_TYPES.serviceAccount, { metadata: { ...description(item), ...crn(item) } }),
  user: (item: JsonValue) =>
    identityOf(item, IDENTITY_TYPES.user, {
      displayName: textAt(item, 'full_name') ?? textAt(item, 'email'),
      metadata: crn(item),
    }),
  apiKey: (item: JsonValue) =>
    identityOf(item, IDENTITY_TYPES.apiKey, {
      displayName: textAt(item, 'spec', 'display_name') ?? textAt(item, 'spec', 'description'),
      metadata: {
        [METADATA.ownerId]: textAt(item, 'spec', 'owner', 'id'),
        [METADATA.resourceId]: textAt(item, 'spec', 'resource', 'id'),
      },
    }),
  provider: (item: JsonValue) =>
    identityOf(item, IDENTITY_TYPES.identityProvider, { metadata: { ...description(item), ...crn(item) } }),
  poolOf: (type: IdentityType) => (item: JsonValue, providerId: string) =>
    identityOf(item, type, { metadata: { ...description(item), [METADATA.providerId]: providerId } }),
  groupMapping: (item: JsonValue) =>
    identityOf(item, IDENTITY_TYPES.groupMapping, { metadata: description(item) }),
};

const PLAIN: readonly IdentityListing[] = [
  { type: IDENTITY_TYPES.serviceAccount, path: '/iam/v2/service-accounts', read: READ.serviceAccount },
  { type: IDENTITY_TYPES.user, path: '/iam/v2/users', read: READ.user },
  { type: IDENTITY_TYPES.apiKey, path: '/iam/v2/api-keys', read: READ.apiKey },
  {
    type: IDENTITY_TYPES.groupMapping,
    path: '/iam/v2/sso/group-mappings',
    read: READ.groupMapping,
    optional: true,
  },
];

const PROVIDERS: IdentityListing = {
  type: IDENTITY_TYPES.identityProvider,
  path: '/iam/v2/identity-providers',
  read: READ.provider,
};

/** Certificate authorities own pools as identity providers do, but are no identities: only their pools count. */
const AUTHORITIES: IdentityListing = {
  type: IDENTITY_TYPES.certificatePool,
  path: '/iam/v2/certificate-authorities',
  read: READ.provider,
  optional: true,
};

/** Every type in a batch of its own, authoritative only when its whole listing succeeded. */
export async function* listIdentities(
  source: InventorySource,
  signal: AbortSignal,
): AsyncGenerator<IdentityBatch> {
  const [pooled, certified, ...plain] = await Promise.all([
    listWithPools(source, { owners: PROVIDERS, poolType: IDENTITY_TYPES.identityPool }, signal),
    listWithPools(source, { owners: AUTHORITIES, poolType: IDENTITY_TYPES.certificatePool }, signal),
    ...PLAIN.map((listing) => listPlain(source, listing, signal)),
  ]);
  for (const listing of plain) yield batchOf(listing);
  yield batchOf(pooled.owners);
  yield batchOf(pooled.pools);
  // There is no batch of authorities: that they could not be listed is told with their pools.
  const { problems } = certified.owners;
  yield batchOf({ ...certified.pools, problems: [...problems, ...certified.pools.problems] });
}

function batchOf({ type, items, complete, problems }: Listing<Identity>): IdentityBatch {
  return { authoritativeFor: complete ? [type] : [], identities: items, problems };
}

function listPlain(
  { client, skip }: InventorySource,
  { type, path, read, optional }: IdentityListing,
  signal: AbortSignal,
): Promise<Listing<Identity>> {
  const parts = skip.has(type)
    ? []
    : [
        {
          where: '',
          list: async () => {
            const items = await (optional ? listOptional : listAll)(client, pageOf(path), signal);
            return items.map((item) => read(item, ''));
          },
        },
      ];
  return runListing(type, parts, { signal, wholeBefore: !skip.has(type) });
}

interface WithPools {
  readonly owners: Listing<Identity>;
  readonly pools: Listing<Identity>;
}

async function listWithPools(
  source: InventorySource,
  { owners, poolType }: { owners: IdentityListing; poolType: IdentityType },
  signal: AbortSignal,
): Promise<WithPools> {
  const listed = await listPlain(source, owners, signal);
  const wanted = !source.skip.has(poolType);
  const read = READ.poolOf(poolType);
  const parts = (wanted ? listed.items : []).map(({ identityId }) => ({
    where: identityId,
    list: async () => {
      const path = `${owners.path}/${encodeURIComponent(identityId)}/identity-pools`;
      const items = await listAll(source.client, pageOf(path), signal);
      return items.map((item) => read(item, identityId));
    },
  }));
  const wholeBefore = listed.complete && wanted;
  return { owners: listed, pools: await runListing(poolType, parts, { signal, wholeBefore }) };
}

function pageOf(path: string): CcloudRequest {
  return { path, query: { page_size: 99 } };
}

interface Description {
  readonly metadata: Readonly<Record<string, string | null>>;
  /** The item's `display_name` unless given. */
  readonly displayName?: string | null;
}

function identityOf(
  item: JsonValue,
  identityType: IdentityType,
  { metadata, displayName = textAt(item, 'display_name') }: Description,
): Identity | null {
  const identityId = textAt(item, 'id');
  if (identityId === null) return null;
  return { identityId, identityType, displayName, ...lifetimeAt(item), metadata: metadataOf(metadata) };
}
