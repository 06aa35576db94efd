import { type InProcessFetch, inProcessFetch } from './in-process-fetch.ts';
import type { MetricsModel } from './metrics-model.ts';
import { createSimulatorCore, type SimulatorControl, type SimulatorOptions } from './simulator-core.ts';

/** A `fetch` that answers from the model, whatever the host of the address. */
export interface SimulatorFetch extends InProcessFetch, SimulatorControl {}

/** The simulator without sockets: for benchmarks, and to show the product with nothing else running. */
export function createSimulatorFetch(
  model: MetricsModel,
  options: Omit<SimulatorOptions, 'model'> = {},
): SimulatorFetch {
  const core = createSimulatorCore({ ...options, model });
  return Object.assign(
    inProcessFetch((request) => core.react(request)),
    {
      requests: core.requests,
      setFaults: (plan: Parameters<typeof core.setFaults>[0]) => core.setFaults(plan),
    },
  );
}
