import { type ConfluentEndpoint, type ConfluentRequest, type ListingAnswer, Refusal } from './api-answer.ts';
import { type IdentityItems, identityItems } from './identity-items.ts';
import type { Item } from './item-base.ts';
import { type ConfluentOrganization, type Lived, livesAt } from './organization.ts';
import { organizationItem, type ResourceItems, resourceItems } from './resource-items.ts';

export type ListingEndpoint = Exclude<
  ConfluentEndpoint,
  'costs' | 'connectors' | 'metrics_api' | 'prometheus' | 'unknown'
>;

/** What the path of a request names. */
export type PathNames = Readonly<Record<string, string>>;

interface Asked {
  readonly request: ConfluentRequest;
  readonly names: PathNames;
  readonly now: Date;
}

interface Known {
  readonly organization: ConfluentOrganization;
  readonly write: ResourceItems & IdentityItems;
}

type Items = Pick<ListingAnswer, 'length' | 'textAt'>;

type List = (known: Known, asked: Asked) => Items;

/** Every listing of the inventory, of what lives at an instant. Throws {@link Refusal}. */
export function createInventoryListings(
  organization: ConfluentOrganization,
): (endpoint: ListingEndpoint, asked: Asked) => ListingAnswer {
  const write = { ...resourceItems(organization.id), ...identityItems(organization.id) };
  return (endpoint, asked) => ({
    ...LISTINGS[endpoint]({ organization, write }, asked),
    defaultPageSize: 10,
    largestPageSize: 100,
  });
}

const LISTINGS: Readonly<Record<ListingEndpoint, List>> = {
  organizations: ({ organization }) => ({
    length: 1,
    textAt: () => JSON.stringify(organizationItem(organization)),
  }),
  environments: ({ organization, write }, asked) =>
    texts(organization.environments, write.environment, asked),
  clusters: (known, asked) => texts(here(known, 'clusters', asked), known.write.cluster, asked),
  schema_registries: (known, asked) =>
    texts(here(known, 'schemaRegistries', asked), known.write.schemaRegistry, asked),
  ksqldb_clusters: (known, asked) => texts(here(known, 'ksqldbClusters', asked), known.write.ksqldb, asked),
  compute_pools: (known, asked) => texts(here(known, 'computePools', asked), known.write.computePool, asked),
  tableflow_topics: (known, asked) => {
    const clusterId = required(asked, 'spec.kafka_cluster');
    const topics = here(known, 'tableflowTopics', asked).filter((one) => one.clusterId === clusterId);
    return texts(topics, known.write.topic, asked);
  },
  statements: (known, asked) => texts(statementsAt(known, asked), known.write.statement, asked),
  service_accounts: ({ organization, write }, asked) =>
    texts(organization.serviceAccounts, write.serviceAccount, asked),
  users: ({ organization, write }, asked) => texts(organization.users, write.user, asked),
  api_keys: ({ organization, write }, asked) => texts(organization.apiKeys, write.apiKey, asked),
  identity_providers: ({ organization, write }, asked) =>
    texts(organization.identityProviders, write.described('IdentityProvider'), asked),
  identity_pools: ({ organization, write }, asked) => {
    const { id } = existing(organization.identityProviders, asked.names['provider']);
    const pools = organization.identityPools.filter(({ providerId }) => providerId === id);
    return texts(pools, write.described('IdentityPool'), asked);
  },
  certificate_authorities: ({ organization, write }, asked) =>
    texts(organization.certificateAuthorities, write.described('CertificateAuthority'), asked),
  certificate_pools: ({ organization, write }, asked) => {
    const { id } = existing(organization.certificateAuthorities, asked.names['authority']);
    const pools = organization.certificatePools.filter(({ providerId }) => providerId === id);
    return texts(pools, write.described('CertificateIdentityPool'), asked);
  },
  group_mappings: ({ organization, write }, asked) =>
    texts(organization.groupMappings, write.described('GroupMapping'), asked),
};

function texts<Thing extends Lived>(
  things: readonly Thing[],
  item: (thing: Thing) => Item,
  { now }: Asked,
): Items {
  const living = things.filter((thing) => livesAt(thing, now));
  return { length: living.length, textAt: (index) => JSON.stringify(item(living[index]!)) };
}

type InEnvironments = 'clusters' | 'schemaRegistries' | 'ksqldbClusters' | 'computePools' | 'tableflowTopics';

/** The things of the environment that is asked for. */
function here<Kind extends InEnvironments>(
  { organization }: Known,
  kind: Kind,
  asked: Asked,
): ConfluentOrganization[Kind][number][] {
  const { id } = existing(organization.environments, required(asked, 'environment'));
  const things: readonly ConfluentOrganization[Kind][number][] = organization[kind];
  return things.filter(({ environmentId }) => environmentId === id);
}

/** A region answers for its own statements only. */
function statementsAt({ organization }: Known, { request, names }: Asked) {
  if (names['organization'] !== organization.id) {
    throw new Refusal(404, 'not_found', `the organization ${names['organization']} does not exist`);
  }
  const host = /^flink\.([^.]+)\.([^.]+)\.confluent\.cloud$/.exec(new URL(request.origin).hostname);
  const region = names['region'] ?? host?.[1];
  const cloud = names['cloud'] ?? host?.[2];
  return organization.statements.filter(
    (one) =>
      one.environmentId === names['environment'] &&
      (region === undefined || one.region === region) &&
      (cloud === undefined || one.cloud.toLowerCase() === cloud),
  );
}

function required({ request }: Asked, name: string): string {
  const value = request.query[name];
  if (value === undefined || value === '') throw new Refusal(400, 'invalid_parameter', `${name} is required`);
  return value;
}

function existing(things: readonly Lived[], id: string | undefined): Lived {
  const found = things.find((thing) => thing.id === id);
  if (!found) throw new Refusal(404, 'not_found', `${id} does not exist`);
  return found;
}
