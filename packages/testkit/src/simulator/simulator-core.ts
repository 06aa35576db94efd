import { applyFault, createFaultInjector, delayOf, type FaultPlan, replacesAnswer } from './faults.ts';
import type { MetricsModel } from './metrics-model.ts';
import { answerRequest } from './prometheus-api.ts';
import { createQueryEngine } from './query-engine.ts';
import {
  type IncomingRequest,
  NO_ANSWER,
  type RecordedRequest,
  type SimulatorAnswer,
  type SimulatorReaction,
  type SimulatorRequest,
} from './simulator-request.ts';

export interface SimulatorOptions {
  readonly model: MetricsModel;
  readonly faults?: FaultPlan;
  /** Serves everything below this path, as a server behind a proxy does: `/prometheus`. */
  readonly pathPrefix?: string;
  /**
   * Prometheus 2 counts a sample at the very beginning of a range, Prometheus 3 does not. Concerns `*_over_time`
   * and subqueries. Default: false.
   */
  readonly closedRanges?: boolean;
}

/** What a test can see and change while the simulator serves. */
export interface SimulatorControl {
  /** In the order in which they arrived. */
  readonly requests: readonly RecordedRequest[];
  /** Replaces the fault plan; counts start again. */
  setFaults(plan: FaultPlan): void;
}

/** The simulator without a transport. */
export interface SimulatorCore extends SimulatorControl {
  react(request: IncomingRequest): SimulatorReaction;
}

export function createSimulatorCore(options: SimulatorOptions): SimulatorCore {
  const { model, faults = [], pathPrefix = '', closedRanges = false } = options;
  const api = {
    engine: createQueryEngine(model, closedRanges),
    pathPrefix,
    defaultTime: model.window.end.getTime(),
  };
  const requests: RecordedRequest[] = [];
  let injector = createFaultInjector(faults);
  return {
    requests,
    setFaults(plan) {
      injector = createFaultInjector(plan);
    },
    react(incoming) {
      const request = describeRequest(incoming, requests.length + 1);
      const effects = injector.effectsFor(request);
      const answer = effects.reduce<SimulatorAnswer | null>(
        (current, effect) => current && applyFault(current, effect),
        replacesAnswer(effects) ? NO_ANSWER : answerRequest(request, api),
      );
      requests.push({ ...request, status: answer?.status ?? 0, bytes: answer?.body.length ?? 0 });
      return { delay: delayOf(effects), answer };
    },
  };
}

/** What a request asks for. Parameters may stand in the address or in a form; the form wins. */
export function describeRequest(
  { method, url, headers, body }: IncomingRequest,
  number: number,
): SimulatorRequest {
  const form = new URLSearchParams(method === 'POST' ? body : '');
  const parameter = (name: string): string | null => form.get(name) ?? url.searchParams.get(name);
  return {
    number,
    method,
    path: url.pathname,
    headers,
    query: parameter('query'),
    start: parameter('start'),
    end: parameter('end'),
    step: parameter('step'),
    time: parameter('time'),
  };
}
