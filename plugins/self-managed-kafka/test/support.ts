import { setTimeout as pause } from 'node:timers/promises';
import type {
  BillingBatch,
  BillingLineItem,
  Ecosystem,
  Logger,
  PluginHost,
  UsageDay,
  Window,
} from '@chargeback/plugin-api';
import { createMetricsModel, createSimulatorFetch, type MetricsModelOptions } from '@chargeback/testkit';
import { register } from '../src/index.ts';

export const GIB = 1_073_741_824;
export const never = (): AbortSignal => new AbortController().signal;

export function days(first: string, count: number): Window {
  const start = new Date(`${first}T00:00:00Z`);
  return { start, end: new Date(start.getTime() + count * 86_400_000) };
}

/** The rates of the specification's examples. */
export const SPECIFIED_RATES = {
  compute_hourly_rate: '0.50',
  storage_per_gib_hourly: '0.0001',
  network_ingress_per_gib: '0.01',
  network_egress_per_gib: '0.02',
};

export function settingsWith(overrides: object): object {
  return {
    cluster_id: 'kafka-1',
    broker_count: 3,
    cost_model: SPECIFIED_RATES,
    metrics: { url: 'http://prometheus.test.invalid' },
    ...overrides,
  };
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** The ecosystem of parsed settings. Without `fetch` the network is the real one. */
export async function connect(
  overrides: object,
  host: { fetch?: PluginHost['fetch']; now?: Date } = {},
): Promise<Ecosystem> {
  const plugin = register();
  const fetch = host.fetch ?? globalThis.fetch;
  return plugin.create(plugin.settings.parse(settingsWith(overrides)), {
    logger: silent,
    clock: () => host.now ?? new Date('2026-03-01T00:00:00Z'),
    fetch,
    createFetch: () => fetch,
    resolvePath: (file) => file,
    random: () => 0.5,
    sleep: async (milliseconds, signal) => void (await pause(milliseconds, undefined, { signal })),
    signal: never(),
    tenantId: 't1',
    concurrency: 4,
  });
}

/** A simulated metrics server that knows the first ten days of February. */
export function simulated(model: Omit<MetricsModelOptions, 'window'>): PluginHost['fetch'] {
  return createSimulatorFetch(createMetricsModel({ window: days('2026-02-01', 10), ...model }));
}

export async function billOf(ecosystem: Ecosystem, window: Window): Promise<BillingBatch> {
  for await (const batch of ecosystem.billing(window, never())) return batch;
  throw new Error('no batch');
}

/** The lines of one product, by day. */
export function linesOf({ lines }: BillingBatch, product: string): readonly BillingLineItem[] {
  return lines.filter(({ productType }) => productType === `SELF_KAFKA_${product}`);
}

/** Usage of every query of the routes, by key and date. */
export async function usageOf(
  ecosystem: Ecosystem,
  window: Window,
): Promise<Map<string, Map<string, UsageDay>>> {
  const queries = new Map(
    ecosystem.routes.flatMap((route) => route.usage).map((query) => [query.key, query]),
  );
  const answers = new Map<string, Map<string, UsageDay>>();
  for await (const day of ecosystem.metrics!.usage([...queries.values()], window, never())) {
    const ofKey = answers.get(day.queryKey) ?? new Map<string, UsageDay>();
    answers.set(day.queryKey, ofKey.set(day.date, day));
  }
  return answers;
}
