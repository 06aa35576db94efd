import {
  ChargebackError,
  isComplete,
  type IsoDate,
  makeProblem,
  MILLISECONDS_PER_HOUR,
  type Problem,
  type UsageDay,
} from '@chargeback/plugin-api';
import type { CcloudClient } from '../http/ccloud-client.ts';
import { isJsonObject, type JsonObject } from '../http/parse-json.ts';
import { type AnsweredHours, type AskedHours, type AskedMetric, HourSums } from './hour-sums.ts';
import { hasMisplacedUsage } from './misplaced-usage.ts';
import { notWhole, truncationProblem } from './truncation.ts';
import type { UsageMetric } from './usage-metrics.ts';

const PATH = '/v2/metrics/cloud/query';
/** Groups in one answer, the most that the API gives. With the hours of a day far below the vendor's limit of points. */
const GROUPS_PER_PAGE = 1000;
const MOST_PAGES = 10_000;
const HOURS_PER_DAY = 24;

/**
 * Asks for a metric by hour, resource and identity, page by page. A page token may expire on the way: the walk
 * begins anew once.
 * @throws {ChargebackError} `CB_SOURCE_` codes, and `CB_METRICS_LABEL` when no point names anybody.
 */
export async function askHours(
  client: CcloudClient,
  asked: AskedMetric,
  hours: AskedHours,
): Promise<AnsweredHours> {
  try {
    return await walkPages(client, asked, hours);
  } catch (cause) {
    if (!ChargebackError.isInstance(cause) || cause.code !== 'CB_SOURCE_PAGING') throw cause;
    return await walkPages(client, asked, hours);
  }
}

async function walkPages(
  client: CcloudClient,
  asked: AskedMetric,
  { hours, signal }: AskedHours,
): Promise<AnsweredHours> {
  const sums = new HourSums(asked, hours);
  const body = {
    aggregations: [{ metric: asked.apiName }],
    group_by: [asked.metric.resourceField, asked.metric.identityField],
    granularity: 'PT1H',
    intervals: [`${hours.start.toISOString()}/${hours.end.toISOString()}`],
    limit: GROUPS_PER_PAGE,
    format: 'GROUPED',
  };
  const seen = new Set<string>();
  let token: string | null = null;
  let last: number;
  do {
    const answer = await askPage(client, asked, { body, token, signal });
    last = sums.add(answer['data']);
    token = nextToken(answer);
    if (token !== null && (seen.has(token) || seen.size >= MOST_PAGES)) {
      throw pagingError(asked, `page ${seen.size + 2} is one that was seen before`);
    }
    if (token !== null) seen.add(token);
  } while (token !== null);
  return sums.answered(last);
}

interface PageRequest {
  readonly body: object;
  readonly token: string | null;
  readonly signal: AbortSignal;
}

async function askPage(
  client: CcloudClient,
  asked: AskedMetric,
  { body, token, signal }: PageRequest,
): Promise<JsonObject> {
  const query = token === null ? {} : { page_token: token };
  try {
    // A point may be NaN, which is no JSON: numbers come as text.
    const request = { path: PATH, query, body, exactNumbers: true, needs: 'the role MetricsViewer' };
    return await client.post(request, signal);
  } catch (cause) {
    const expired = ChargebackError.isInstance(cause) && cause.code === 'CB_SOURCE_REQUEST' && token !== null;
    throw expired ? pagingError(asked, cause.message) : cause;
  }
}

function nextToken({ meta }: JsonObject): string | null {
  const pagination = isJsonObject(meta) ? meta['pagination'] : null;
  const token = isJsonObject(pagination) ? pagination['next_page_token'] : null;
  return typeof token === 'string' && token !== '' ? token : null;
}

function pagingError({ apiName }: AskedMetric, what: string): ChargebackError {
  return new ChargebackError('CB_SOURCE_PAGING', `the Metrics API's pages on ${apiName}: ${what}`);
}

/**
 * A day's usage from an answer. An hour that was asked for and has no point is an hour without traffic; hours
 * that could not be asked for, and those with unusable points, lower the coverage; so does usage of no resource.
 */
export function dayOf(metric: UsageMetric, { date, hours }: AskedHours, answered: AnsweredHours): UsageDay {
  const asked = (hours.end.getTime() - hours.start.getTime()) / MILLISECONDS_PER_HOUR;
  let coverage = { samplesSeen: asked - answered.badHours.size, samplesExpected: HOURS_PER_DAY };
  const problems: Problem[] = [];
  if (answered.badPoints > 0) {
    const points = answered.badPoints === 1 ? 'point' : 'points';
    const message = `${metric.key}: ${answered.badPoints} ${points} set aside, such as ${answered.example}`;
    const fix = 'Nothing to configure: the Metrics API answered so; the coverage is lowered by those hours.';
    problems.push(makeProblem('CB_METRICS_SAMPLE', message, { date, path: metric.key, fix }));
  }
  if (hasMisplacedUsage(answered.totals)) coverage = notWhole(coverage);
  if (answered.nameless.size > 0) problems.push(namelessProblem(metric, date, answered.nameless));
  if (answered.truncatedAt !== null) {
    coverage = notWhole(coverage);
    problems.push(truncationProblem(metric.key, date, answered.truncatedAt));
  }
  return {
    date,
    queryKey: metric.key,
    totals: answered.totals,
    coverage,
    outcome: isComplete(coverage) ? 'complete' : 'partial',
    problems,
  };
}

/**
 * Usage of nobody stays with its resource and goes to UNALLOCATED, so that nobody else bears it. Usage of no
 * resource is kept under that name, where no line looks for it: it takes no part in any split, and the day is not
 * whole without it.
 */
function namelessProblem(
  { key, resourceField }: UsageMetric,
  date: IsoDate,
  nameless: AnsweredHours['nameless'],
): Problem {
  const told = [...nameless].toSorted().map(([field, count]) => {
    const end =
      field === resourceField
        ? 'they take part in no split and the day is not whole'
        : 'their usage goes to UNALLOCATED';
    return `points without ${field}: ${count}, ${end}`;
  });
  const fix = 'Nothing to configure: the Metrics API answered so; ask Confluent if it stays.';
  return makeProblem('CB_METRICS_LABEL', `${key}: ${told.join('; ')}`, { date, path: key, fix });
}
