import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MetricsSource, UsageDay, UsageQuery, Window } from '@chargeback/plugin-api';
import { routesOf } from './products-support.ts';

export function days(first: string, count: number): Window {
  const start = new Date(`${first}T00:00:00Z`);
  return { start, end: new Date(start.getTime() + count * 86_400_000) };
}

/** The queries of the product table, one of each. */
export function queriesOf(
  metricsSource: 'prometheus' | 'ccloud_metrics_api',
  keys: readonly string[] = ['bytes_in', 'bytes_out', 'flink_cfu'],
): UsageQuery[] {
  const { routes } = routesOf({ routes: { metricsSource } });
  const queries = new Map(routes.flatMap(({ usage }) => usage).map((query) => [query.key, query]));
  return keys.map((key) => queries.get(key)!);
}

export async function ask(
  source: MetricsSource,
  queries: readonly UsageQuery[],
  window: Window,
): Promise<Map<string, UsageDay>> {
  const answered = new Map<string, UsageDay>();
  for await (const day of source.usage(queries, window, new AbortController().signal)) {
    const key = `${day.date} ${day.queryKey}`;
    if (answered.has(key)) throw new Error(`${key} was answered twice`);
    answered.set(key, day);
  }
  return answered;
}

/** `resource name value` of each total, in their order. */
export function totalsOf({ totals }: UsageDay): string[] {
  return totals.identityIds.map((name, index) =>
    [totals.resourceIds?.[index] ?? '-', name, totals.values[index]].join(' '),
  );
}

/** One point of the Metrics API: value is JSON text, so that it may be NaN. */
export interface Point {
  readonly labels: Readonly<Record<string, string>>;
  readonly timestamp: string;
  readonly value: string;
}

export interface MetricsApiRequest {
  readonly metric: string;
  readonly groupBy: readonly string[];
  readonly granularity: string;
  readonly start: Date;
  readonly end: Date;
  readonly limit: number;
  readonly token: string | null;
  readonly authorization: string;
}

export interface MetricsApiServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: MetricsApiRequest[];
}

export type Reply = { status: number; body: string } | null;

/**
 * A server of the Metrics API's query endpoint: groups in pages of the limit asked for, in order of their labels.
 * `react` may answer in its place.
 */
export async function serveMetricsApi(
  pointsOf: (metric: string) => readonly Point[] | null,
  options: { react?: (request: MetricsApiRequest, number: number) => Reply; grouped?: boolean } = {},
): Promise<MetricsApiServer> {
  const requests: MetricsApiRequest[] = [];
  const server = createServer((incoming, response) => {
    let text = '';
    incoming.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    incoming.on('end', () => {
      const request = readRequest(incoming.url ?? '', text, incoming.headers.authorization ?? '');
      requests.push(request);
      const reply = options.react?.(request, requests.length) ?? answer(request, pointsOf, options.grouped);
      response.writeHead(reply.status, { 'content-type': 'application/json' });
      response.end(reply.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function readRequest(url: string, text: string, authorization: string): MetricsApiRequest {
  const { pathname, searchParams } = new URL(url, 'http://server');
  if (pathname !== '/v2/metrics/cloud/query') throw new Error(`unexpected path ${pathname}`);
  const body = JSON.parse(text) as Record<string, unknown> & {
    aggregations: { metric: string }[];
    group_by: string[];
    intervals: string[];
  };
  const [start = '', end = ''] = body.intervals[0]!.split('/');
  return {
    metric: body.aggregations[0]!.metric,
    groupBy: body.group_by,
    granularity: String(body['granularity']),
    start: new Date(start),
    end: new Date(end),
    limit: Number(body['limit']),
    token: searchParams.get('page_token'),
    authorization,
  };
}

function answer(
  request: MetricsApiRequest,
  pointsOf: (metric: string) => readonly Point[] | null,
  grouped = false,
): { status: number; body: string } {
  const all = pointsOf(request.metric);
  if (!all) {
    return {
      status: 400,
      body: JSON.stringify({ errors: [{ detail: `unknown metric ${request.metric}` }] }),
    };
  }
  const inside = all.filter(({ timestamp }) => {
    const time = new Date(timestamp);
    return time >= request.start && time < request.end;
  });
  const groups = [...Map.groupBy(inside, ({ labels }) => JSON.stringify(labels))].toSorted(
    ([left], [right]) => (left < right ? -1 : 1),
  );
  const offset = Number(request.token ?? 0);
  const page = groups.slice(offset, offset + request.limit);
  const more = offset + request.limit < groups.length;
  const label = (labels: Point['labels']) => JSON.stringify(labels).slice(1, -1);
  const point = ({ timestamp, value }: Point) => `"timestamp":"${timestamp}","value":${value}`;
  const items = page.flatMap(([, points]) =>
    grouped
      ? [`{${label(points[0]!.labels)},"points":[${points.map((one) => `{${point(one)}}`).join(',')}]}`]
      : points.map((one) => `{${label(one.labels)},${point(one)}}`),
  );
  const next = more ? `,"next_page_token":"${offset + request.limit}"` : '';
  return {
    status: 200,
    body: `{"data":[${items.join(',')}],"meta":{"pagination":{"page_size":${request.limit}${next}}}}`,
  };
}
