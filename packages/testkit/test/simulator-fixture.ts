import {
  createMetricsModel,
  createSimulatorFetch,
  type MetricsModel,
  type SimulatorFetch,
} from '@chargeback/testkit';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const MIDNIGHT = Date.parse('2026-03-02T00:00:00Z');

/** An instant so many hours after the model's start. */
export function hours(count: number): Date {
  return new Date(MIDNIGHT + count * HOUR);
}

/** Two days: two principals on two hosts, and a gauge. Hour h of the model adds 60·(h + 1) for `a` on `one`. */
export function smallModel(extra: { outages?: { start: Date; end: Date }[] } = {}): MetricsModel {
  const first = MIDNIGHT / HOUR;
  return createMetricsModel({
    window: { start: hours(0), end: hours(48) },
    ...extra,
    metrics: [
      {
        name: 'bytes_total',
        kind: 'counter',
        series: [
          { labels: { principal: 'a', host: 'one' }, at: (hour) => 60 * (hour - first + 1) },
          { labels: { principal: 'a', host: 'two' }, at: () => 7 },
          { labels: { principal: 'b', host: 'one' }, at: (hour) => (hour % 2 === 0 ? 1000 : 0) },
          { labels: { principal: 'late', host: 'two' }, at: () => 600, starts: hours(30.5) },
          { labels: { principal: 'gone', host: 'two' }, at: () => 600, ends: hours(10.25) },
        ],
      },
      {
        name: 'stored_bytes',
        kind: 'gauge',
        series: [
          { labels: { principal: 'a' }, at: (hour) => 100 + (hour - first) },
          { labels: { principal: 'b' }, at: () => 0.5 },
        ],
      },
    ],
  });
}

export interface Series {
  readonly metric: Record<string, string>;
  readonly values: [number, string][];
}

export interface RangeRequest {
  readonly start: Date;
  readonly end: Date;
  readonly step?: string;
}

/** Asks the model and gives the series of the answer. */
export async function askRange(
  source: MetricsModel | SimulatorFetch,
  query: string,
  { start, end, step = '1h' }: RangeRequest,
): Promise<Series[]> {
  const fetch = typeof source === 'function' ? source : createSimulatorFetch(source);
  const body = new URLSearchParams({ query, start: start.toISOString(), end: end.toISOString(), step });
  const response = await fetch('http://metrics.test/api/v1/query_range', { method: 'POST', body });
  const answer = (await response.json()) as { status: string; error?: string; data: { result: Series[] } };
  if (answer.status !== 'success') throw new Error(answer.error);
  return answer.data.result;
}

/** The answer in short: what the series is called (its label values), and its samples by hour of the model. */
export async function askHours(
  source: MetricsModel | SimulatorFetch,
  query: string,
  request: RangeRequest,
): Promise<Record<string, Record<number, number>>> {
  const result = await askRange(source, query, request);
  return Object.fromEntries(
    result.map(({ metric, values }) => [
      Object.values(metric).join('/'),
      Object.fromEntries(
        values.map(([seconds, value]) => [(seconds * 1000 - MIDNIGHT) / HOUR, Number(value)]),
      ),
    ]),
  );
}

export function totalOf(result: readonly Series[]): number {
  return result.flatMap(({ values }) => values).reduce((sum, [, value]) => sum + Number(value), 0);
}
