import { setTimeout as pause } from 'node:timers/promises';
import { ChargebackError, type Finding, type Logger } from '@chargeback/plugin-api';
import {
  createPrometheusClient,
  metricsConnectionSchema,
  type PrometheusClient,
} from '@chargeback/prometheus';
import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { doctor, type DoctorOptions } from '../src/doctor.ts';
import { queriesOf } from '../src/queries.ts';
import { settingsSchema } from '../src/settings.ts';
import { settingsWith } from './support.ts';

const real = requireReal('the doctor against a real Prometheus', process.env);
const GIB = 1_073_741_824;
const NOW = new Date('2026-03-01T12:00:00Z');
const MINUTES = 120;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

type Labels = Readonly<Record<string, string>>;

/** The samples of one series of a cluster: two hours, one a minute, up to now. */
function* series(metric: string, labels: Labels, value: (minute: number) => number): Iterable<string> {
  const text = Object.entries(labels).map(([name, one]) => `${name}=${JSON.stringify(one)}`);
  for (let minute = 0; minute <= MINUTES; minute += 1) {
    const time = NOW.getTime() / 1000 - (MINUTES - minute) * 60;
    yield `${metric}{${text.join(',')}} ${value(minute)} ${time}\n`;
  }
}

const BROKERS = ['1', '2', '3'];
const TOPICS = ['orders', 'payments'];

interface ByteCounters {
  readonly cluster: string;
  readonly metric: string;
  /** GiB an hour of each topic on each broker. */
  readonly rate: number;
  readonly exported?: readonly string[];
  readonly aggregate?: boolean;
  readonly extra?: Labels;
}

function* byteCounters({
  cluster,
  metric,
  rate,
  exported = TOPICS,
  aggregate = true,
  extra = {},
}: ByteCounters): Iterable<string> {
  const counter =
    (perHour: number) =>
    (minute: number): number =>
      (perHour * GIB * minute) / 60;
  for (const broker of BROKERS) {
    const labels = { cluster, instance: `broker-${broker}:7071`, ...extra };
    for (const topic of exported) yield* series(metric, { ...labels, topic }, counter(rate));
    if (aggregate) yield* series(metric, labels, counter(rate * TOPICS.length));
  }
}

/** Two partitions of 1 GiB for each topic, the first on all three brokers, the second on one. */
function* logSize(cluster: string): Iterable<string> {
  for (const topic of TOPICS) {
    for (const broker of BROKERS) {
      const labels = { cluster, instance: `broker-${broker}:7071`, topic };
      yield* series('kafka_log_log_size', { ...labels, partition: '0' }, () => GIB);
      if (broker === '1') yield* series('kafka_log_log_size', { ...labels, partition: '1' }, () => GIB);
    }
  }
}

const JMX = 'kafka_server_brokertopicmetrics';
const both = (suffix: string): string[] => [`${JMX}_bytesin${suffix}`, `${JMX}_bytesout${suffix}`];

function* dataSets(): Iterable<string> {
  for (const metric of both('_total')) {
    yield* byteCounters({ cluster: 'jmx', metric, rate: 1 });
    yield* byteCounters({ cluster: 'no-aggregate', metric, rate: 1, aggregate: false });
    yield* byteCounters({ cluster: 'only-aggregate', metric, rate: 1, exported: [] });
    yield* byteCounters({ cluster: 'filtered', metric, rate: 1, exported: ['orders'] });
    yield* byteCounters({ cluster: 'quiet', metric, rate: 0 });
    for (const job of ['agent', 'operator'])
      yield* byteCounters({ cluster: 'twice', metric, rate: 1, extra: { job } });
    for (const principal of ['User:alice', 'User:bob']) {
      yield* series(metric, { cluster: 'gateway', principal }, (minute) => minute * 1000);
    }
  }
  yield* byteCounters({ cluster: 'half', metric: both('_total')[0]!, rate: 1 });
  for (const metric of both('persec_total')) yield* byteCounters({ cluster: 'strimzi', metric, rate: 2 });
  for (const metric of both('persec')) yield* byteCounters({ cluster: 'stacks', metric, rate: 3 });
  for (const cluster of ['jmx', 'strimzi', 'stacks']) yield* logSize(cluster);
  for (const topic_name of TOPICS) {
    yield* series(
      'kminion_kafka_topic_log_dir_size_total_bytes',
      { cluster: 'kminion', topic_name },
      () => 2 * GIB,
    );
  }
  for (const user of ['alice', 'bob', 'carol', 'dave']) {
    for (const resource of ['Produce', 'Fetch']) {
      const labels = { resource, user, clientId: 'app' };
      yield* series('kafka_server_quota_byte_rate', { cluster: 'jmx', ...labels }, () => 100);
      yield* series('kafka_server_quota_byte_rate', { cluster: 'kminion', ...labels }, () => 100);
    }
    yield* series('kafka_server_produce_byte_rate', { cluster: 'stacks', user }, () => 100);
  }
  for (const metric of both('_total')) yield* byteCounters({ cluster: 'mixed', metric, rate: 1 });
  for (const metric of ['kafka_server_produce_byte_rate', 'kafka_server_fetch_byte_rate'])
    yield* series(metric, { cluster: 'mixed', client_id: 'app' }, () => 100);
  yield* series('kafka_server_fetch_byte_rate', { cluster: 'stacks', user: 'alice' }, () => 100);
  yield* series('kafka_server_fetch_byte_rate', { cluster: 'stacks', client_id: 'unnamed' }, () => 100);
  yield '# EOF\n';
}

function clientOf(url: string, connection: object = {}): PrometheusClient {
  return createPrometheusClient(metricsConnectionSchema.parse({ url, max_attempts: 1, ...connection }), {
    createFetch: () => globalThis.fetch,
    clock: () => NOW,
    random: () => 0.5,
    sleep: async (milliseconds, signal) => void (await pause(milliseconds, undefined, { signal })),
    logger: silent,
  });
}

const examine = (client: PrometheusClient, selector: string, more: Partial<DoctorOptions> = {}) =>
  doctor({ client, selector, clock: () => NOW, signal: new AbortController().signal, ...more });

type Settings = Record<string, unknown>;

/** As somebody does who pastes one piece of YAML after another below the same keys. */
function merge(all: Settings, more: Settings): Settings {
  const merged = { ...all };
  for (const [key, value] of Object.entries(more)) {
    const nested = typeof value === 'object' && typeof merged[key] === 'object';
    merged[key] = nested ? merge(merged[key] as Settings, value as Settings) : value;
  }
  return merged;
}

describe.skipIf(!real)('the doctor of a real Prometheus', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  let client: PrometheusClient;
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: [...dataSets()].join('') });
    client = clientOf(prometheus.url);
  });
  afterAll(async () => prometheus?.stop());

  async function findings(
    cluster: string,
    more: Partial<DoctorOptions> = {},
  ): Promise<(what: string) => Finding[]> {
    const found = await examine(client, `cluster="${cluster}"`, more);
    return (what) => found.filter((finding) => finding.what.includes(what));
  }

  it.each([
    ['jmx', 'jmx_exporter', '_total', 'add up to 6 GiB, 100 % of the aggregate (6 GiB)'],
    ['strimzi', 'strimzi', 'persec_total', 'add up to 12 GiB, 100 % of the aggregate (12 GiB)'],
    ['stacks', 'jmx_monitoring_stacks', 'persec', 'add up to 18 GiB, 100 % of the aggregate (18 GiB)'],
  ])(
    'finds the family of %s, and that its topics add up to the aggregate',
    async (cluster, preset, suffix, sum) => {
      const about = await findings(cluster);
      expect(about('metric families')).toMatchObject([{ severity: 'ok', yaml: `metric_preset: ${preset}` }]);
      for (const metric of both(suffix)) {
        const [finding, ...others] = about('brokertopicmetrics').filter(({ what }) => what === metric);
        expect(others).toEqual([]);
        expect(finding).toMatchObject({ severity: 'ok', evidence: expect.stringContaining(sum) });
        expect(finding!.evidence).toContain('6 series per topic and 3 aggregates');
        expect(finding!.advice).toContain('twice');
      }
    },
  );

  it('finds kminion, which counts no traffic, and bills from quota metrics', async () => {
    const about = await findings('kminion');
    expect(about('metric families')).toMatchObject([
      { severity: 'ok', yaml: 'metric_preset: kminion', advice: expect.stringContaining('quota') },
    ]);
    expect(about('brokertopicmetrics')).toEqual([]);
    expect(about('stored bytes')).toMatchObject([
      { severity: 'ok', evidence: expect.stringContaining('4 GiB on disk, all replicas together') },
    ]);
    expect(about('per principal')).toMatchObject([{ severity: 'ok' }]);
  });

  it('says that there is no aggregate to be afraid of', async () => {
    const about = await findings('no-aggregate');
    const evidence = '6 series per topic, no aggregate of all';
    expect(about('bytesin_total')).toMatchObject([{ severity: 'ok', evidence, advice: '' }]);
  });

  it('says that the presets would bill nothing where there is only an aggregate', async () => {
    const about = await findings('only-aggregate');
    expect(about('bytesin_total')).toMatchObject([{ severity: 'error' }]);
    const [queries, ...others] = about('queries');
    expect(others).toEqual([]);
    // Both directions in one block that YAML takes.
    const written = parse(queries!.yaml!) as { queries: Record<string, string> };
    expect(Object.keys(written.queries)).toEqual(['cluster_bytes_in', 'cluster_bytes_out']);
    expect(written.queries['cluster_bytes_in']).toContain('cluster="only-aggregate",topic=""');
  });

  it('warns when the topics do not add up to the aggregate', async () => {
    const about = await findings('filtered');
    const [finding] = about('bytesout_total');
    expect(finding).toMatchObject({ severity: 'warning' });
    expect(finding!.evidence).toContain('3 GiB, 50 % of the aggregate (6 GiB)');
    expect(about('queries')[0]!.yaml).toContain('cluster_bytes_out');
  });

  it('does not call silence agreement', async () => {
    const [finding] = (await findings('quiet'))('bytesin_total');
    expect(finding).toMatchObject({ severity: 'warning', evidence: expect.stringContaining('no traffic') });
  });

  it('calls for the direction that is not exported', async () => {
    const found = (await findings('half'))('metric families').map(({ severity, evidence }) => [
      severity,
      evidence,
    ]);
    expect(found[0]).toEqual(['error', expect.stringContaining('bytesout_total is not')]);
  });

  it.each([
    ['jmx', 'kafka_server_quota_byte_rate', 'user has 4 values, such as alice, bob, carol', 'ok'],
    ['stacks', 'kafka_server_produce_byte_rate', 'user has 4 values', 'ok'],
    [
      'stacks',
      'kafka_server_fetch_byte_rate',
      'user has 1 value, such as alice; 1 series without it',
      'warning',
    ],
    [
      'gateway',
      'kafka_server_brokertopicmetrics_bytesin_total',
      'principal has 2 values, such as User:alice, User:bob',
      'ok',
    ],
  ])('in %s finds the principals of %s', async (cluster, metric, evidence, severity) => {
    const about = await findings(cluster);
    const found = about('per principal').filter((finding) => finding.evidence.startsWith(`${metric}:`));
    expect(found).toMatchObject([{ severity, evidence: expect.stringContaining(evidence) }]);
    const [first] = about('per principal');
    expect(first!.yaml).toBe('identity_source:\n  source: prometheus');
  });

  it('says how to make principals visible where no series has any', async () => {
    const [finding, ...others] = (await findings('strimzi'))('per principal');
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      severity: 'warning',
      advice: expect.stringContaining('--entity-default'),
    });
    expect(finding!.yaml).toContain('source: static');
  });

  it('counts the replicas in the log size', async () => {
    // 2 topics × (3 replicas of one partition + 1 of the other) = 8 GiB of 4 GiB of data.
    const [finding] = (await findings('jmx'))('stored bytes');
    expect(finding).toMatchObject({
      severity: 'ok',
      advice: expect.stringContaining('Replicas are counted'),
    });
    expect(finding!.evidence).toContain(
      '8 GiB on disk, each byte 2.00 times on average (replicas, at most 3)',
    );
  });

  it('misses the log size where there is none', async () => {
    const [finding] = (await findings('filtered'))('stored bytes');
    expect(finding).toMatchObject({ severity: 'error', evidence: 'kafka_log_log_size is not there' });
  });

  it('asks for a selector when several clusters are in one Prometheus', async () => {
    const found = await examine(client, '');
    const selector = found.find(({ what }) => what === 'selector');
    expect(selector).toMatchObject({
      severity: 'warning',
      evidence: expect.stringContaining('cluster has 9 values'),
    });
    expect(selector!.yaml).toMatch(/^selector: "cluster=\\"[a-z-]+\\""$/);
  });

  it('names the labels of a single cluster, and the jobs that scrape its brokers twice', async () => {
    expect((await findings('jmx'))('selector')).toMatchObject([
      { severity: 'ok', evidence: 'one cluster with cluster="jmx"; labels: cluster, instance, topic' },
    ]);
    expect((await findings('twice'))('selector')).toMatchObject([
      { severity: 'warning', evidence: expect.stringContaining('job has 2 values, such as agent, operator') },
    ]);
  });

  it('reads a selector with braces and one that finds nothing', async () => {
    const found = await examine(client, ' {cluster="jmx",} ');
    expect(found).toEqual(await examine(client, 'cluster="jmx"'));
    expect(found.every(({ severity }) => severity === 'ok')).toBe(true);
    const nothing = await examine(client, '{cluster="elsewhere"}');
    expect(nothing).toMatchObject([
      { severity: 'error', evidence: expect.stringContaining('cluster="elsewhere"') },
    ]);
  });

  it('says when the configured preset is of another family', async () => {
    const about = await findings('jmx', { preset: 'strimzi' });
    expect(about('metric families')).toMatchObject([
      { severity: 'error', yaml: 'metric_preset: jmx_exporter' },
    ]);
  });

  it('tells the preset whose counters name principals from the one that reads quota metrics', async () => {
    const configured = async (cluster: string, preset: string): Promise<(string | undefined)[]> =>
      (await findings(cluster, { preset }))('metric families').map(
        ({ severity, yaml }) => `${severity} ${yaml}`,
      );
    expect(await configured('jmx', 'plain')).toEqual(['error metric_preset: jmx_exporter']);
    expect(await configured('gateway', 'plain')).toEqual(['ok metric_preset: plain']);
    expect(await configured('gateway', 'jmx_exporter')).toEqual(['error metric_preset: plain']);
  });

  it('gives queries of one’s own where principals are counted without topics', async () => {
    const about = await findings('gateway');
    const evidence = '2 series per principal, none per topic';
    expect(about('bytesin_total')).toMatchObject([{ severity: 'error', evidence }]);
    const { queries } = parse(about('queries')[0]!.yaml!) as { queries: Record<string, string> };
    expect(Object.keys(queries).toSorted()).toEqual([
      'bytes_in_per_principal',
      'bytes_out_per_principal',
      'cluster_bytes_in',
      'cluster_bytes_out',
      'principals',
    ]);
    // Who only fetches is a principal too.
    expect(queries['principals']).toMatch(/bytesin_total.* or .*bytesout_total/);
  });

  it('gives queries where the quota metrics are not those that the preset reads', async () => {
    const about = await findings('mixed');
    expect(about('per principal')[0]!.yaml).toContain('label: client_id');
    expect(about('queries')[0]!.yaml).toContain('kafka_server_produce_byte_rate');
  });

  it.each(['jmx', 'strimzi', 'stacks', 'kminion', 'gateway', 'mixed', 'only-aggregate', 'filtered'])(
    'in %s prints settings that the configuration takes, and that the next doctor has nothing to add to',
    async (cluster) => {
      const selector = `cluster="${cluster}"`;
      const found = await examine(client, selector);
      const written = found.reduce<Settings>((all, { yaml }) => merge(all, yaml ? parse(yaml) : {}), {});
      const settings = settingsSchema.parse(settingsWith({ selector, ...written }));
      const again = await examine(client, selector, { preset: settings.metric_preset });
      const families = again.filter(({ what }) => what === 'metric families');
      expect(families.map(({ severity }) => severity)).toEqual(['ok']);
      const { bytes_in_per_principal: own } = settings.queries;
      if (own === undefined) return;
      // What is printed is PromQL that answers with the label that is printed.
      const label = settings.identity_source.label ?? 'principal';
      const expression = queriesOf(settings).text('bytes_in_per_principal', 3600);
      const { series: answer } = await client.query({ expression, time: NOW }, new AbortController().signal);
      expect(answer.map(({ labels }) => labels[label]).every(Boolean)).toBe(true);
      expect(answer).not.toHaveLength(0);
    },
  );

  it('tells what the Admin API lists, and why it does not', async () => {
    const resource = {
      displayName: null,
      parentId: null,
      ownerId: null,
      createdAt: null,
      deletedAt: null,
      metadata: {},
    };
    const resources = ['broker', 'broker', 'topic'].map((resourceType, index) => ({
      ...resource,
      resourceType,
      resourceId: String(index),
    }));
    const listed = await findings('jmx', { adminSource: async () => ({ authoritativeFor: [], resources }) });
    expect(listed('Admin API')).toMatchObject([
      { severity: 'ok', evidence: '2 brokers, 1 topics', yaml: 'broker_count: 2' },
    ]);
    const refused = await findings('jmx', {
      adminSource: async () => {
        throw new ChargebackError('CB_ADMIN_AUTH', 'no entry for reader');
      },
    });
    expect(refused('Admin API')).toMatchObject([{ severity: 'error', evidence: 'no entry for reader' }]);
    expect(refused('bytesin_total')).toMatchObject([{ severity: 'ok' }]);
  });

  it('counts the brokers that are scraped, and says when others are billed', async () => {
    const brokers = (count: number) => ({
      count,
      scrapes: `max by (instance) (count_over_time(kafka_log_log_size{cluster="jmx"}[10m]))`,
      labels: ['instance'],
    });
    expect((await findings('jmx', { brokers: brokers(3) }))('brokers')).toMatchObject([{ severity: 'ok' }]);
    expect((await findings('jmx', { brokers: brokers(5) }))('brokers')).toMatchObject([
      { severity: 'warning', yaml: 'broker_count: 3', evidence: expect.stringContaining('5 are billed') },
    ]);
    const nothing = { ...brokers(3), scrapes: 'max by (instance) (nothing)' };
    expect((await findings('jmx', { brokers: nothing }))('brokers')).toMatchObject([
      { severity: 'warning', evidence: 'the query scrapes finds nothing' },
    ]);
  });

  it('asks no more than a few dozen cheap questions', async () => {
    let questions = 0;
    const counting: PrometheusClient = {
      ...client,
      query: (...parameters) => {
        questions += 1;
        return client.query(...parameters);
      },
    };
    await examine(counting, 'cluster="strimzi"');
    expect(questions).toBeLessThan(50);
  });

  it('rejects with the reason of the signal when it aborts', async () => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(examine(client, 'cluster="jmx"', { signal })).rejects.toBe(reason);
  });
});

describe('the doctor without a metrics server', () => {
  it('says why in one finding, and still asks the Admin API', async () => {
    const found = await examine(clientOf('http://127.0.0.1:1'), '', {
      adminSource: async () => ({ authoritativeFor: [], resources: [] }),
    });
    expect(found.map(({ severity, what }) => [severity, what])).toEqual([
      ['error', 'metrics server'],
      ['ok', 'Admin API'],
    ]);
    expect(found[0]!.advice).toContain('metrics.url');
  });
});
