import { startLoopbackServer } from '../simulator/loopback-server.ts';
import {
  type ConfluentControl,
  type ConfluentSimulatorOptions,
  createConfluentCore,
} from './confluent-core.ts';
import { PROMETHEUS_PREFIX } from './routes.ts';

/** A running simulator. */
export interface ConfluentSimulator extends ConfluentControl {
  /** Base URL of the cloud's interfaces and of its Metrics API, without a slash at the end. */
  readonly url: string;
  /** Base URL of a metrics server that scrapes the cloud. */
  readonly prometheusUrl: string;
  /** Base URL of Flink in a region, whose statements alone it shows. */
  flinkUrl(place: { readonly cloud: string; readonly region: string }): string;
  /** Breaks open connections and frees the port. */
  stop(): Promise<void>;
}

/** Serves an organisation on a free port of this machine only. */
export async function startConfluentSimulator(
  options: ConfluentSimulatorOptions,
): Promise<ConfluentSimulator> {
  const core = createConfluentCore(options);
  const { origin, stop } = await startLoopbackServer((request) => core.react(request));
  return {
    url: origin,
    prometheusUrl: `${origin}${PROMETHEUS_PREFIX}`,
    flinkUrl: ({ cloud, region }) => `${origin}/flink/${cloud.toLowerCase()}/${region}`,
    requests: core.requests,
    setFaults: (plan) => core.setFaults(plan),
    stop,
  };
}
