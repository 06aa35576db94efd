import type { Finding, ResourceBatch } from '@chargeback/plugin-api';
import type { PrometheusClient } from '@chargeback/prometheus';
import { examinePrincipals } from './doctor-principals.ts';
import { type BrokersExpected, examineBrokers } from './doctor-brokers.ts';
import { writtenTogether } from './doctor-queries.ts';
import { createQuestions, examine, type KafkaFinding } from './doctor-questions.ts';
import { examineStorage } from './doctor-storage.ts';
import {
  chooseFamily,
  countFamilies,
  describeFamilies,
  examineAggregate,
  examineClusters,
  namesPrincipals,
} from './doctor-traffic.ts';

export interface DoctorOptions {
  readonly client: PrometheusClient;
  /** Matchers that keep the cluster apart from others, with or without braces; may be empty. */
  readonly selector: string;
  readonly clock: () => Date;
  readonly signal: AbortSignal;
  /** The preset that is configured, to be told when its metrics are not there. */
  readonly preset?: string;
  /** How many brokers are billed, and the query that finds who is scraped. */
  readonly brokers?: BrokersExpected;
  /** Lists the cluster through the Admin API, where that is configured. */
  readonly adminSource?: (signal: AbortSignal) => Promise<ResourceBatch>;
}

/**
 * Says what of a cluster can be billed from this metrics server and what to write for it. Asks, changes nothing.
 * What cannot be asked is a finding of severity `error`; only an abort rejects.
 */
export async function doctor(options: DoctorOptions): Promise<readonly Finding[]> {
  return writtenTogether(await examineAll(options));
}

async function examineAll(options: DoctorOptions): Promise<readonly KafkaFinding[]> {
  const { client, selector, clock, signal, adminSource } = options;
  const ask = createQuestions(client, { selector, time: clock(), signal });
  let counts: ReadonlyMap<string, number> = new Map();
  const families = await examine('metrics server', signal, async () => {
    counts = await countFamilies(ask);
    const named = await namesPrincipals(ask, chooseFamily(counts));
    return describeFamilies(counts, { preset: options.preset, selector: ask.selector, named });
  });
  const admin = adminSource ? await examineAdmin(adminSource, signal) : [];
  if (counts.size === 0) return [...families, ...admin];
  const family = chooseFamily(counts);
  const { bytesIn = null, bytesOut = null, logSize, topicLabel = 'topic' } = family ?? {};
  const traffic = [bytesIn, bytesOut].filter((metric) => metric !== null);
  const clusterMetric =
    [...traffic, logSize, ...counts.keys()].find((name) => name && counts.has(name)) ?? '';
  const findings = await Promise.all([
    examine('selector', signal, () => examineClusters(ask, clusterMetric)),
    ...traffic.map((metric) => examine(metric, signal, () => examineAggregate(ask, metric, topicLabel))),
    examine('usage per principal', signal, () => examinePrincipals(ask, family, counts)),
    examine('stored bytes', signal, () => examineStorage(ask, family, counts)),
    examine('brokers', signal, async () => (options.brokers ? examineBrokers(ask, options.brokers) : [])),
  ]);
  return [...families, ...findings.flat(), ...admin];
}

async function examineAdmin(
  list: NonNullable<DoctorOptions['adminSource']>,
  signal: AbortSignal,
): Promise<readonly KafkaFinding[]> {
  const what = 'Admin API';
  return examine(what, signal, async () => {
    const { resources } = await list(signal);
    const of = (type: string): number => resources.filter(({ resourceType }) => resourceType === type).length;
    const evidence = `${of('broker')} brokers, ${of('topic')} topics`;
    const yaml = `broker_count: ${of('broker')}`;
    return [{ severity: 'ok', what, evidence, advice: '', yaml }];
  });
}
