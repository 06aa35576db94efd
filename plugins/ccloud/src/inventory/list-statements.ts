import { ChargebackError, makeProblem, type Problem, type Resource } from '@chargeback/plugin-api';
import { type CcloudClient, listAll } from '../http/ccloud-client.ts';
import type { FlinkRegions, InventorySource } from './inventory-source.ts';
import { type Listing, runListing } from './listing.ts';
import { METADATA, RESOURCE_TYPES } from './names.ts';
import { parseCrn, textAt } from './read-fields.ts';
import { readStatement } from './read-resources.ts';

const PAGE_SIZE = 50;
const TYPE = RESOURCE_TYPES.flinkStatement;

interface Known {
  readonly environments: Listing<Resource>;
  readonly pools: Listing<Resource>;
}

/** Once for each environment and region that has compute pools, however many pools those are. */
export async function listStatements(
  source: InventorySource,
  { environments, pools }: Known,
  signal: AbortSignal,
): Promise<Listing<Resource>> {
  const nothing: Listing<Resource> = { type: TYPE, items: [], complete: false, problems: [] };
  if (source.skip.has(TYPE)) return nothing;
  if (pools.items.length === 0) return { ...nothing, complete: pools.complete };
  const organization = organizationFinder(source.client, [...pools.items, ...environments.items], signal);
  const { asked, closed } = placesOf(pools.items, source.flink);
  const parts = asked.map(({ environmentId, region, client }) => ({
    where: `environment ${environmentId}, region ${region}`,
    list: async () => {
      const path = `/sql/v1/organizations/${encodeURIComponent(await organization())}/environments/${encodeURIComponent(environmentId)}/statements`;
      const items = await listAll(client, { path, query: { page_size: PAGE_SIZE } }, signal);
      return items.map((item) => readStatement(item, { environmentId, region }));
    },
  }));
  const listing = await runListing(TYPE, parts, {
    signal,
    wholeBefore: pools.complete && closed.length === 0,
  });
  return { ...listing, problems: [...listing.problems, ...closed.map(noCredentials)] };
}

interface Place {
  readonly environmentId: string;
  readonly region: string;
  readonly client: CcloudClient;
}

/** The places that have pools, each once, and the regions among them that no credentials open. */
function placesOf(pools: readonly Resource[], flink: FlinkRegions): { asked: Place[]; closed: string[] } {
  const asked = new Map<string, Place>();
  const closed = new Set<string>();
  for (const { parentId, metadata } of pools) {
    const [cloud, region] = [String(metadata[METADATA.cloud] ?? ''), String(metadata[METADATA.region] ?? '')];
    const client = flink.clientOf({ cloud, region });
    if (client === null) closed.add(region);
    else {
      const environmentId = parentId ?? '';
      asked.set(JSON.stringify([environmentId, cloud, region]), { environmentId, region, client });
    }
  }
  return { asked: [...asked.values()], closed: [...closed].toSorted() };
}

function noCredentials(region: string): Problem {
  return makeProblem(
    'CB_INVENTORY_CREDENTIALS',
    `Flink statements in region ${region || '(not named)'} are not listed: there are compute pools, and no credentials for the region`,
    {
      path: TYPE,
      fix: `Add the region with a Flink API key under plugin_settings.flink, or add ${TYPE} to plugin_settings.skip_listings.`,
    },
  );
}

/** The organisation's id: what a pool or environment says of itself, else the only one that the key can see. */
function organizationFinder(
  client: CcloudClient,
  known: readonly Resource[],
  signal: AbortSignal,
): () => Promise<string> {
  let found: Promise<string> | undefined;
  const ask = async (): Promise<string> => {
    const request = { path: '/org/v2/organizations', query: { page_size: 99 } };
    const ids = (await listAll(client, request, signal)).map((item) => textAt(item, 'id'));
    const [only] = ids;
    if (ids.length === 1 && typeof only === 'string') return only;
    const message = `the organization of the compute pools is not known: no resource name says it, and ${ids.length} organizations are listed`;
    throw new ChargebackError('CB_SOURCE_ANSWER', message);
  };
  const stated = known
    .map(({ metadata }) => parseCrn(String(metadata[METADATA.crn] ?? '')).get('organization'))
    .find((organization) => organization !== undefined);
  return () => (found ??= stated === undefined ? ask() : Promise.resolve(stated));
}
