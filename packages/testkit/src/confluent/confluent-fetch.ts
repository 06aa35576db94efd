import { type InProcessFetch, inProcessFetch } from '../simulator/in-process-fetch.ts';
import {
  type ConfluentControl,
  type ConfluentSimulatorOptions,
  createConfluentCore,
} from './confluent-core.ts';

/** A `fetch` that answers as Confluent Cloud and its metrics server would, whatever the host of the address. */
export interface ConfluentFetch extends InProcessFetch, ConfluentControl {}

/** The simulator without sockets: for benchmarks, and to show the product with nothing else running. */
export function createConfluentFetch(options: ConfluentSimulatorOptions): ConfluentFetch {
  const core = createConfluentCore(options);
  return Object.assign(
    inProcessFetch((request) => core.react(request)),
    {
      requests: core.requests,
      setFaults: (plan: Parameters<typeof core.setFaults>[0]) => core.setFaults(plan),
    },
  );
}
