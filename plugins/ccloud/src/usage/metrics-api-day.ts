import { compareKeys } from '@chargeback/money';
import {
  ChargebackError,
  isComplete,
  type IsoDate,
  makeProblem,
  MILLISECONDS_PER_HOUR,
  type Problem,
  type UsageDay,
  type UsageTotals,
  type Window,
} from '@chargeback/plugin-api';
import type { CcloudClient } from '../http/ccloud-client.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../http/parse-json.ts';
import { MOST_POINTS, notWhole, truncationProblem } from './truncation.ts';
import type { UsageMetric } from './usage-metrics.ts';

const PATH = '/v2/metrics/cloud/query';
/** Groups in one answer, the most that the API gives. With the hours of a day far below {@link MOST_POINTS}. */
const GROUPS_PER_PAGE = 1000;
const MOST_PAGES = 10_000;
const HOURS_PER_DAY = 24;

/** A measure and which of its metrics to ask for. */
export interface AskedMetric {
  readonly metric: UsageMetric;
  readonly apiName: string;
}

export interface AskedHours {
  readonly date: IsoDate;
  /** Whole hours of the day. */
  readonly hours: Window;
  readonly signal: AbortSignal;
}

/** Totals of the hours asked for, and what was odd about the points. */
export interface AnsweredHours {
  readonly totals: UsageTotals;
  /** Hours with a point that is no usable number. */
  readonly badHours: ReadonlySet<number>;
  readonly badPoints: number;
  readonly example: string | null;
  /** Points of the answer that ended the listing, or of the listing where it stops at the vendor's limit. */
  readonly truncatedAt: number | null;
}

/**
 * Asks for a metric by hour, resource and identity, page by page. A page token may expire on the way: the walk
 * begins anew once.
 * @throws {ChargebackError} `CB_SOURCE_` codes, and `CB_METRICS_LABEL` for a point that names nobody.
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

/** Adds points up per resource and identity. */
class HourSums {
  readonly #asked: AskedMetric;
  readonly #hours: Window;
  readonly #sums = new Map<string, Map<string, number>>();
  readonly #badHours = new Set<number>();
  #badPoints = 0;
  #example: string | null = null;
  #points = 0;

  constructor(asked: AskedMetric, hours: Window) {
    this.#asked = asked;
    this.#hours = hours;
  }

  /** Takes a page in either of the two shapes that the API answers in and returns how many points it held. */
  add(data: JsonValue | undefined): number {
    if (data !== null && !Array.isArray(data)) throw this.#unusable('it has no list "data"');
    const { resourceField, identityField } = this.#asked.metric;
    const before = this.#points;
    for (const item of data ?? []) {
      if (!isJsonObject(item)) throw this.#unusable('an item of "data" is not an object');
      const resourceId = this.#label(item, resourceField);
      const identityId = this.#label(item, identityField);
      const points = item['points'];
      for (const point of Array.isArray(points) ? points : [item]) {
        if (!isJsonObject(point)) throw this.#unusable('a point is not an object');
        this.#addPoint(point, resourceId, identityId);
      }
    }
    return this.#points - before;
  }

  answered(lastPage: number): AnsweredHours {
    const truncated = lastPage >= MOST_POINTS || this.#points === MOST_POINTS;
    return {
      totals: this.#totals(),
      badHours: this.#badHours,
      badPoints: this.#badPoints,
      example: this.#example,
      truncatedAt: truncated ? this.#points : null,
    };
  }

  #addPoint(point: JsonObject, resourceId: string, identityId: string): void {
    this.#points += 1;
    const hour = this.#hourOf(point['timestamp']);
    const value = numberOf(point['value']);
    if (!Number.isFinite(value) || value < 0) {
      this.#badHours.add(hour);
      this.#badPoints += 1;
      this.#example ??= `${String(point['value'])} of ${identityId} on ${resourceId}`;
      return;
    }
    let ofResource = this.#sums.get(resourceId);
    if (!ofResource) this.#sums.set(resourceId, (ofResource = new Map()));
    ofResource.set(identityId, (ofResource.get(identityId) ?? 0) + value);
  }

  #hourOf(timestamp: JsonValue | undefined): number {
    const time = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
    const { start, end } = this.#hours;
    if (!(time >= start.getTime() && time < end.getTime())) {
      throw this.#unusable(`a point lies outside the hours asked for: ${JSON.stringify(timestamp)}`);
    }
    return Math.floor(time / MILLISECONDS_PER_HOUR);
  }

  #label(item: JsonObject, field: string): string {
    const value = item[field];
    if (typeof value === 'string' && value !== '') return value;
    const message = `a point of ${this.#asked.apiName} does not name its ${field}`;
    const fix = 'Nothing to configure: run again, and ask Confluent if it stays.';
    throw new ChargebackError('CB_METRICS_LABEL', message, { fix });
  }

  #totals(): UsageTotals {
    const resourceIds: string[] = [];
    const identityIds: string[] = [];
    const values: number[] = [];
    for (const [resourceId, sums] of [...this.#sums].toSorted(([left], [right]) =>
      compareKeys(left, right),
    )) {
      for (const [identityId, value] of [...sums].toSorted(([left], [right]) => compareKeys(left, right))) {
        resourceIds.push(resourceId);
        identityIds.push(identityId);
        values.push(value);
      }
    }
    return { resourceIds, identityIds, values };
  }

  #unusable(what: string): ChargebackError {
    return new ChargebackError(
      'CB_SOURCE_ANSWER',
      `the Metrics API's answer on ${this.#asked.apiName} cannot be understood: ${what}`,
    );
  }
}

function numberOf(value: JsonValue | undefined): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}

function pagingError({ apiName }: AskedMetric, what: string): ChargebackError {
  return new ChargebackError('CB_SOURCE_PAGING', `the Metrics API's pages on ${apiName}: ${what}`);
}

/**
 * A day's usage from an answer. An hour that was asked for and has no point is an hour without traffic; hours
 * that could not be asked for, and those with unusable points, lower the coverage.
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
