import type { IsoDate } from '@chargeback/plugin-api';
import {
  createScrapeCoverage,
  type PrometheusClient,
  type ScrapeCoverage,
  type ScrapeQuery,
} from '@chargeback/prometheus';
import type { Queries } from './queries.ts';
import type { Settings } from './settings.ts';
import { termsOn } from './terms.ts';

/** When each broker was scraped, and how many there should be: a day that lacks one is not a cheaper day. */
export function brokerScrapes(
  settings: Settings,
  queries: Queries,
  client: PrometheusClient,
): ScrapeCoverage {
  const stepSeconds = settings.metrics_step_seconds;
  const sources = (date: IsoDate): number => termsOn(settings, date).brokerCount;
  const brokers: ScrapeQuery = {
    key: 'scrapes',
    expression: (range) => queries.text('scrapes', secondsOf(range)),
    sourceLabels: brokerLabels(queries),
    sources,
    noun: 'brokers',
    stepSeconds,
  };
  const exporters: ScrapeQuery = {
    key: 'exporter_scrapes',
    expression: (range) => queries.extraText('exporter_scrapes', secondsOf(range))!,
    sourceLabels: ['instance'],
    sources,
    noun: 'exporters of brokers',
    stepSeconds,
    // Where brokers and exporters are two sources, the bytes on disk come from the first.
    isBehind: (key) => key !== 'cluster_storage_bytes' && key !== 'bytes_stored_per_topic',
    needed: {
      message: 'exporter_scrapes finds nothing: an exporter that failed looks like a broker without traffic',
      fix: 'Let jmx_scrape_duration_seconds of the brokers’ exporters be kept, and a metric of each broker such as kafka_server_replicamanager_leadercount, with the labels of the selector; or write a query exporter_scrapes.',
    },
  };
  const both = queries.extraText('exporter_scrapes', stepSeconds) !== null;
  return createScrapeCoverage(client, both ? [brokers, exporters] : [brokers]);
}

function secondsOf(range: string): number {
  return Number.parseInt(range, 10);
}

/** Labels that name a broker, the first that a series has. */
export function brokerLabels({ preset }: Queries): readonly string[] {
  return [...new Set([preset.brokerLabel, 'instance'])];
}
