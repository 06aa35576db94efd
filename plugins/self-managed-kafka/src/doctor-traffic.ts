import type { Finding } from '@chargeback/plugin-api';
import { CLUSTER_LABELS, METRIC_FAMILIES, type MetricFamily, QUOTA_METRICS } from './doctor-families.ts';
import {
  gibibytes,
  type KafkaFinding,
  percent,
  type Questions,
  selectorYaml,
  valuesOf,
} from './doctor-questions.ts';

/** How far the sum over topics may be from the aggregate. Their samples are not taken at the same instant. */
const CLOSE_ENOUGH = 0.01;

/** Which of the known metrics the server has for this cluster, and how many series of each. */
export async function countFamilies(ask: Questions): Promise<ReadonlyMap<string, number>> {
  const names = [
    ...QUOTA_METRICS,
    ...METRIC_FAMILIES.flatMap(({ bytesIn, bytesOut, logSize }) => [bytesIn, bytesOut, logSize]),
  ];
  const pattern = [...new Set(names)].filter((name) => name !== null).join('|');
  const counted = await ask.series(`count by (__name__) (${ask.select('', `__name__=~"${pattern}"`)})`);
  return new Map(counted.map(({ labels, values }) => [labels['__name__'] ?? '', values[0] ?? 0]));
}

/** The first family whose bytes are all there; failing that, one whose log size is. */
export function chooseFamily(counts: ReadonlyMap<string, number>): MetricFamily | null {
  const whole = METRIC_FAMILIES.find(
    ({ bytesIn, bytesOut }) =>
      bytesIn !== null && bytesOut !== null && counts.has(bytesIn) && counts.has(bytesOut),
  );
  return (
    whole ?? METRIC_FAMILIES.find(({ bytesIn, logSize }) => bytesIn === null && counts.has(logSize)) ?? null
  );
}

/** Whether the byte counters of a family say who sent or fetched. */
export async function namesPrincipals(ask: Questions, family: MetricFamily | null): Promise<boolean> {
  const names = [family?.bytesIn, family?.bytesOut].filter((name) => name);
  if (names.length === 0) return false;
  const selected = ask.select('', `__name__=~"${names.join('|')}"`, 'principal!=""');
  return (await ask.number(`count(${selected})`)) !== null;
}

/** What is configured, and whether the byte counters name principals: then another preset reads them. */
export interface FamilyContext {
  readonly preset: string | undefined;
  readonly selector: string;
  readonly named: boolean;
}

/** Names the families that are there and the preset to write. */
export function describeFamilies(
  counts: ReadonlyMap<string, number>,
  { preset, selector, named }: FamilyContext,
): Finding[] {
  const what = 'metric families';
  const chosen = chooseFamily(counts);
  const half = METRIC_FAMILIES.filter(
    ({ bytesIn, bytesOut }) =>
      bytesIn !== null && bytesOut !== null && counts.has(bytesIn) !== counts.has(bytesOut),
  );
  const findings: Finding[] = half.map(({ title, bytesIn, bytesOut }) => ({
    severity: 'error',
    what,
    evidence: `${title}: ${counts.has(bytesIn!) ? bytesIn : bytesOut} is there, ${counts.has(bytesIn!) ? bytesOut : bytesIn} is not`,
    advice: 'Let the exporter expose both: without one of them a direction costs nothing.',
  }));
  if (chosen === null) {
    const where = selector === '' ? '' : ` with the selector ${selector}`;
    return [
      ...findings,
      {
        severity: 'error',
        what,
        evidence: `none of the known metrics of brokers is there${where}`,
        advice:
          'Check that the brokers are scraped, that the selector fits and that the server answers for the last five minutes; other names are billed with queries of your own.',
      },
    ];
  }
  const present = METRIC_FAMILIES.filter(({ bytesIn, logSize }) => counts.has(bytesIn ?? logSize));
  const evidence = present
    .map(
      ({ title, bytesIn, logSize }) =>
        `${title} (${counts.get(bytesIn ?? logSize)} series of ${bytesIn ?? logSize})`,
    )
    .join(', ');
  const fitting = presetsFor(present, { counts, named });
  const advised = named && chosen.preset === 'jmx_exporter' ? 'plain' : chosen.preset;
  const unfit = preset !== undefined && !fitting.includes(preset);
  return [
    ...findings,
    {
      severity: unfit ? 'error' : 'ok',
      what,
      evidence: unfit ? `metric_preset is ${preset}, but what is there is ${evidence}` : evidence,
      advice:
        chosen.bytesIn === null
          ? 'This family counts no bytes of traffic: take them from quota metrics.'
          : '',
      yaml: `metric_preset: ${unfit || preset === undefined ? advised : preset}`,
    },
  ];
}

/** The presets that can bill from what is there. `plain` and `jmx_exporter` differ in where principals come from. */
function presetsFor(
  present: readonly MetricFamily[],
  { counts, named }: { counts: ReadonlyMap<string, number>; named: boolean },
): string[] {
  const quotas = QUOTA_METRICS.some((metric) => counts.has(metric));
  return present.flatMap(({ preset }) => {
    if (preset !== 'jmx_exporter') return [preset];
    return [...(named ? ['plain'] : []), ...(quotas || !named ? ['jmx_exporter'] : [])];
  });
}

/** Warns when the series may be of several clusters: billed together, each would pay for the others. */
export async function examineClusters(ask: Questions, metric: string): Promise<Finding[]> {
  const what = 'selector';
  const labels = await labelNames(ask, ask.select(metric));
  for (const label of CLUSTER_LABELS.filter((name) => labels.includes(name))) {
    const { count, some } = await valuesOf(ask, label, ask.select(metric));
    if (count < 2) continue;
    const evidence = `the label ${label} has ${count} values, such as ${some.join(', ')}`;
    const advice = `If these are clusters of their own, or the same brokers scraped twice, choose one with a selector.`;
    return [{ severity: 'warning', what, evidence, advice, yaml: selectorYaml(label, some[0]!) }];
  }
  const evidence = `one cluster${ask.selector === '' ? '' : ` with ${ask.selector}`}; labels: ${labels.join(', ')}`;
  return [{ severity: 'ok', what, evidence, advice: '' }];
}

/** Compares the sum over topics with the aggregate of all topics, over the last hour. */
export async function examineAggregate(
  ask: Questions,
  metric: string,
  topicLabel: string,
): Promise<KafkaFinding[]> {
  const aggregate = ask.select(metric, `${topicLabel}=""`, 'principal=""');
  const aggregates = await ask.number(`count(${aggregate})`);
  // Who counts by principal need not count by topic.
  const byPrincipal = (await ask.number(`count(${ask.select(metric, `${topicLabel}!=""`)})`)) === null;
  const label = byPrincipal ? 'principal' : topicLabel;
  const parts = ask.select(metric, `${label}!=""`);
  const counted = await ask.number(`count(${parts})`);
  const finding = (severity: Finding['severity'], evidence: string, advice: string): Finding => ({
    severity,
    what: metric,
    evidence,
    advice,
  });
  const billAggregate = { queries: aggregateQuery(ask, metric, topicLabel) };
  if (counted === null) {
    const evidence = `no series carries the label ${topicLabel}: ${aggregates ?? 0} aggregates of all topics only`;
    const advice =
      'The presets leave aggregates out, so nothing would be billed: bill this cluster with the aggregate.';
    return [{ ...finding('error', evidence, advice), ...billAggregate }];
  }
  if (byPrincipal) {
    const evidence = `${counted} series per principal, none per ${topicLabel}`;
    const advice =
      'The presets tell parts from aggregates by the topic, so nothing would be billed: bill this cluster with queries of your own.';
    return [{ ...finding('error', evidence, advice), queries: principalQueries(ask, metric) }];
  }
  if (aggregates === null) return [finding('ok', `${counted} series per ${label}, no aggregate of all`, '')];
  const sum = await ask.number(`sum(increase(${parts}[1h]))`);
  const whole = await ask.number(`sum(increase(${aggregate}[1h]))`);
  const seen = `${counted} series per ${label} and ${aggregates} aggregates`;
  if (!sum || !whole) {
    const advice = 'Ask again when there is traffic; the presets leave the aggregates out in any case.';
    return [finding('warning', `${seen}; no traffic in the last hour to compare them by`, advice)];
  }
  const ratio = sum / whole;
  const compared = `${seen}; in the last hour the former add up to ${gibibytes(sum)}, ${percent(ratio)} of the aggregate (${gibibytes(whole)})`;
  if (Math.abs(ratio - 1) <= CLOSE_ENOUGH) {
    const advice =
      'The presets leave the aggregates out: added to the rest they would count everything twice.';
    return [finding('ok', compared, advice)];
  }
  if (ratio < 1) {
    const advice =
      'Some topics are not exported: lift the filter of the exporter, or bill with the aggregate.';
    return [{ ...finding('warning', compared, advice), ...billAggregate }];
  }
  const advice =
    'Topics are counted more often than the aggregate: look for brokers that are scraped twice or whose aggregate is dropped.';
  return [finding('warning', compared, advice)];
}

function aggregateQuery(ask: Questions, metric: string, topicLabel: string): Record<string, string> {
  const key = metric.includes('bytesout') ? 'cluster_bytes_out' : 'cluster_bytes_in';
  return { [key]: `sum(increase(${ask.select(metric, `${topicLabel}=""`)}[{step}]))` };
}

function principalQueries(ask: Questions, metric: string): Record<string, string> {
  const key = metric.includes('bytesout') ? 'bytes_out' : 'bytes_in';
  const selected = ask.select(metric, 'principal!=""');
  return {
    [`cluster_${key}`]: `sum(increase(${selected}[{step}]))`,
    [`${key}_per_principal`]: `sum by (principal) (increase(${selected}[{step}]))`,
    principals: `group by (principal) (last_over_time(${selected}[{window}]))`,
  };
}

async function labelNames(ask: Questions, selected: string): Promise<string[]> {
  const some = await ask.series(`topk(5, ${selected})`);
  const names = new Set(some.flatMap(({ labels }) => Object.keys(labels)));
  names.delete('__name__');
  return [...names].toSorted();
}
