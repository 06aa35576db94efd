import {
  type Coverage,
  isComplete,
  type IsoDate,
  makeProblem,
  type MetricsSource,
  type Problem,
  type UsageDay,
  type UsageQuery,
  type Window,
} from '@chargeback/plugin-api';
import {
  createMetricsSource,
  fetchDailyTotals,
  type MetricsSourceOptions,
  type PrometheusClient,
} from '@chargeback/prometheus';
import { MOST_POINTS, notWhole, truncationProblem } from './truncation.ts';
import { firstThatSpeaks } from './first-that-speaks.ts';
import { hasMisplacedUsage } from './misplaced-usage.ts';
import { leftOpen, type MetricName, sumOverTime, type UsageMetric, usageMetric } from './usage-metrics.ts';

/** One sample per scrape and resource: 0, or 1 for a resource that the scrape could not read. */
const SCRAPE_METRIC = 'confluent_scrape_resource_access_error';

/**
 * Usage from a Prometheus server that scrapes the vendor's export. Besides the usage it asks whether the export
 * was scraped, because an hour without samples is an outage or an hour without traffic, and whether an answer
 * of the export was cut off.
 */
export function createExportSource(client: PrometheusClient, options: MetricsSourceOptions): MetricsSource {
  const source = createMetricsSource(client, options);
  return {
    async *usage(queries, window, signal) {
      const evidence = gatherEvidence(client, queries, { window, signal });
      // Without evidence a day counts as what it shows; an abort also ends the loop below.
      evidence.catch(() => {});
      const plan = new QueryPlan(queries);
      for await (const day of source.usage(plan.queries, window, signal)) {
        const whole = plan.take(day);
        if (whole) yield judged(whole, await evidence);
      }
    },
  };
}

/** The queries to send, one for each metric of a measure, and what their answers come to. */
class QueryPlan {
  readonly queries: readonly UsageQuery[];
  readonly #keys = new Map<string, { key: string; rank: number; of: number }>();
  readonly #waiting = new Map<string, UsageDay[]>();

  constructor(queries: readonly UsageQuery[]) {
    this.queries = queries.flatMap((query) => {
      const metric = usageMetric(query.key);
      if (!metric || metric.names.length === 1) return [query];
      return metric.names.map((name, rank) => {
        const key = rank === 0 ? query.key : `${query.key} (${name.exportName})`;
        this.#keys.set(key, { key: query.key, rank, of: metric.names.length });
        return { ...query, key, expression: sumOverTime(metric, name) };
      });
    });
  }

  /** The day of a measure as soon as all of its metrics have answered. */
  take(day: UsageDay): UsageDay | undefined {
    const place = this.#keys.get(day.queryKey);
    if (!place) return day;
    const id = `${day.date} ${place.key}`;
    const answers = this.#waiting.get(id) ?? [];
    this.#waiting.set(id, answers);
    answers[place.rank] = day;
    if (Object.keys(answers).length < place.of) return undefined;
    this.#waiting.delete(id);
    return firstThatSpeaks(answers as [UsageDay, ...UsageDay[]]);
  }
}

/** What is known of the scrapes of a day. */
interface DayEvidence {
  /** Instants at which the export of the metric's kind of resource had been scraped. */
  readonly scraped: number;
  /** Resources that a scrape could not read, at most at one time. */
  readonly unread: number;
  /** Series of the metric in one scrape, at most at one time; null when that could not be asked. */
  readonly points: number | null;
  /** Why some of this could not be asked. */
  readonly unasked: string | null;
}

type Evidence = ReadonlyMap<string, ReadonlyMap<IsoDate, DayEvidence>>;

async function gatherEvidence(
  client: PrometheusClient,
  queries: readonly UsageQuery[],
  range: { window: Window; signal: AbortSignal },
): Promise<Evidence> {
  const evidence = new Map<string, Map<IsoDate, DayEvidence>>();
  const scrapes = new Map<string, Promise<Probe>>();
  const gathered = queries.map(async ({ key, stepSeconds }) => {
    const metric = usageMetric(key);
    if (!metric) return;
    const { resourceField } = metric;
    const scrape = scrapes.get(resourceField) ?? probe(client, scrapeProbe(metric, stepSeconds), range);
    scrapes.set(resourceField, scrape);
    const [scraped, ...counted] = await Promise.all([
      scrape,
      ...metric.names.map((name) => probe(client, countProbe(name, stepSeconds), range)),
    ]);
    const days = new Map<IsoDate, DayEvidence>();
    for (const [date, { value, coverage, failure }] of scraped) {
      const counts = counted.map((probed) => probed.get(date));
      const uncounted = counts.find((count) => !count || count.failure !== null);
      days.set(date, {
        scraped: coverage.samplesSeen,
        unread: value ?? 0,
        points: uncounted ? null : Math.max(...counts.map((count) => count?.value ?? 0)),
        unasked: failure ?? uncounted?.failure ?? null,
      });
    }
    evidence.set(key, days);
  });
  await Promise.all(gathered);
  return evidence;
}

type Probe = Map<IsoDate, { value: number | null; coverage: Coverage; failure: string | null }>;
type ProbeQuery = Parameters<typeof fetchDailyTotals>[1];

async function probe(
  client: PrometheusClient,
  query: ProbeQuery,
  range: { window: Window; signal: AbortSignal },
): Promise<Probe> {
  const days: Probe = new Map();
  for await (const { date, value, coverage, problems } of fetchDailyTotals(client, query, range)) {
    const failure = problems.find(({ severity }) => severity === 'error')?.message ?? null;
    days.set(date, { value, coverage, failure });
  }
  return days;
}

function scrapeProbe({ resourceField }: UsageMetric, stepSeconds: number): ProbeQuery {
  const selector = `${SCRAPE_METRIC}{resource_type="${resourceField}"}`;
  return {
    key: SCRAPE_METRIC,
    expression: (range) => `sum(max_over_time(${selector}[${leftOpen(range)}]))`,
    stepSeconds,
    reduce: 'max',
  };
}

function countProbe({ exportName }: MetricName, stepSeconds: number): ProbeQuery {
  return {
    key: `${exportName} points`,
    expression: () => `max(count by (job, instance) (${exportName}))`,
    stepSeconds,
    reduce: 'max',
  };
}

function judged(day: UsageDay, evidence: Evidence): UsageDay {
  const known = evidence.get(day.queryKey)?.get(day.date);
  if (!known || day.outcome === 'failed') return day;
  // An hour without traffic, unless samples were set aside; but of a metric without a sample on a day that was not
  // scraped throughout nobody knows whether it is exported at all.
  // What names nobody was seen, and touches nobody else.
  const usable = day.problems.every(
    ({ code, severity }) => code === 'CB_METRICS_LABEL' && severity === 'warning',
  );
  const idle = known.scraped >= day.coverage.samplesExpected;
  const quiet = usable && (day.coverage.samplesSeen > 0 || idle);
  const problems: Problem[] = [...day.problems];
  let { coverage } = day;
  if (quiet && known.scraped > coverage.samplesSeen) coverage = { ...coverage, samplesSeen: known.scraped };
  const cutOff = known.points === null || known.points >= MOST_POINTS;
  if (cutOff || hasMisplacedUsage(day.totals)) coverage = notWhole(coverage);
  if (known.points !== null && known.points >= MOST_POINTS) {
    problems.push(truncationProblem(day.queryKey, day.date, known.points));
  }
  if (quiet && day.coverage.samplesSeen === 0) problems.push(idleProblem(day));
  if (known.unasked !== null) problems.push(unaskedProblem(day, known.unasked));
  if (known.unread > 0) problems.push(unreadProblem(day, known.unread));
  return { ...day, coverage, outcome: isComplete(coverage) ? 'complete' : 'partial', problems };
}

/** As the Metrics API, which answers nothing where nothing happened; but a scrape may leave a metric out. */
function idleProblem({ queryKey, date }: UsageDay): Problem {
  const message = `${queryKey}: the export was scraped throughout the day and holds no sample: nothing happened`;
  const fix = 'Nothing to do in an organization that was idle; otherwise add the metric to the scrape job.';
  return makeProblem('CB_METRICS_PARTIAL', message, { date, path: queryKey, fix });
}

function unaskedProblem({ queryKey, date }: UsageDay, why: string): Problem {
  const message = `${queryKey}: whether the export was scraped whole could not be asked: ${why}`;
  return makeProblem('CB_METRICS_PARTIAL', message, { date, path: queryKey });
}

function unreadProblem({ queryKey, date }: UsageDay, unread: number): Problem {
  const message = `${queryKey}: the scrape could not read ${unread} of its resources`;
  const fix =
    'Take deleted resources out of the scrape job; give the owner of its key the role MetricsViewer.';
  return makeProblem('CB_METRICS_PARTIAL', message, { date, path: queryKey, fix });
}
