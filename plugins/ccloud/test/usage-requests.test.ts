import { confluentOrganization, createConfluentFetch } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { createMetrics, metricsSettingsSchema } from '../src/usage/create-metrics.ts';
import { host } from './products-support.ts';
import { ask, days, queriesOf } from './usage-support.ts';

const END = new Date('2026-02-08T00:00:00Z');
const NOW = new Date('2026-02-08T06:00:00Z');

type SourceType = 'prometheus' | 'ccloud_metrics_api';

/** What a source asks for to know five days of an organization of so many clusters. */
async function askedFor(type: SourceType, clusters: number) {
  const organization = confluentOrganization({
    clusters,
    environments: 2,
    serviceAccounts: 60,
    clustersPerAccount: 1,
    days: 10,
    endDate: END,
  });
  const fetch = createConfluentFetch({ organization, clock: () => NOW });
  const metrics = metricsSettingsSchema.parse(
    type === 'prometheus' ? { url: 'http://cloud.test.invalid/prometheus' } : { type },
  );
  const source = createMetrics(
    { metrics, ccloud_api: { key: 'KEY', secret: 'SECRET' } },
    host({ clock: () => NOW, createFetch: () => fetch }),
  );
  const answered = await ask(source!, queriesOf(type), days('2026-02-02', 5));
  const spokenOf = new Set([...answered.values()].flatMap(({ totals }) => totals.resourceIds ?? []));
  return {
    requests: fetch.requests.length,
    clusters: [...spokenOf].filter((id) => id.startsWith('lkc-')).length,
    outcomes: new Set([...answered.values()].map(({ outcome }) => outcome)),
  };
}

describe('the number of requests for usage', () => {
  it.each<[string, SourceType]>([
    ['the export', 'prometheus'],
    ['the Metrics API', 'ccloud_metrics_api'],
  ])('does not grow with the clusters, from %s', async (_what, type) => {
    const [few, many] = [await askedFor(type, 3), await askedFor(type, 30)];
    expect([few.clusters, many.clusters]).toEqual([3, 30]);
    expect([few.outcomes, many.outcomes]).toEqual([new Set(['complete']), new Set(['complete'])]);
    expect(few.requests).toBeGreaterThan(0);
    expect(many.requests).toBe(few.requests);
  });
});
