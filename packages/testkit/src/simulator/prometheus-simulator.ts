import { startLoopbackServer } from './loopback-server.ts';
import { createSimulatorCore, type SimulatorControl, type SimulatorOptions } from './simulator-core.ts';

/** A running simulator. */
export interface PrometheusSimulator extends SimulatorControl {
  /** Where it serves, path prefix included, without a slash at the end. */
  readonly url: string;
  /** Breaks open connections and frees the port. */
  stop(): Promise<void>;
}

/** Serves the model as a Prometheus server would, on a free port of this machine only. */
export async function startPrometheusSimulator(options: SimulatorOptions): Promise<PrometheusSimulator> {
  const core = createSimulatorCore(options);
  const { origin, stop } = await startLoopbackServer((request) => core.react(request));
  return {
    url: `${origin}${options.pathPrefix ?? ''}`,
    requests: core.requests,
    setFaults: (plan) => core.setFaults(plan),
    stop,
  };
}
