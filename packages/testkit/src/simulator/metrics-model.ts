import type { Window } from '@chargeback/plugin-api';
import { expectedTotal } from './expected-total.ts';
import type { Labels, MetricDefinition } from './metric-definition.ts';

export interface MetricsModelOptions {
  /** What the server holds; it knows nothing before or after. */
  readonly window: Window;
  readonly metrics: readonly MetricDefinition[];
  /** Spans in which the server recorded nothing; increases inside one are lost. Default: none. */
  readonly outages?: readonly Window[];
  /** Seconds between the stored samples, which `*_over_time` counts. Divides an hour. Default: 300. */
  readonly sampleSeconds?: number;
}

/** What a simulated metrics server knows. */
export interface MetricsModel {
  readonly window: Window;
  readonly metrics: readonly MetricDefinition[];
  readonly outages: readonly Window[];
  readonly sampleSeconds: number;
  /**
   * The exact total that samples taken at the hour ends of the window add up to, over all series whose labels
   * equal `filter`. Counter: the increase that was recorded. Gauge: the sum of the hourly values. Hours that a
   * NaN span touches are left out. Exact below 2⁵³. Throws RangeError for an unknown metric.
   */
  expectedTotal(metric: string, filter: Labels, window: Window): number;
}

/** A model of these metrics. Throws RangeError when it contradicts itself. */
export function createMetricsModel(options: MetricsModelOptions): MetricsModel {
  const { window, metrics, outages = [], sampleSeconds = 300 } = options;
  if (!(sampleSeconds >= 1) || 3600 % sampleSeconds !== 0) {
    throw new RangeError(`sampleSeconds must divide an hour, and ${sampleSeconds} does not`);
  }
  const names = new Set<string>();
  for (const { name, series } of metrics) {
    if (names.has(name)) throw new RangeError(`the metric ${name} is described twice`);
    names.add(name);
    const seen = new Set(series.map(({ labels }) => labelsKey(labels)));
    if (seen.size !== series.length) throw new RangeError(`two series of ${name} have the same labels`);
  }
  return {
    window,
    metrics,
    outages,
    sampleSeconds,
    expectedTotal(metric, filter, span) {
      const definition = metrics.find(({ name }) => name === metric);
      if (!definition) throw new RangeError(`the model has no metric ${metric}`);
      return expectedTotal({ window, outages }, definition, { filter, window: span });
    },
  };
}

/** A text that is equal for equal labels, and sorts as a Prometheus server sorts series. */
export function labelsKey(labels: Labels): string {
  return Object.keys(labels)
    .toSorted()
    .map((name) => `${name}\u0000${labels[name]}`)
    .join('\u0001');
}
