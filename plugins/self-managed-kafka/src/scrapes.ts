import { createScrapeCoverage, type PrometheusClient, type ScrapeCoverage } from '@chargeback/prometheus';
import type { Queries } from './queries.ts';
import type { Settings } from './settings.ts';
import { termsOn } from './terms.ts';

/** When each broker was scraped, and how many there should be: a day that lacks one is not a cheaper day. */
export function brokerScrapes(
  settings: Settings,
  queries: Queries,
  client: PrometheusClient,
): ScrapeCoverage {
  return createScrapeCoverage(client, {
    key: 'scrapes',
    expression: (range) => queries.text('scrapes', Number.parseInt(range, 10)),
    sourceLabels: brokerLabels(queries),
    sources: (date) => termsOn(settings, date).brokerCount,
    noun: 'brokers',
    stepSeconds: settings.metrics_step_seconds,
  });
}

/** Labels that name a broker, the first that a series has. */
export function brokerLabels({ preset }: Queries): readonly string[] {
  return [...new Set([preset.brokerLabel, 'instance'])];
}
