import type { Window } from '@chargeback/plugin-api';
import {
  confluentOrganization,
  kafkaScaleModel,
  type MetricsModel,
  scaleModel,
  startConfluentSimulator,
  startPrometheusSimulator,
} from '@chargeback/testkit';

const END = new Date('2026-07-01T00:00:00.000Z');
/** When nothing of the bill changes any more. */
const NOW = new Date('2026-07-06T06:00:00.000Z');
const COST_TYPES = 5;

export interface ShapeSize {
  readonly identities: number;
  readonly days: number;
  /** Of Confluent Cloud; the other shapes have one. */
  readonly clusters: number;
  /** Of the Kafka shape, whose owners bear its storage then. Without: 50, and storage is shared evenly. */
  readonly topics?: number;
}

/** A simulated world that can be served. */
export interface World {
  readonly window: Window;
  readonly now: Date;
  serve(): Promise<ServedWorld>;
}

/** Where a world is served, and what a tenant's settings say of it. */
export interface ServedWorld {
  readonly origin: string;
  readonly settings: { readonly metrics: object };
}

export interface Shape {
  readonly make: (size: ShapeSize) => World;
  /** The size when none is given. */
  readonly identities: number;
  readonly clusters: number;
}

/** The shapes by name. */
export const SHAPES = {
  'generic-metrics': { make: genericMetrics, identities: 500, clusters: 1 },
  'self-managed-kafka': {
    make: selfManagedKafka,
    identities: 2000,
    clusters: 1,
  },
  ccloud: { make: confluentCloud, identities: 200, clusters: 5 },
  'ccloud-large': { make: confluentCloud, identities: 1000, clusters: 50 },
} as const satisfies Readonly<Record<string, Shape>>;

export type ShapeName = keyof typeof SHAPES;

/** @throws when there is no shape of that name. */
export function shapeNamed(name: string): ShapeName {
  if (Object.hasOwn(SHAPES, name)) return name as ShapeName;
  throw new Error(`no shape ${name}; there are ${Object.keys(SHAPES).join(', ')}`);
}

/** 5 cost types, each allocated by its own usage query to every identity. */
function genericMetrics({ identities, days }: ShapeSize): World {
  const model = scaleModel({ identities, costTypes: COST_TYPES, days, endDate: END });
  return {
    window: model.window,
    now: NOW,
    serve: () =>
      servePrometheus(model, {
        cluster_id: 'bench',
        identity_source: {
          label: 'principal',
          discovery_query: 'group by (principal) (scale_bytes_1_total)',
        },
        cost_types: Array.from({ length: COST_TYPES }, (_, index) => ({
          name: `NETWORK_${index}`,
          product_category: 'network',
          rate: '60',
          cost_quantity: { type: 'network_gib', query: `sum(increase(scale_bytes_${index + 1}_total[1h]))` },
          allocation_strategy: 'usage_ratio',
          allocation_query: `sum by (principal) (increase(scale_bytes_${index + 1}_total[1h]))`,
          allocation_label: 'principal',
        })),
      }),
  };
}

/** 4 lines a day, each allocated to every principal: two by bytes, two evenly. */
function selfManagedKafka({ identities, days, topics }: ShapeSize): World {
  const model = kafkaScaleModel({ principals: identities, days, endDate: END, topics: topics ?? 50 });
  const owned = {
    storage_allocation: 'owner_bytes',
    ownership: [{ topic_regex: 'topic-[0-4].*', team: 'one' }],
    identity_source: { default_team: 'two' },
  };
  return {
    window: model.window,
    now: NOW,
    serve: () =>
      servePrometheus(model, {
        cluster_id: 'bench',
        broker_count: 3,
        cost_model: {
          compute_hourly_rate: '50',
          storage_per_gib_hourly: '0.1',
          network_ingress_per_gib: '1',
          network_egress_per_gib: '2',
        },
        ...(topics === undefined ? {} : owned),
      }),
  };
}

async function servePrometheus(model: MetricsModel, settings: object): Promise<ServedWorld> {
  const { url } = await startPrometheusSimulator({ model });
  return { origin: url, settings: { ...settings, metrics: { url } } };
}

/** All line types, every service account with a key and traffic on four clusters. */
function confluentCloud({ clusters, identities, days }: ShapeSize): World {
  const organization = confluentOrganization({
    clusters,
    serviceAccounts: identities,
    clustersPerAccount: Math.min(4, clusters),
    days,
    endDate: END,
  });
  const key = { key: 'key', secret: 'secret' };
  const pools = new Map(organization.computePools.map((pool) => [pool.region, pool]));
  return {
    window: organization.window,
    now: NOW,
    async serve() {
      const { url, prometheusUrl, flinkUrl } = await startConfluentSimulator({
        organization,
        clock: () => NOW,
      });
      const flink = [...pools].map(([region_id, pool]) => ({ ...key, region_id, base_url: flinkUrl(pool) }));
      const ccloud_api = { ...key, base_url: url };
      return {
        origin: url,
        settings: { ccloud_api, flink, metrics: { type: 'prometheus', url: prometheusUrl } },
      };
    },
  };
}
