import { ChargebackError, type Finding } from '@chargeback/plugin-api';
import type { PrometheusClient } from '@chargeback/prometheus';
import type { Settings } from './settings.ts';

interface ConfiguredQuery {
  readonly what: string;
  readonly expression: string;
  /** Label that every series must carry; null where the answer is added up anyway. */
  readonly label: string | null;
}

/** Asks every configured query once and says which of them answer as they must. */
export async function examineQueries(
  settings: Settings,
  client: PrometheusClient,
  { time, signal }: { time: Date; signal: AbortSignal },
): Promise<Finding[]> {
  const queries = configuredQueries(settings);
  if (queries.length === 0) {
    return [
      { severity: 'ok', what: 'queries', evidence: 'every cost is fixed: no metrics are needed', advice: '' },
    ];
  }
  return Promise.all(queries.map((query) => examine(client, query, { time, signal })));
}

function configuredQueries({ cost_types, identity_source }: Settings): ConfiguredQuery[] {
  const queries: ConfiguredQuery[] = [];
  const { discovery_query: discovery, label, source } = identity_source;
  if (source !== 'static' && discovery)
    queries.push({ what: 'discovery_query', expression: discovery, label });
  for (const { name, cost_quantity: quantity, allocation_query, allocation_label } of cost_types) {
    if (quantity.type !== 'fixed')
      queries.push({ what: `${name} cost_quantity.query`, expression: quantity.query, label: null });
    if (allocation_query && allocation_label) {
      queries.push({
        what: `${name} allocation_query`,
        expression: allocation_query,
        label: allocation_label,
      });
    }
  }
  return queries;
}

async function examine(
  client: PrometheusClient,
  { what, expression, label }: ConfiguredQuery,
  { time, signal }: { time: Date; signal: AbortSignal },
): Promise<Finding> {
  try {
    const { series } = await client.query({ expression, time }, signal);
    if (series.length === 0) {
      const advice =
        'Check the metric name and its labels in the page of the metrics server; nothing scraped within five minutes is not seen either.';
      return { severity: 'warning', what, evidence: `no series answers to ${expression}`, advice };
    }
    const without = label === null ? 0 : series.filter(({ labels }) => !labels[label]).length;
    if (without > 0) {
      const evidence = `${without} of ${series.length} series do not carry the label ${label}`;
      return { severity: 'error', what, evidence, advice: `Aggregate by it: sum by (${label}) (…).` };
    }
    const names = label === null ? [] : series.slice(0, 3).map(({ labels }) => labels[label]);
    const such = names.length > 0 ? `, such as ${names.join(', ')}` : '';
    return { severity: 'ok', what, evidence: `${series.length} series${such}`, advice: '' };
  } catch (cause) {
    signal.throwIfAborted();
    if (!ChargebackError.isInstance(cause)) throw cause;
    return { severity: 'error', what, evidence: cause.message, advice: cause.fix };
  }
}
