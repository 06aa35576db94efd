import { confluentOrganization, createConfluentFetch } from '@chargeback/testkit';
import { expect, it } from 'vitest';
import { createMetrics, metricsSettingsSchema } from '../src/usage/create-metrics.ts';
import { host } from './products-support.ts';
import { ask, days, queriesOf, totalsOf } from './usage-support.ts';

const END = new Date('2026-02-08T00:00:00Z');
const NOW = new Date('2026-02-08T06:00:00Z');

async function usageBy(type: 'prometheus' | 'ccloud_metrics_api') {
  const organization = confluentOrganization({ clusters: 4, serviceAccounts: 30, days: 10, endDate: END });
  const fetch = createConfluentFetch({ organization, clock: () => NOW });
  const metrics = metricsSettingsSchema.parse(
    type === 'prometheus' ? { url: 'http://cloud.test.invalid/prometheus' } : { type },
  );
  const source = createMetrics(
    { metrics, ccloud_api: { key: 'KEY', secret: 'SECRET' } },
    host({ clock: () => NOW, createFetch: () => fetch }),
  );
  const answered = await ask(source!, queriesOf(type), days('2026-02-02', 5));
  return { answered, requests: fetch.requests };
}

it('the export and the Metrics API of one organization tell the same usage', async () => {
  const exported = await usageBy('prometheus');
  const told = await usageBy('ccloud_metrics_api');
  expect([...exported.answered.keys()].toSorted()).toEqual([...told.answered.keys()].toSorted());
  for (const [key, day] of exported.answered) {
    const other = told.answered.get(key)!;
    expect([key, day.outcome, other.outcome]).toEqual([key, 'complete', 'complete']);
    expect([key, totalsOf(day)]).toEqual([key, totalsOf(other)]);
    expect(totalsOf(day).length).toBeGreaterThan(2);
  }
  expect(exported.requests.length).toBeLessThan(40);
  expect(told.requests.length).toBeLessThan(40);
});
