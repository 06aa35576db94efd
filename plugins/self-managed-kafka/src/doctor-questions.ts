import { ChargebackError, type Finding } from '@chargeback/plugin-api';
import { escapeLabelValue, type PrometheusClient, type RangeSeries } from '@chargeback/prometheus';

const GIB = 1_073_741_824;

/** A finding that may come with queries of one's own to write; all of them are printed together. */
export interface KafkaFinding extends Finding {
  readonly queries?: Readonly<Record<string, string>>;
}

/** Asks one metrics server about one cluster at one instant. */
export interface Questions {
  /** The matchers of the selector, without braces; empty when there is none. */
  readonly selector: string;
  /** A selector of a metric with the cluster's matchers and further ones. */
  select(metric: string, ...matchers: readonly string[]): string;
  series(expression: string): Promise<readonly RangeSeries[]>;
  /** The value of an expression with one series; null when it has none. */
  number(expression: string): Promise<number | null>;
}

export function createQuestions(
  client: PrometheusClient,
  options: { selector: string; time: Date; signal: AbortSignal },
): Questions {
  const selector = options.selector
    .trim()
    .replace(/^\{|\}$/g, '')
    .replace(/,\s*$/, '')
    .trim();
  const series: Questions['series'] = async (expression) => {
    const answer = await client.query({ expression, time: options.time }, options.signal);
    return answer.series;
  };
  return {
    selector,
    select: (metric, ...matchers) =>
      `${metric}{${[selector, ...matchers].filter((matcher) => matcher !== '').join(',')}}`,
    series,
    number: async (expression) => (await series(expression))[0]?.values[0] ?? null,
  };
}

/** A check whose questions fail says so as a finding; the other checks go on. */
export async function examine(
  what: string,
  signal: AbortSignal,
  check: () => Promise<readonly KafkaFinding[]>,
): Promise<readonly KafkaFinding[]> {
  try {
    return await check();
  } catch (cause) {
    signal.throwIfAborted();
    if (!ChargebackError.isInstance(cause)) throw cause;
    return [{ severity: 'error', what, evidence: cause.message, advice: cause.fix }];
  }
}

/** The names of some label values and how many there are in all. */
export async function valuesOf(
  ask: Questions,
  label: string,
  selected: string,
): Promise<{ count: number; some: string[] }> {
  const groups = `group by (${label}) (${selected})`;
  const count = (await ask.number(`count(${groups})`)) ?? 0;
  if (count === 0) return { count, some: [] };
  const some = await ask.series(`topk(3, ${groups})`);
  return { count, some: some.map(({ labels }) => labels[label] ?? '').toSorted() };
}

/** `label="value"` as YAML text, whatever the value holds. */
export function selectorYaml(label: string, value: string): string {
  return `selector: ${JSON.stringify(`${label}="${escapeLabelValue(value)}"`)}`;
}

export function gibibytes(bytes: number): string {
  return `${(bytes / GIB).toLocaleString('en', { maximumSignificantDigits: 4, useGrouping: false })} GiB`;
}

export function percent(ratio: number): string {
  return `${(ratio * 100).toLocaleString('en', { maximumFractionDigits: 1, useGrouping: false })} %`;
}
