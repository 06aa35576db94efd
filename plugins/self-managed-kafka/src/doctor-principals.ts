import { type MetricFamily, PRINCIPAL_LABELS, QUOTA_METRICS } from './doctor-families.ts';
import { type KafkaFinding, type Questions, valuesOf } from './doctor-questions.ts';
import { QUOTA_GAUGES, QUOTA_RULES, trafficByPrincipal } from './metric-presets.ts';

const WHAT = 'usage per principal';

/** Looks for series that say who sent or fetched: byte counters with a principal, or quota metrics. */
export async function examinePrincipals(
  ask: Questions,
  family: MetricFamily | null,
  counts: ReadonlyMap<string, number>,
): Promise<KafkaFinding[]> {
  const { bytesIn = null, bytesOut = null } = family ?? {};
  for (const [direction, other] of [
    [bytesIn, bytesOut],
    [bytesOut, bytesIn],
  ] as const) {
    if (direction === null || !counts.has(direction)) continue;
    const found = await namesIn(ask, direction, ['principal']);
    if (found === null) continue;
    const both = other !== null && (await namesIn(ask, other, ['principal'])) !== null;
    const evidence = `${direction}: ${described(found)}${both ? '' : `; ${other ?? 'the other direction'} has none`}`;
    const advice = both ? '' : 'The direction without principals falls back to an even split.';
    const written = fromMetrics('principal', counterQueries(family));
    return [{ severity: both ? 'ok' : 'warning', what: WHAT, evidence, advice, ...written }];
  }
  return (await examineQuotas(ask, family, counts)) ?? [nobody()];
}

async function examineQuotas(
  ask: Questions,
  family: MetricFamily | null,
  counts: ReadonlyMap<string, number>,
): Promise<KafkaFinding[] | null> {
  const present = QUOTA_METRICS.filter((metric) => counts.has(metric));
  const findings: KafkaFinding[] = [];
  for (const metric of present) {
    const found = await namesIn(ask, metric, PRINCIPAL_LABELS);
    if (found === null) continue;
    const unnamed = (await ask.number(`count(${ask.select(metric, `${found.label}=""`)})`)) ?? 0;
    const rest = unnamed === 0 ? '' : `; ${unnamed} series without it`;
    findings.push({
      severity: unnamed === 0 ? 'ok' : 'warning',
      what: WHAT,
      evidence: `${metric}: ${described(found)}${rest}`,
      advice: 'Only principals that a quota applies to are seen: keep a default quota for every user.',
      // What to write is the same for both directions.
      ...(findings.length === 0 ? fromMetrics(found.label, quotaQueries(family, metric)) : {}),
    });
  }
  return findings.length > 0 ? findings : null;
}

interface Names {
  readonly label: string;
  readonly count: number;
  readonly some: readonly string[];
}

async function namesIn(ask: Questions, metric: string, labels: readonly string[]): Promise<Names | null> {
  for (const label of labels) {
    const { count, some } = await valuesOf(ask, label, ask.select(metric, `${label}!=""`));
    if (count > 0) return { label, count, some };
  }
  return null;
}

function described({ label, count, some }: Names): string {
  return `the label ${label} has ${count} ${count === 1 ? 'value' : 'values'}, such as ${some.join(', ')}`;
}

type OwnQueries = Readonly<Record<string, string>> | null;

/** The label is left out where it is what the preset goes by anyway. */
function fromMetrics(label: string, queries: OwnQueries): Pick<KafkaFinding, 'yaml' | 'queries'> {
  const usual = label === 'user' || (label === 'principal' && queries === null);
  const yaml = `identity_source:\n  source: prometheus${usual ? '' : `\n  label: ${label}`}`;
  return queries === null ? { yaml } : { yaml, queries };
}

/** The preset `plain` reads these counters already; under other names it takes queries of one's own. */
function counterQueries(family: MetricFamily | null): OwnQueries {
  if (family === null || family.preset === 'jmx_exporter' || !family.bytesIn || !family.bytesOut) return null;
  return trafficByPrincipal(family.bytesIn, family.bytesOut);
}

/** Each preset reads the quota metrics that its exporter's rules make; others take queries of one's own. */
function quotaQueries(family: MetricFamily | null, metric: string): OwnQueries {
  const rules = metric === 'kafka_server_quota_byte_rate';
  const presetReadsRules = family?.preset === 'jmx_exporter' || family?.preset === 'kminion';
  if (family === null || rules === presetReadsRules) return null;
  return rules ? QUOTA_RULES : QUOTA_GAUGES;
}

function nobody(): KafkaFinding {
  return {
    severity: 'warning',
    what: WHAT,
    evidence: 'no series says who sent or fetched; brokers do not count bytes by principal by themselves',
    advice:
      'Give every user a very high default quota, then quota metrics appear: kafka-configs --alter --entity-type users --entity-default --add-config producer_byte_rate=1000000000000,consumer_byte_rate=1000000000000. Until then list who shares the cost.',
    yaml: 'identity_source:\n  source: static\n  static_identities:\n    - identity_id: team-name\n      identity_type: team',
  };
}
