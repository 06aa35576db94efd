import {
  ChargebackError,
  dayWindow,
  daysOf,
  type ErrorCode,
  type IsoDate,
  makeProblem,
  type MetricsSource,
  type Problem,
  problemOf,
  type UsageDay,
  type UsageQuery,
} from '@chargeback/plugin-api';
import type { CcloudClient } from '../http/ccloud-client.ts';
import type { AskedHours } from './hour-sums.ts';
import { askHours, dayOf } from './metrics-api-day.ts';
import { availableHours, lostDays } from './metrics-retention.ts';
import { firstThatSpeaks } from './first-that-speaks.ts';
import { type MetricName, type UsageMetric, usageMetric } from './usage-metrics.ts';

/** Failures that the next day would meet too. */
const LASTING: ReadonlySet<ErrorCode> = new Set([
  'CB_SOURCE_AUTH',
  'CB_SOURCE_FORBIDDEN',
  'CB_SOURCE_NOT_FOUND',
  'CB_SOURCE_REQUEST',
  'CB_SOURCE_UNREACHABLE',
]);

/**
 * Usage straight from the vendor's Metrics API: one query per metric and day, over all clusters. Days that it no
 * longer keeps are answered as failed, without being asked for; days at the edge in part.
 */
export function createMetricsApiSource(
  client: CcloudClient,
  { clock }: { readonly clock: () => Date },
): MetricsSource {
  return {
    async *usage(queries, window, signal) {
      const asking = queries.map((query) => new QueryWalk(client, query));
      const now = clock();
      const days = daysOf(window);
      const lost = lostDays(days, now);
      for (const date of days) {
        const answers = await Promise.all(asking.map((walk) => walk.answer(date, now, signal)));
        // Said once for the whole window, not for each of its days and queries.
        const note = date === lost.at(-1) ? retentionProblem(lost) : null;
        for (const [index, answer] of answers.entries()) {
          yield note && index === 0 ? { ...answer, problems: [...answer.problems, note] } : answer;
        }
      }
    },
  };
}

function retentionProblem(lost: readonly IsoDate[]): Problem {
  const span = lost.length === 1 ? lost[0]! : `${lost[0]} to ${lost.at(-1)}`;
  return makeProblem(
    'CB_METRICS_PARTIAL',
    `${span}: the Metrics API keeps no usage of more than 7 days ago`,
    {
      date: lost.at(-1)!,
      fix: 'What was stored of those days stays. Run at least daily, with cutoff_days below 7, so that no day is missed.',
    },
  );
}

/** Asks one query day by day, and no longer once an answer shows that no day would be answered. */
class QueryWalk {
  readonly #client: CcloudClient;
  readonly #query: UsageQuery;
  readonly #metric: UsageMetric | undefined;
  /** Why not to ask any more, by name of the metric. */
  readonly #lasting = new Map<string, ChargebackError>();

  constructor(client: CcloudClient, query: UsageQuery) {
    this.#client = client;
    this.#query = query;
    this.#metric = usageMetric(query.key);
  }

  async answer(date: IsoDate, now: Date, signal: AbortSignal): Promise<UsageDay> {
    const metric = this.#metric;
    if (!metric) return this.#failed(date, [unknownQuery(this.#query.key, date)]);
    const hours = availableHours(dayWindow(date), now);
    if (!hours) return this.#failed(date, []);
    const asked = { date, hours, signal };
    const [best, ...others] = metric.names;
    if (others.length === 0) return this.#ask(metric, best, asked);
    const answers = await Promise.all(metric.names.map((name) => this.#ask(metric, name, asked)));
    const refused = metric.names.map(({ apiName }) => this.#lasting.get(apiName));
    if (refused.every((error) => error?.code === 'CB_SOURCE_REQUEST')) {
      return this.#failed(date, [problemAt(refused[0]!, { metric, date, severity: 'warning' })]);
    }
    return firstThatSpeaks(answers as [UsageDay, ...UsageDay[]]);
  }

  async #ask(metric: UsageMetric, { apiName }: MetricName, asked: AskedHours): Promise<UsageDay> {
    const { date, signal } = asked;
    try {
      const lasting = this.#lasting.get(apiName);
      if (lasting) throw lasting;
      return dayOf(metric, asked, await askHours(this.#client, { metric, apiName }, asked));
    } catch (cause) {
      signal.throwIfAborted();
      if (!ChargebackError.isInstance(cause)) throw cause;
      if (LASTING.has(cause.code)) this.#lasting.set(apiName, cause);
      // A metric that this organization does not have is one that says nothing.
      if (cause.code === 'CB_SOURCE_REQUEST' && metric.names.length > 1) {
        return { ...this.#failed(date, []), outcome: 'partial' };
      }
      return this.#failed(date, [problemAt(cause, { metric, date, severity: 'error' })]);
    }
  }

  #failed(date: IsoDate, problems: readonly Problem[]): UsageDay {
    return {
      date,
      queryKey: this.#query.key,
      totals: { resourceIds: this.#query.resourceLabel === null ? null : [], identityIds: [], values: [] },
      coverage: { samplesSeen: 0, samplesExpected: 24 },
      outcome: 'failed',
      problems,
    };
  }
}

function problemAt(
  cause: ChargebackError,
  { metric, date, severity }: { metric: UsageMetric; date: IsoDate; severity: Problem['severity'] },
): Problem {
  return {
    ...problemOf(cause),
    message: `${metric.key}: ${cause.message}`,
    date,
    path: metric.key,
    severity,
  };
}

function unknownQuery(key: string, date: IsoDate): Problem {
  return makeProblem('CB_METRICS_QUERY', `${key}: the Metrics API has no metric for this query`, {
    severity: 'error',
    date,
    path: key,
    fix: 'Use metrics.type: prometheus for queries in PromQL.',
  });
}
