import type { Finding } from '@chargeback/plugin-api';
import { type MetricFamily, PRINCIPAL_LABELS, QUOTA_METRICS } from './doctor-families.ts';
import { type Questions, valuesOf } from './doctor-questions.ts';
import { QUOTA_GAUGES, QUOTA_RULES, trafficByPrincipal } from './metric-presets.ts';

const WHAT = 'usage per principal';

/** Looks for series that say who sent or fetched: byte counters with a principal, or quota metrics. */
export async function examinePrincipals(
  ask: Questions,
  family: MetricFamily | null,
  counts: ReadonlyMap<string, number>,
): Promise<Finding[]> {
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
    const yaml = fromMetrics('principal', countersYaml(family));
    return [{ severity: both ? 'ok' : 'warning', what: WHAT, evidence, advice, yaml }];
  }
  return (await examineQuotas(ask, family, counts)) ?? [nobody()];
}

async function examineQuotas(
  ask: Questions,
  family: MetricFamily | null,
  counts: ReadonlyMap<string, number>,
): Promise<Finding[] | null> {
  const present = QUOTA_METRICS.filter((metric) => counts.has(metric));
  const findings: Finding[] = [];
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
      ...(findings.length === 0 ? { yaml: fromMetrics(found.label, quotasYaml(family, metric)) } : {}),
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

/** The label is left out where it is what the preset goes by anyway. */
function fromMetrics(label: string, queries: string): string {
  const usual = label === 'user' || (label === 'principal' && queries === '');
  return `identity_source:\n  source: prometheus${usual ? '' : `\n  label: ${label}`}${queries}`;
}

/** The preset `plain` reads these counters already; under other names it takes queries of one's own. */
function countersYaml(family: MetricFamily | null): string {
  if (family === null || family.preset === 'jmx_exporter' || !family.bytesIn || !family.bytesOut) return '';
  return queriesYaml(trafficByPrincipal(family.bytesIn, family.bytesOut));
}

/** Each preset reads the quota metrics that its exporter's rules make; others take queries of one's own. */
function quotasYaml(family: MetricFamily | null, metric: string): string {
  const rules = metric === 'kafka_server_quota_byte_rate';
  const presetReadsRules = family?.preset === 'jmx_exporter' || family?.preset === 'kminion';
  if (family === null || rules === presetReadsRules) return '';
  return queriesYaml(rules ? QUOTA_RULES : QUOTA_GAUGES);
}

function queriesYaml(queries: Readonly<Record<string, string>>): string {
  const lines = Object.entries(queries).map(([key, query]) => `\n  ${key}: ${JSON.stringify(query)}`);
  return `\nqueries:${lines.join('')}`;
}

function nobody(): Finding {
  return {
    severity: 'warning',
    what: WHAT,
    evidence: 'no series says who sent or fetched; brokers do not count bytes by principal by themselves',
    advice:
      'Give every user a very high default quota, then quota metrics appear: kafka-configs --alter --entity-type users --entity-default --add-config producer_byte_rate=1000000000000,consumer_byte_rate=1000000000000. Until then list who shares the cost.',
    yaml: 'identity_source:\n  source: static\n  static_identities:\n    - identity_id: team-name\n      identity_type: team',
  };
}
