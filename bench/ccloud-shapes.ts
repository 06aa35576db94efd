import { register } from '@chargeback/plugin-ccloud';
import { confluentOrganization, createConfluentFetch } from '@chargeback/testkit';
import type { Shape } from './bill-simulated.ts';

interface Size {
  /** Service accounts. */
  readonly identities: number;
  readonly days: number;
}

const END = new Date('2026-07-01T00:00:00.000Z');
/** When nothing of the bill changes any more. */
const NOW = new Date('2026-07-06T06:00:00.000Z');

/** 5 clusters, all line types, every account with a key and traffic on four of them. */
export function ccloud(size: Size): Shape {
  return shapeOf({ ...size, clusters: 5 });
}

/** The same with 50 clusters. */
export function ccloudLarge(size: Size): Shape {
  return shapeOf({ ...size, clusters: 50 });
}

function shapeOf({ clusters, identities, days }: Size & { clusters: number }): Shape {
  const organization = confluentOrganization({
    clusters,
    serviceAccounts: identities,
    clustersPerAccount: 4,
    days,
    endDate: END,
  });
  const key = { key: 'key', secret: 'secret' };
  const regions = new Set(organization.computePools.map(({ region }) => region));
  return {
    plugin: register(),
    settings: {
      // The simulator has no limit: what is measured is the engine, not how politely it asks.
      ccloud_api: { ...key, requests_per_second: 100 },
      flink: [...regions].map((region_id) => ({ ...key, region_id })),
      metrics: { type: 'prometheus', url: 'http://prometheus.bench.invalid/prometheus' },
    },
    window: organization.window,
    // Running, so that what counts requests in time counts real time.
    clock: runningFrom(NOW),
    simulator: createConfluentFetch({ organization, clock: () => NOW }),
  };
}

function runningFrom(instant: Date): () => Date {
  const offset = instant.getTime() - Date.now();
  return () => new Date(Date.now() + offset);
}
