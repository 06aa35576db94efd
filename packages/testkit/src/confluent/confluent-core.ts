import { createFaultInjector, delayOf, replacesAnswer } from '../simulator/faults.ts';
import type { MetricsModel } from '../simulator/metrics-model.ts';
import { answerRequest } from '../simulator/prometheus-api.ts';
import { createQueryEngine } from '../simulator/query-engine.ts';
import { describeRequest } from '../simulator/simulator-core.ts';
import {
  type IncomingRequest,
  jsonAnswer,
  NO_ANSWER,
  type SimulatorAnswer,
  type SimulatorReaction,
} from '../simulator/simulator-request.ts';
import { type ConfluentRequest, pageAnswer, pageOf, Refusal, refused } from './api-answer.ts';
import {
  applyConfluentFault,
  changedItems,
  type ConfluentFaultEffect,
  type ConfluentFaultPlan,
} from './confluent-faults.ts';
import { confluentMetrics } from './confluent-metrics.ts';
import { createCostsListing } from './costs-api.ts';
import { createInventoryListings } from './inventory-listings.ts';
import { createMetricsApi } from './metrics-api.ts';
import { type ConfluentOrganization, livesAt } from './organization.ts';
import { connectorsAnswer } from './resource-items.ts';
import { PROMETHEUS_PREFIX, type Routed, routeOf } from './routes.ts';

export interface ConfluentSimulatorOptions {
  readonly organization: ConfluentOrganization;
  /** The vendor's clock: rows of the bill come late and are corrected as it goes on. Default: when all has settled. */
  readonly clock?: () => Date;
  readonly faults?: ConfluentFaultPlan;
  /** What the metrics server knows. Default: {@link confluentMetrics} of the organisation. */
  readonly metrics?: MetricsModel;
  /** What is let in. Default: any key and secret. */
  readonly credentials?: readonly { readonly key: string; readonly secret: string }[];
}

/** A request that was answered. */
export interface RecordedConfluentRequest extends ConfluentRequest {
  /** 0 when the connection was reset instead. */
  readonly status: number;
  /** Length of the answer's body. */
  readonly bytes: number;
}

/** What a test can see and change while the simulator serves. */
export interface ConfluentControl {
  /** In the order in which they arrived. */
  readonly requests: readonly RecordedConfluentRequest[];
  /** Replaces the fault plan; counts start again. */
  setFaults(plan: ConfluentFaultPlan): void;
}

/** The simulator without a transport. */
export interface ConfluentCore extends ConfluentControl {
  react(incoming: IncomingRequest): SimulatorReaction;
}

/** Long enough after the last day for every correction. */
const SETTLED_AFTER = 5 * 86_400_000;

export function createConfluentCore(options: ConfluentSimulatorOptions): ConfluentCore {
  const { organization, faults = [] } = options;
  const clock = options.clock ?? (() => new Date(organization.window.end.getTime() + SETTLED_AFTER));
  const answer = createAnswerer(options);
  const requests: RecordedConfluentRequest[] = [];
  let injector = createFaultInjector(faults);
  return {
    requests,
    setFaults(plan) {
      injector = createFaultInjector(plan);
    },
    react(incoming) {
      const routed = routeOf(incoming.url.pathname);
      const request = describe(incoming, routed, requests.length + 1);
      const effects = injector.effectsFor(request);
      const told = effects.reduce<SimulatorAnswer | null>(
        (current, effect) => current && applyConfluentFault(current, effect, request),
        replacesAnswer(effects)
          ? NO_ANSWER
          : (refusedEntry(request, options) ?? answer({ request, routed, effects, now: clock() })),
      );
      requests.push({ ...request, status: told?.status ?? 0, bytes: told?.body.length ?? 0 });
      return { delay: delayOf(effects), answer: told };
    },
  };
}

interface Asked {
  readonly request: ConfluentRequest;
  readonly routed: Routed;
  readonly effects: readonly ConfluentFaultEffect[];
  readonly now: Date;
}

function createAnswerer({
  organization,
  metrics = confluentMetrics(organization),
}: ConfluentSimulatorOptions): (asked: Asked) => SimulatorAnswer {
  const metricsApi = createMetricsApi(metrics);
  const prometheus = createPrometheusAnswerer(metrics);
  const costs = createCostsListing(organization);
  const inventory = createInventoryListings(organization);
  const answer = ({ request, routed, effects, now }: Asked): SimulatorAnswer => {
    const { endpoint, method, names } = routed;
    if (method !== '' && request.method !== method) {
      throw new Refusal(405, 'method_not_allowed', `${request.path} takes ${method}`);
    }
    switch (endpoint) {
      case 'unknown':
        throw new Refusal(404, 'not_found', `there is no ${request.path}`);
      case 'prometheus':
        return prometheus(request);
      case 'metrics_api':
        return metricsApi(request, now);
      case 'connectors': {
        const here = organization.connectors.filter(
          (one) =>
            one.environmentId === names['environment'] &&
            one.clusterId === names['cluster'] &&
            livesAt(one, now),
        );
        return jsonAnswer(200, connectorsAnswer(here));
      }
      default: {
        const listing =
          endpoint === 'costs' ? costs(request, now) : inventory(endpoint, { request, names, now });
        const page = pageOf(request, listing);
        return pageAnswer({ ...page, items: changedItems(page.items, effects) });
      }
    }
  };
  return (asked) => {
    try {
      return answer(asked);
    } catch (error) {
      if (error instanceof Refusal) return refused(error);
      throw error;
    }
  };
}

/** The metrics server that scrapes the cloud. */
function createPrometheusAnswerer(model: MetricsModel): (request: ConfluentRequest) => SimulatorAnswer {
  const api = {
    engine: createQueryEngine(model, false),
    pathPrefix: PROMETHEUS_PREFIX,
    defaultTime: model.window.end.getTime(),
  };
  return ({ origin, path, query, number, method, headers, body }) => {
    const url = new URL(`${path}?${new URLSearchParams(query).toString()}`, origin);
    return answerRequest(describeRequest({ method, url, headers, body }, number), api);
  };
}

function refusedEntry(
  { endpoint, headers }: ConfluentRequest,
  { credentials }: ConfluentSimulatorOptions,
): SimulatorAnswer | null {
  // The metrics server is the customer's own.
  if (endpoint === 'prometheus') return null;
  const pair = /^Basic (\S+)$/.exec(headers['authorization'] ?? '')?.[1] ?? '';
  const [key = '', secret = ''] = Buffer.from(pair, 'base64').toString().split(/:(.*)/s);
  const welcome = credentials
    ? credentials.some((one) => one.key === key && one.secret === secret)
    : key !== '' && secret !== '';
  return welcome ? null : refused(new Refusal(401, 'unauthorized', 'The API key or secret is not valid'));
}

function describe(
  { method, url, headers, body }: IncomingRequest,
  routed: Routed,
  number: number,
): ConfluentRequest {
  return {
    number,
    method,
    endpoint: routed.endpoint,
    origin: url.origin,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers,
    body,
  };
}
