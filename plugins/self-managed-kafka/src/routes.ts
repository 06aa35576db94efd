import { terminal } from '@chargeback/allocation';
import {
  type IdentityResolution,
  type IdentityResolver,
  type IsoDate,
  isoDateOf,
  type ProductRoute,
  type Usage,
  type UsageQuery,
} from '@chargeback/plugin-api';
import { networkAllocator, ownerBytesAllocator, sharedAllocator } from './allocators.ts';
import { type Directory, TOPIC_PREFIX } from './identities.ts';
import type { PresetQueryKey, QueryKey } from './metric-presets.ts';
import { PRODUCTS } from './products.ts';
import type { Queries } from './queries.ts';
import type { Settings } from './settings.ts';

/** One instant at the end of the day, with a range that holds the whole of it. */
const PRINCIPALS_STEP_SECONDS = 86_400;

/** Which resolver, allocator and queries handle which line. */
export function routesOf(settings: Settings, queries: Queries, directory: Directory): ProductRoute[] {
  const fromMetrics = settings.identity_source.source !== 'static';
  const usage = usageQueries(settings, queries);
  const byPrincipal = (...keys: QueryKey[]): UsageQuery[] =>
    fromMetrics ? keys.map((key) => usage[key]!) : [];
  const resolve = principalResolver(settings, directory);
  const owners = settings.storage_allocation === 'owner_bytes';
  return [
    {
      productType: PRODUCTS.compute.productType,
      usage: byPrincipal('principals'),
      resolve,
      allocate: sharedAllocator(directory),
    },
    {
      productType: PRODUCTS.storage.productType,
      usage: owners ? [usage.bytes_stored_per_topic!] : byPrincipal('principals'),
      resolve: owners ? ownerResolver(settings, directory, resolve) : resolve,
      allocate: owners
        ? ownerBytesAllocator('bytes_stored_per_topic', directory)
        : sharedAllocator(directory),
    },
    {
      productType: PRODUCTS.ingress.productType,
      usage: byPrincipal('bytes_in_per_principal'),
      resolve,
      allocate: networkAllocator('bytes_in_per_principal', directory),
    },
    {
      productType: PRODUCTS.egress.productType,
      usage: byPrincipal('bytes_out_per_principal'),
      resolve,
      allocate: networkAllocator('bytes_out_per_principal', directory),
    },
  ];
}

/** Lines of a product that this plugin does not make go to their resource. */
export function fallbackRoute(): ProductRoute {
  return {
    productType: '*',
    usage: [],
    resolve: () => ({ resourceActive: [], metricsDerived: [] }),
    allocate: terminal('resource', { detail: 'USING_UNKNOWN_ALLOCATOR' }),
  };
}

function usageQueries(settings: Settings, queries: Queries): Partial<Record<QueryKey, UsageQuery>> {
  const stepSeconds = settings.metrics_step_seconds;
  const bytes = (key: PresetQueryKey): UsageQuery => ({
    key,
    expression: () => queries.text(key, stepSeconds),
    stepSeconds,
    reduce: 'sum',
    identityLabel: queries.label,
    resourceLabel: null,
    // Quota gauges are silent while nobody sends; an outage shows in the line, whose counters come the same way.
    ...(queries.preset.principalsFrom === 'quotas' ? { expects: 'any_instant' as const } : {}),
  });
  return {
    bytes_in_per_principal: bytes('bytes_in_per_principal'),
    bytes_out_per_principal: bytes('bytes_out_per_principal'),
    principals: {
      key: 'principals',
      expression: () => queries.text('principals', PRINCIPALS_STEP_SECONDS),
      stepSeconds: PRINCIPALS_STEP_SECONDS,
      reduce: 'max',
      identityLabel: queries.label,
      resourceLabel: null,
      expects: 'any_instant',
    },
    bytes_stored_per_topic: {
      key: 'bytes_stored_per_topic',
      expression: () =>
        asTopics(queries.text('bytes_stored_per_topic', stepSeconds), queries.preset.topicLabel),
      stepSeconds,
      reduce: 'mean',
      identityLabel: 'topic',
      resourceLabel: null,
    },
  };
}

function asTopics(query: string, topicLabel: string): string {
  return `label_replace(${query}, "topic", "${TOPIC_PREFIX}$1", "${topicLabel}", "(.+)")`;
}

/** Who was seen in the stored metrics of the window, and who is listed in the configuration. */
function principalResolver(settings: Settings, directory: Directory): IdentityResolver {
  const teams = settings.charge_to === 'team';
  const resolve = (date: IsoDate, totals: readonly Usage['totals'][]): IdentityResolution => {
    const names = [...new Set(totals.flatMap((one) => [...one.keys()]))];
    return {
      resourceActive: directory.fixed,
      metricsDerived: names.flatMap((name) => directory.payerOf(directory.describe(name), date) ?? []),
      ...(teams ? { usageOwners: teamsOf(names, (name) => payerId(directory, name, date)) } : {}),
    };
  };
  // The lines of a day come one after another, and with the same usage.
  let last: { date: IsoDate; totals: readonly Usage['totals'][]; resolution: IdentityResolution } | null =
    null;
  return (context) => {
    const date = isoDateOf(context.line.timestamp);
    const totals = PRINCIPAL_KEYS.map((key) => context.usage(key).totals);
    if (last?.date !== date || totals.some((one, index) => one !== last!.totals[index])) {
      last = { date, totals, resolution: resolve(date, totals) };
    }
    return last.resolution;
  };
}

const PRINCIPAL_KEYS: readonly QueryKey[] = [
  'principals',
  'bytes_in_per_principal',
  'bytes_out_per_principal',
];

function payerId(directory: Directory, name: string, date: string): string {
  return directory.payerOf(directory.describe(name), date)?.identityId ?? name;
}

function teamsOf(names: readonly string[], teamOf: (name: string) => string): ReadonlyMap<string, string> {
  return new Map(names.map((name) => [name, teamOf(name)]));
}

/** The same identities, with the team of each topic as the one who answers for its bytes. */
function ownerResolver(
  settings: Settings,
  { ownership }: Directory,
  resolve: IdentityResolver,
): IdentityResolver {
  const { default_team: nobody } = settings.identity_source;
  return (context) => {
    const date = isoDateOf(context.line.timestamp);
    const topics = [...context.usage('bytes_stored_per_topic').totals.keys()];
    const teamOf = (name: string): string =>
      ownership.teamOfTopic(name.slice(TOPIC_PREFIX.length), date) ?? nobody;
    return { ...resolve(context), usageOwners: teamsOf(topics, teamOf) };
  };
}
