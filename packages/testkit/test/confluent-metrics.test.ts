import { confluentMetrics } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { AUTHORIZATION, cloud, DAY, END, PROMETHEUS, small } from './confluent-fixture.ts';

const HOUR = 3_600_000;
const organization = small();
/** The last billed day, which the Metrics API still remembers. */
const LAST_DAY = new Date(END.getTime() - DAY);

interface Point {
  readonly timestamp: string;
  readonly value: number;
  readonly 'metric.principal_id': string;
  readonly 'resource.kafka.id': string;
}

const QUERY = {
  aggregations: [{ metric: 'io.confluent.kafka.server/request_bytes' }],
  group_by: ['resource.kafka.id', 'metric.principal_id'],
  granularity: 'PT1H',
  intervals: [`${LAST_DAY.toISOString()}/${END.toISOString()}`],
  limit: 1000,
};

type Ask = ReturnType<typeof cloud>['ask'];

async function post(ask: Ask, query: object, token?: string) {
  const path = `/v2/metrics/cloud/query${token === undefined ? '' : `?page_token=${token}`}`;
  const response = await ask(path, { method: 'POST', headers: AUTHORIZATION, body: JSON.stringify(query) });
  return { status: response.status, body: (await response.json()) as MetricsAnswer };
}

interface MetricsAnswer {
  readonly data: Point[];
  readonly meta: { readonly pagination: { readonly next_page_token?: string } };
}

async function allPoints(ask: Ask, query: object): Promise<Point[]> {
  const points: Point[] = [];
  let token: string | undefined;
  do {
    const { status, body } = await post(ask, query, token);
    expect(status).toBe(200);
    points.push(...body.data);
    token = body.meta.pagination.next_page_token;
  } while (token !== undefined);
  return points;
}

async function fromPrometheus(ask: Ask, query: string): Promise<Map<string, number>> {
  const form = {
    query,
    start: new Date(LAST_DAY.getTime() + HOUR).toISOString(),
    end: END.toISOString(),
    step: '3600',
  };
  const response = await ask(`${PROMETHEUS}/api/v1/query_range`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
  const { data } = (await response.json()) as {
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  return new Map(
    data.result.flatMap(({ metric, values }) =>
      values.map(([time, value]): [string, number] => [
        `${metric['kafka_id']} ${metric['principal_id']} ${time * 1000 - HOUR}`,
        Number(value),
      ]),
    ),
  );
}

const BY_PRINCIPAL = (range: string): string =>
  `sum by (kafka_id, principal_id) (sum_over_time(confluent_kafka_server_request_bytes[${range}]))`;

describe('what the simulated Confluent Cloud measures', () => {
  it('is the same in the Metrics API, in its Prometheus export, and in the model', async () => {
    const { ask } = cloud({ organization });
    const points = await allPoints(ask, QUERY);
    const fromApi = new Map(
      points.map((point): [string, number] => [
        `${point['resource.kafka.id']} ${point['metric.principal_id']} ${Date.parse(point.timestamp)}`,
        point.value,
      ]),
    );
    const expected = new Map(
      organization.traffic
        .filter(({ ends }) => ends === null || ends >= END)
        .flatMap(({ clusterId, principalId, bytesIn }) =>
          Array.from({ length: 24 }, (_, index): [string, number] => {
            const time = LAST_DAY.getTime() + index * HOUR;
            return [`${clusterId} ${principalId} ${time}`, 60 * bytesIn(time / HOUR)];
          }),
        ),
    );
    expect(expected.size).toBeGreaterThan(24 * 60);
    expect(fromApi).toEqual(expected);
    expect(await fromPrometheus(ask, BY_PRINCIPAL('1h'))).toEqual(expected);
    // A minute before the hour is not counted twice, whatever the server's version.
    expect(await fromPrometheus(ask, BY_PRINCIPAL('3599999ms'))).toEqual(expected);
  });

  it('is forgotten by the Metrics API after seven days', async () => {
    const { ask } = cloud({ organization, clock: () => new Date(END.getTime() + 6.5 * DAY) });
    const times = (await allPoints(ask, QUERY)).map(({ timestamp }) => Date.parse(timestamp));
    expect(Math.min(...times)).toBe(LAST_DAY.getTime() + 12 * HOUR);
    const old = [`2026-06-10T00:00:00Z/2026-06-11T00:00:00Z`];
    expect(await allPoints(ask, { ...QUERY, intervals: old })).toEqual([]);
  });

  it('comes in pages, in groups, filtered and in other granularities', async () => {
    const { ask } = cloud({ organization });
    const { id } = organization.clusters[0]!;
    const filter = { field: 'resource.kafka.id', op: 'EQ', value: id };
    const filtered = await allPoints(ask, { ...QUERY, limit: 7, filter: { op: 'OR', filters: [filter] } });
    expect(new Set(filtered.map((point) => point['resource.kafka.id']))).toEqual(new Set([id]));
    const perDay = await allPoints(ask, { ...QUERY, granularity: 'P1D', filter });
    const sum = (points: readonly Point[]): number => points.reduce((total, { value }) => total + value, 0);
    expect(sum(perDay)).toBe(sum(filtered));
    expect(filtered).toHaveLength(perDay.length * 24);
    const grouped = await post(ask, { ...QUERY, filter, format: 'GROUPED' });
    expect(grouped.body.data).toHaveLength(perDay.length);
    const minute = [`${LAST_DAY.toISOString()}/${new Date(LAST_DAY.getTime() + HOUR).toISOString()}`];
    const minutes = await allPoints(ask, { ...QUERY, granularity: 'PT1M', intervals: minute, filter });
    expect(minutes).toHaveLength(perDay.length * 60);
  });

  it.each([
    ['an unknown metric', { aggregations: [{ metric: 'io.confluent.kafka.server/nothing' }] }],
    ['two metrics', { aggregations: [{ metric: 'a' }, { metric: 'b' }] }],
    ['an unknown field', { group_by: ['metric.topic'] }],
    ['a limit beyond 1,000', { limit: 1001 }],
    ['an unknown granularity', { granularity: 'PT2H' }],
    ['minutes of more than six hours', { granularity: 'PT1M' }],
    ['no interval', { intervals: [] }],
  ])('is not told for %s', async (_what, change) => {
    const { status } = await post(cloud({ organization }).ask, { ...QUERY, ...change });
    expect(status).toBe(400);
  });

  it('names a user, a key and a statement that no listing knows', () => {
    const { metrics } = confluentMetrics(organization);
    const labels = (name: string, label: string): (string | undefined)[] =>
      metrics.find((metric) => metric.name === name)!.series.map((series) => series.labels[label]);
    const principals = labels('confluent_kafka_server_request_bytes', 'principal_id');
    expect(principals).toContain(organization.users[0]!.id);
    expect(principals.some((id) => organization.apiKeys.some((key) => key.id === id))).toBe(true);
    const statements = labels('confluent_flink_num_cfu', 'flink_statement_name');
    expect(statements.some((name) => organization.statements.every((one) => one.displayName !== name))).toBe(
      true,
    );
  });

  it('has gaps where the metrics server did not scrape, of which the vendor knows nothing', async () => {
    const outage = { start: LAST_DAY, end: new Date(LAST_DAY.getTime() + 2 * HOUR) };
    const { ask } = cloud({ organization, metrics: confluentMetrics(organization, { outages: [outage] }) });
    const scraped = await fromPrometheus(ask, BY_PRINCIPAL('1h'));
    const points = await allPoints(ask, QUERY);
    expect(points.length * 22).toBe(scraped.size * 24);
  });

  it('leaves out the series beyond the limit of the export', () => {
    const { metrics } = confluentMetrics(organization, { pointLimit: 5 });
    expect(Math.max(...metrics.map(({ series }) => series.length))).toBe(5);
  });
});
