import {
  createMetricsModel,
  createSimulatorFetch,
  type MetricDefinition,
  type MetricsModelOptions,
  type SimulatorFetch,
} from '@chargeback/testkit';
import { createPrometheusClient, metricsConnectionSchema, type PrometheusClient } from '../src/index.ts';
import { days, NOW, silent } from './support.ts';

export const WINDOW = days('2026-02-01', 30);
export const WINDOW_DATES = Array.from({ length: 30 }, (_, index) =>
  new Date(WINDOW.start.getTime() + index * 86_400_000).toISOString().slice(0, 10),
);

/** Samples at the ends of the hours that follow a time in unix seconds. */
export function hourly(
  start: number,
  count: number,
  at: (hour: number) => string = () => '1',
): [number, string][] {
  return Array.from({ length: count }, (_, hour) => [start + (hour + 1) * 3600, at(hour)]);
}

export function counters(
  names: readonly string[],
  at: (index: number, hour: number) => number,
): MetricDefinition {
  return {
    name: 'bytes_total',
    kind: 'counter',
    series: names.map((principal, index) => ({ labels: { principal }, at: (hour) => at(index, hour) })),
  };
}

export function simulated(
  options: Omit<MetricsModelOptions, 'window'>,
  { closedRanges = false }: { closedRanges?: boolean } = {},
): {
  client: PrometheusClient;
  fetch: SimulatorFetch;
  model: ReturnType<typeof createMetricsModel>;
} {
  const model = createMetricsModel({ window: WINDOW, ...options });
  const fetch = createSimulatorFetch(model, { closedRanges });
  const connection = metricsConnectionSchema.parse({ url: 'http://simulator.invalid' });
  const host = {
    createFetch: () => fetch,
    clock: () => NOW,
    random: () => 0.5,
    sleep: () => Promise.resolve(),
    logger: silent,
  };
  return { client: createPrometheusClient(connection, host), fetch, model };
}
