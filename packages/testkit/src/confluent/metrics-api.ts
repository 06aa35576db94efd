import { MILLISECONDS_PER_DAY, MILLISECONDS_PER_HOUR } from '@chargeback/plugin-api';
import type { Labels, SeriesDefinition } from '../simulator/metric-definition.ts';
import { labelsKey, type MetricsModel } from '../simulator/metrics-model.ts';
import { bytesAnswer, type SimulatorAnswer } from '../simulator/simulator-request.ts';
import { type ConfluentRequest, offsetOf, Refusal, tokenOf } from './api-answer.ts';
import { SAMPLE_SECONDS } from './confluent-metrics.ts';
import { type MetricsQuery, readMetricsQuery } from './metrics-query.ts';

/** How long the vendor keeps what it measured. */
const RETENTION = 7 * MILLISECONDS_PER_DAY;
const SAMPLE = SAMPLE_SECONDS * 1000;

/**
 * `POST /v2/metrics/cloud/query` over what the export shows, of which the vendor itself misses nothing in an
 * outage of the metrics server. A page holds `limit` points, or groups where the answer is grouped.
 */
export function createMetricsApi(
  model: MetricsModel,
): (request: ConfluentRequest, now: Date) => SimulatorAnswer {
  // The pages of one query are asked for one after another.
  let last: { key: string; items: readonly string[] } | null = null;
  return (request, now) => {
    const query = readMetricsQuery(request.body);
    const token = request.query['page_token'];
    const from = token === undefined ? 0 : offsetOf(token);
    const key = `${now.getTime()} ${request.body}`;
    if (last?.key !== key) last = { key, items: itemsOf(model, query, now) };
    if (from > last.items.length) throw new Refusal(400, 'invalid_page_token', 'the page token has expired');
    const to = from + query.limit;
    const next = to < last.items.length ? { next_page_token: tokenOf(to) } : {};
    const meta = JSON.stringify({ pagination: { page_size: query.limit, ...next } });
    const text = `{"data":[${last.items.slice(from, to).join(',')}],"meta":${meta}}`;
    return bytesAnswer(200, new TextEncoder().encode(text));
  };
}

interface Group {
  readonly labels: Labels;
  readonly series: SeriesDefinition[];
}

function itemsOf(model: MetricsModel, query: MetricsQuery, now: Date): string[] {
  const metric = model.metrics.find(({ name }) => name === query.metric);
  if (!metric) throw new Refusal(400, 'invalid_query', `the metric ${query.metric} does not exist`);
  const groups = new Map<string, Group>();
  for (const series of metric.series) {
    if (!query.matches(series.labels)) continue;
    const labels = Object.fromEntries(
      query.groupBy.map(({ field, label }) => [field, series.labels[label] ?? '']),
    );
    const key = labelsKey(labels);
    const group = groups.get(key);
    if (group) group.series.push(series);
    else groups.set(key, { labels, series: [series] });
  }
  return [...groups.values()].flatMap(({ labels, series }) => {
    const head = JSON.stringify(labels).slice(1, -1);
    const prefix = head === '' ? '' : `${head},`;
    const points = pointsOf(model, series, { query, now });
    if (points.length === 0) return [];
    if (query.grouped) return [`{${prefix}"points":[${points.map((point) => `{${point}}`).join(',')}]}`];
    return points.map((point) => `{${prefix}${point}}`);
  });
}

function pointsOf(
  { window }: MetricsModel,
  series: readonly SeriesDefinition[],
  { query, now }: { query: MetricsQuery; now: Date },
): string[] {
  const points: string[] = [];
  const oldest = Math.max(now.getTime() - RETENTION, window.start.getTime());
  const newest = Math.min(now.getTime(), window.end.getTime());
  for (let time = query.from; time < query.to; time += query.granularity) {
    let value = 0;
    let seen = false;
    for (const { at, starts, ends } of series) {
      const from = Math.max(time, oldest, starts?.getTime() ?? -Infinity);
      const to = Math.min(time + query.granularity, query.to, newest, ends?.getTime() ?? Infinity);
      if (from >= to) continue;
      seen = true;
      value += sumOf(at, from, to);
    }
    if (seen) points.push(`"timestamp":"${new Date(time).toISOString()}","value":${value}`);
  }
  return points;
}

/** The sum of the samples of each minute of a span. */
function sumOf(at: SeriesDefinition['at'], from: number, to: number): number {
  let sum = 0;
  for (let time = from; time < to;) {
    const hour = Math.floor(time / MILLISECONDS_PER_HOUR);
    const until = Math.min(to, (hour + 1) * MILLISECONDS_PER_HOUR);
    sum += at(hour) * (Math.floor(until / SAMPLE) - Math.floor(time / SAMPLE));
    time = until;
  }
  return sum;
}
