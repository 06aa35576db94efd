import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  chargeback,
  type CsvRow,
  filesIn,
  parseCsv,
  repository,
  temporaryFolder,
  unitsOf,
} from './support.ts';
import {
  bytesByPrincipal,
  DIRECTIONS,
  FAMILIES,
  familiesText,
  storedByTopic,
  sum,
} from '../../../plugins/self-managed-kafka/test/traffic.ts';

const real = requireReal('billing a self-managed Kafka cluster from a real Prometheus', process.env);

const DAY = 86_400;
const GIB = 2 ** 30;
const SPACING = 300;
const firstDay = (Math.floor(Date.now() / 1000 / DAY) - 3) * DAY;
const SPECIFIED = {
  compute_hourly_rate: '0.50',
  storage_per_gib_hourly: '0.0001',
  network_ingress_per_gib: '0.01',
  network_egress_per_gib: '0.02',
};

interface Run {
  readonly tenant: string;
  readonly dates_calculated: number;
  readonly dates_held: number;
  readonly problems: readonly { code: string; severity: string; message: string; date: string }[];
}

/** A configuration file with some tenants in a folder of its own, and what running it gives. */
async function workplace(url: string, tenants: Readonly<Record<string, object>>, lookbackDays = 3) {
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'config.yaml');
  const entries = Object.entries(tenants).map(([name, settings]) => [
    name,
    {
      ecosystem: 'self_managed_kafka',
      tenant_id: name,
      lookback_days: lookbackDays,
      cutoff_days: 1,
      storage: { connection_string: `sqlite:///${path.join(folder.path, `${name}.db`)}` },
      plugin_settings: {
        cluster_id: 'kafka-1',
        broker_count: 3,
        cost_model: SPECIFIED,
        metrics: { url },
        min_refresh_gap_seconds: 0,
        emitters: [{ type: 'csv', params: { output_dir: path.join(folder.path, 'out', name) } }],
        ...settings,
      },
    },
  ]);
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ tenants: Object.fromEntries(entries) }));
  return {
    remove: folder.remove,
    config: file,
    folder: folder.path,
    /** Changes settings of one tenant. */
    async change(tenant: string, settings: object): Promise<void> {
      const written = JSON.parse(await readFile(file, 'utf8')) as {
        tenants: Record<string, { plugin_settings: object }>;
      };
      Object.assign(written.tenants[tenant]!.plugin_settings, settings);
      await writeFile(file, JSON.stringify(written));
    },
    async run(): Promise<{ exitCode: number | null; runs: ReadonlyMap<string, Run> }> {
      const { exitCode, stdout, stderr } = await chargeback(['run', '--config', file, '--json'], {
        cwd: folder.path,
      });
      expect(stderr).not.toMatch(/CB_INTERNAL/);
      const { runs } = JSON.parse(stdout) as { runs: Run[] };
      return { exitCode, runs: new Map(runs.map((run) => [run.tenant, run])) };
    },
    async rowsOf(tenant: string): Promise<CsvRow[]> {
      const files = await filesIn(path.join(folder.path, 'out', tenant));
      return Object.values(files).flatMap((text) => parseCsv(text));
    },
  };
}

type Workplace = Awaited<ReturnType<typeof workplace>>;

const isoDay = (day: number): string => new Date((firstDay + day * DAY) * 1000).toISOString().slice(0, 10);

/** Amounts of a product on a day by identity, as the file has them. */
function amountsOf(rows: readonly CsvRow[], product: string, day = isoDay(0)): Record<string, string> {
  const found = rows.filter((row) => row.productType === `SELF_KAFKA_${product}` && row.day === day);
  return Object.fromEntries(found.map(({ identity, amount }) => [identity, amount]));
}

const total = (amounts: Readonly<Record<string, string>>): bigint =>
  Object.values(amounts).reduce((units, amount) => units + unitsOf(amount), 0n);

function* series(
  name: string,
  labels: Record<string, string>,
  value: (instant: number) => number | null,
): Iterable<string> {
  const text = Object.entries(labels).map(([label, one]) => `${label}=${JSON.stringify(one)}`);
  for (let instant = firstDay; instant <= firstDay + 2 * DAY; instant += SPACING) {
    const sample = value(instant);
    if (sample !== null) yield `${name}{${text.join(',')}} ${sample} ${instant}\n`;
  }
}

/** Reaches `bytes` at the end of the first day and again at the end of the second, in whole bytes. */
const counterTo =
  (bytes: number) =>
  (instant: number): number =>
    Math.floor((bytes * (instant - firstDay)) / DAY);

const BYTES_IN = 'kafka_server_brokertopicmetrics_bytesin_total';
const BYTES_OUT = 'kafka_server_brokertopicmetrics_bytesout_total';
/** 53,687,091,200 bytes a day in all: 500, 300 and 200 of a thousand, beside an aggregate of the same name. */
const PARTS = { 'team-a': 25 * GIB, 'team-b': 15 * GIB, 'team-c': 10 * GIB };
/** The same with 333, 333 and 334 of a thousand. */
const UNEVEN = { 'team-a': 333, 'team-b': 333, 'team-c': 334 };

function* workedExamples(): Iterable<string> {
  for (const metric of [BYTES_IN, BYTES_OUT]) {
    for (const [principal, bytes] of Object.entries(PARTS)) {
      yield* series(metric, { cluster: 'spec', topic: 'orders', principal }, counterTo(bytes));
    }
    yield* series(metric, { cluster: 'spec' }, counterTo(50 * GIB));
    for (const [principal, parts] of Object.entries(UNEVEN)) {
      const labels = { cluster: 'uneven', topic: 'orders', principal };
      yield* series(metric, labels, counterTo(parts * 2 ** 20 * 288));
    }
  }
  // Three sizes of eight hours each: two replicas of one partition.
  const sizes = [107_374_182_400, 112_742_891_520, 107_374_182_400];
  for (const broker of ['1', '2']) {
    for (const cluster of ['spec', 'uneven']) {
      yield* series('kafka_log_log_size', { cluster, topic: 'orders', partition: '0', broker }, (instant) => {
        const eighth = Math.floor((((instant - firstDay - 1 + DAY) % DAY) / DAY) * 3);
        return sizes[eighth]! / 2;
      });
    }
  }
  yield '# EOF\n';
}

describe.skipIf(!real)('the worked examples of the specification, from a real Prometheus', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  let place: Workplace;
  const selector = 'cluster="spec"';
  const static_identities = ['identity-a', 'identity-b', 'identity-c'].map((identity_id) => ({
    identity_id,
    identity_type: 'team',
  }));
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: [...workedExamples()].join('') });
    place = await workplace(prometheus.url, {
      spec: { selector },
      even: {
        selector,
        cost_model: { ...SPECIFIED, network_ingress_per_gib: '0.20' },
        identity_source: { source: 'static', static_identities },
      },
      ratio: { selector, cost_model: { ...SPECIFIED, network_ingress_per_gib: '2' } },
      uneven: {
        selector: 'cluster="uneven"',
        cost_model: { ...SPECIFIED, network_ingress_per_gib: String(100 / 281.25) },
      },
    });
    const { exitCode, runs } = await place.run();
    expect([...runs.values()].flatMap(({ problems }) => problems)).toEqual([]);
    expect(exitCode).toBe(0);
  });
  afterAll(async () => {
    await prometheus?.stop();
    await place?.remove();
  });

  it('compute: 3 brokers × 24 hours × 0.50 = 36.00', async () => {
    const compute = amountsOf(await place.rowsOf('spec'), 'COMPUTE');
    expect(compute).toEqual({ 'team-a': '12.0000', 'team-b': '12.0000', 'team-c': '12.0000' });
  });

  it('storage: a mean of 101.67 GiB × 24 hours × 0.0001 = 0.2440', async () => {
    const storage = amountsOf(await place.rowsOf('spec'), 'STORAGE');
    expect(storage).toEqual({ 'team-a': '0.0814', 'team-b': '0.0813', 'team-c': '0.0813' });
    expect(total(storage)).toBe(24_400_000n);
  });

  it('network: 50 GiB × 0.01 = 0.50, and out at 0.02 = 1.00', async () => {
    const rows = await place.rowsOf('spec');
    const parts = { 'team-a': '0.2500', 'team-b': '0.1500', 'team-c': '0.1000' };
    expect(amountsOf(rows, 'NETWORK_INGRESS')).toEqual(parts);
    expect(total(amountsOf(rows, 'NETWORK_EGRESS'))).toBe(100_000_000n);
  });

  it('even split: 10.00 across three is 3.3334, 3.3333 and 3.3333', async () => {
    const split = amountsOf(await place.rowsOf('even'), 'NETWORK_INGRESS');
    expect(split).toEqual({ 'identity-a': '3.3334', 'identity-b': '3.3333', 'identity-c': '3.3333' });
  });

  it('usage ratio: 100.00 by 500, 300 and 200 GiB is 50, 30 and 20', async () => {
    const rows = await place.rowsOf('ratio');
    const split = { 'team-a': '50.0000', 'team-b': '30.0000', 'team-c': '20.0000' };
    expect(amountsOf(rows, 'NETWORK_INGRESS')).toEqual(split);
    const details = rows.filter(({ productType }) => productType === 'SELF_KAFKA_NETWORK_INGRESS');
    expect(new Set(details.map(({ detail, method }) => `${method} ${detail}`))).toEqual(
      new Set(['usage_ratio USAGE_RATIO_ALLOCATION']),
    );
  });

  it('usage ratio: 100.00 by 333, 333 and 334 is 33.30, 33.30 and 33.40', async () => {
    const split = amountsOf(await place.rowsOf('uneven'), 'NETWORK_INGRESS');
    expect(split).toEqual({ 'team-a': '33.3000', 'team-b': '33.3000', 'team-c': '33.4000' });
  });
});

const PLATFORM = { identity_id: 'platform', identity_type: 'team' };
const TEAMS = { principal_to_team: { alice: 'shop' }, default_team: 'elsewhere' };
/** Bob changes teams between the two days; nobody has said where carol belongs. */
const PRINCIPAL_OWNERS = [
  { principal: 'b?b', team: 'bank', valid_to: isoDay(1) },
  { principal_regex: 'bob|robert', team: 'shop', valid_from: isoDay(1) },
];
/** Payments belong to the bank on the first day only. */
const TOPIC_OWNERS = [
  { topic: 'orders*', team: 'shop' },
  { topic_regex: 'pay.*', team: 'bank', valid_to: isoDay(1) },
];
const jmx = { metric_preset: 'jmx_exporter', selector: 'cluster="jmx_exporter"' };

describe.skipIf(!real)('the same traffic exported by each family, to the files', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  let place: Workplace;
  beforeAll(async () => {
    prometheus = await startRealPrometheus({
      openMetrics: [...familiesText({ firstDay, days: 2 })].join(''),
    });
    const tenants = FAMILIES.map((family) => {
      const settings = { metric_preset: family, selector: `cluster="${family}"` };
      return [family, settings] as const;
    });
    place = await workplace(prometheus.url, {
      ...Object.fromEntries(tenants),
      owners: { ...jmx, storage_allocation: 'owner_bytes', ownership: TOPIC_OWNERS },
      teams: { ...jmx, charge_to: 'team', identity_source: TEAMS, ownership: PRINCIPAL_OWNERS },
      both: { ...jmx, identity_source: { source: 'both', static_identities: [PLATFORM] } },
      nobody: { ...jmx, identity_source: { source: 'static' } },
    });
    expect((await place.run()).exitCode).toBe(0);
  });
  afterAll(async () => {
    await prometheus?.stop();
    await place?.remove();
  });

  it('gives the same rows to the digit', async () => {
    const families = FAMILIES.filter((family) => family !== 'plain');
    expect(families).toHaveLength(4);
    const [expected, ...others] = await Promise.all(families.map((family) => place.rowsOf(family)));
    expect(expected!.length).toBeGreaterThan(16);
    for (const rows of others) expect(rows).toEqual(expected);
  });

  // A counter stays after its principal's last request, a quota gauge does not: the idle second day of one of
  // them is shared by three here, by two there. What was moved is charged alike.
  it('gives the same rows with counters that name principals, but for who shares an idle day', async () => {
    const [plain, quotas] = await Promise.all([place.rowsOf('plain'), place.rowsOf('jmx_exporter')]);
    const alike = (rows: readonly CsvRow[]): CsvRow[] =>
      rows.filter(({ day, productType }) => day === isoDay(0) || productType.includes('NETWORK'));
    expect(alike(plain)).toEqual(alike(quotas));
  });

  it.each(DIRECTIONS)('bills every byte %s once and reconciles', async (direction) => {
    const product = direction === 'in' ? 'NETWORK_INGRESS' : 'NETWORK_EGRESS';
    const rate = direction === 'in' ? 1 : 2;
    const rows = await place.rowsOf('jmx_exporter');
    for (const day of [0, 1]) {
      const gib = sum([...bytesByPrincipal(direction, day).values()], (bytes) => bytes) / GIB;
      const units = Math.round(gib * rate * 1_000_000);
      expect(Number(total(amountsOf(rows, product, isoDay(day))))).toBe(units);
    }
  });

  it('allocates storage by the bytes that the topics of each team retain, on the days that it owns them', async () => {
    const rows = await place.rowsOf('owners');
    for (const [day, teams] of [
      [0, ['bank', 'shop']],
      [1, ['UNASSIGNED', 'shop']],
    ] as const) {
      const storage = amountsOf(rows, 'STORAGE', isoDay(day));
      expect(Object.keys(storage)).toEqual(teams);
      const [orders, payments] = [...storedByTopic(day).values()].map(
        (hours) => sum(hours, (one) => one) / GIB,
      );
      // Sum over the hours × 0.0001, of which every byte is a replica on some disk.
      expect(Number(storage['shop'])).toBeCloseTo(orders! * 0.0001, 3);
      expect(Number(total(storage)) / 1e8).toBeCloseTo((orders! + payments!) * 0.0001, 7);
    }
    const details = rows.filter(({ productType }) => productType === 'SELF_KAFKA_STORAGE');
    expect(new Set(details.map(({ method }) => method))).toEqual(new Set(['usage_ratio']));
    // Topics own nothing and pay nothing.
    expect(rows.some(({ identity }) => identity.startsWith('topic:'))).toBe(false);
  });

  it('charges the team of each principal on the day that is billed', async () => {
    const rows = await place.rowsOf('teams');
    expect(Object.keys(amountsOf(rows, 'NETWORK_INGRESS', isoDay(0)))).toEqual(['bank', 'elsewhere', 'shop']);
    expect(Object.keys(amountsOf(rows, 'NETWORK_INGRESS', isoDay(1)))).toEqual(['shop']);
    const each = await place.rowsOf('jmx_exporter');
    const principals = amountsOf(each, 'NETWORK_INGRESS', isoDay(1));
    expect(total(amountsOf(rows, 'NETWORK_INGRESS', isoDay(1)))).toBe(total(principals));
    expect(amountsOf(rows, 'COMPUTE', isoDay(1))).toEqual({ shop: '36.0000' });
  });

  it('charges who moved bytes, and shares compute among those seen, not among those listed', async () => {
    const rows = await place.rowsOf('both');
    expect(Object.keys(amountsOf(rows, 'NETWORK_EGRESS'))).toEqual(['alice', 'bob', 'carol']);
    expect(Object.keys(amountsOf(rows, 'COMPUTE'))).toEqual(['alice', 'bob', 'carol']);
  });

  it('bills the example configuration', async () => {
    const env = {
      PROMETHEUS_URL: prometheus.url,
      CLUSTER: 'jmx_exporter',
      LOOKBACK_DAYS: '3',
      BROKERS: '3',
      DATABASE: `sqlite:///${path.join(place.folder, 'example.db')}`,
      OUTPUT_DIR: path.join(place.folder, 'example'),
    };
    const config = path.join(repository, 'examples', 'self-managed-kafka', 'config.yaml');
    const { exitCode, stderr } = await chargeback(['run', '--config', config, '--json'], { env });
    expect(exitCode, stderr).toBe(0);
    const files = await filesIn(path.join(place.folder, 'example', 'daily'));
    const rows = Object.values(files).flatMap((text) => parseCsv(text));
    expect(Object.keys(amountsOf(rows, 'STORAGE'))).toEqual(['finance', 'shop']);
    expect(amountsOf(rows, 'NETWORK_INGRESS')).toEqual(
      amountsOf(await place.rowsOf('jmx_exporter'), 'NETWORK_INGRESS'),
    );
  });

  it('leaves what nobody can be given to UNALLOCATED, whole', async () => {
    const rows = await place.rowsOf('nobody');
    expect(new Set(rows.map(({ identity, method, detail }) => `${identity} ${method} ${detail}`))).toEqual(
      new Set(['UNALLOCATED terminal NO_IDENTITIES_LOCATED']),
    );
    expect(amountsOf(rows, 'COMPUTE')).toEqual({ UNALLOCATED: '36.0000' });
  });

  it('reconciles every tenant with a difference of exactly 0', async () => {
    for (const tenant of ['owners', 'teams', 'nobody', 'kminion']) {
      const args = ['reconcile', '--config', place.config, '--tenant', tenant, '--by', 'month', '--json'];
      const { exitCode, stdout } = await chargeback(args);
      expect(exitCode).toBe(0);
      const { totals } = JSON.parse(stdout) as { totals: Record<string, string>[] };
      expect(totals).toMatchObject([{ difference: '0.0000', held: '0.0000', retained: '0.0000' }]);
    }
  });

  it('charges whoever was there for half an hour with a share of that day’s compute', async () => {
    const rows = await place.rowsOf('strimzi');
    expect(Object.keys(amountsOf(rows, 'COMPUTE'))).toEqual(['alice', 'bob', 'carol']);
  });

  it('calculates nothing again because of how inventory is asked, and maps owners anew without any server', async () => {
    await place.change('teams', { resource_source: { timeout_seconds: 31 } });
    await place.change('owners', {
      metrics: { url: 'http://127.0.0.1:1', max_attempts: 1 },
      ownership: [{ topic: '*', team: 'platform' }],
    });
    const { runs } = await place.run();
    expect(runs.get('teams')).toMatchObject({ dates_calculated: 0 });
    expect(runs.get('owners')).toMatchObject({ dates_gathered: 0, dates_calculated: 2 });
    expect(Object.keys(amountsOf(await place.rowsOf('owners'), 'STORAGE'))).toEqual(['platform']);
  });
});

/** Five hours of the first day without a sample of anything. */
function* withGap(): Iterable<string> {
  const inGap = (instant: number): boolean =>
    instant > firstDay + 10 * 3600 && instant < firstDay + 15 * 3600;
  for (const [principal, bytes] of Object.entries(PARTS)) {
    for (const metric of [BYTES_IN, BYTES_OUT]) {
      const labels = { topic: 'orders', principal };
      yield* series(metric, labels, (instant) => (inGap(instant) ? null : counterTo(bytes)(instant)));
    }
  }
  const labels = { topic: 'orders', partition: '0', broker: '1' };
  yield* series('kafka_log_log_size', labels, (instant) => (inGap(instant) ? null : 100 * GIB));
  yield '# EOF\n';
}

describe.skipIf(!real)('five hours without metrics, in a real Prometheus', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  let place: Workplace;
  let first: ReadonlyMap<string, Run>;
  beforeAll(async () => {
    prometheus = await startRealPrometheus({ openMetrics: [...withGap()].join('') });
    const policies = ['hold', 'estimate', 'fallback'] as const;
    place = await workplace(
      prometheus.url,
      Object.fromEntries(policies.map((missing_usage) => [missing_usage, { missing_usage }])),
    );
  });
  afterAll(async () => {
    await prometheus?.stop();
    await place?.remove();
  });

  it('hold what they make uncertain, say so, and bill compute and the other day', async () => {
    const { exitCode, runs } = await place.run();
    first = runs;
    expect(exitCode).toBe(1);
    const held = runs.get('hold')!;
    expect(held).toMatchObject({ dates_calculated: 1, dates_held: 1 });
    // A gauge is seen again at the end of the gap, an increase an hour later.
    for (const [product, seen] of [
      ['STORAGE', 20],
      ['NETWORK_INGRESS', 19],
      ['NETWORK_EGRESS', 19],
    ] as const) {
      const told = held.problems.filter(({ message }) => message.includes(`SELF_KAFKA_${product}`));
      expect(told).toMatchObject([{ code: 'CB_USAGE_INCOMPLETE', severity: 'error', date: isoDay(0) }]);
      expect(told[0]!.message).toContain(`${seen} of 24 samples`);
    }
    const rows = await place.rowsOf('hold');
    expect(amountsOf(rows, 'NETWORK_INGRESS')).toEqual({});
    expect(total(amountsOf(rows, 'NETWORK_INGRESS', isoDay(1)))).toBe(50_000_000n);
  });

  it('are scaled up under estimate: the day costs what a whole one does, marked', async () => {
    const rows = await place.rowsOf('estimate');
    // A steady 50 GiB a day, of which 19 hours were seen: 19 of 24 scaled by 24 ÷ 19.
    expect(Number(total(amountsOf(rows, 'NETWORK_INGRESS'))) / 1e8).toBeCloseTo(0.5, 6);
    expect(total(amountsOf(rows, 'STORAGE'))).toBe(24_000_000n);
    expect(total(amountsOf(rows, 'COMPUTE'))).toBe(3_600_000_000n);
  });

  it('are billed with what there is under fallback, never in silence', async () => {
    const rows = await place.rowsOf('fallback');
    expect(Number(total(amountsOf(rows, 'NETWORK_INGRESS'))) / 1e8).toBeCloseTo((0.5 * 19) / 24, 6);
    const warned = first.get('fallback')!.problems.filter(({ code }) => code === 'CB_USAGE_INCOMPLETE');
    expect(warned.map(({ severity }) => severity)).toEqual(['warning', 'warning', 'warning']);
  });

  it('fall back at allocation_retry_limit, the third run, with a warning that stays', async () => {
    expect((await place.run()).exitCode).toBe(1);
    const settled = await place.run();
    expect(settled.exitCode).toBe(0);
    const { problems } = settled.runs.get('hold')!;
    expect(problems.map(({ code, severity }) => `${code} ${severity}`)).toContain(
      'CB_USAGE_INCOMPLETE warning',
    );
    const rows = await place.rowsOf('hold');
    expect(rows).toEqual(await place.rowsOf('fallback'));
    expect(amountsOf(rows, 'COMPUTE')).toEqual({
      'team-a': '12.0000',
      'team-b': '12.0000',
      'team-c': '12.0000',
    });
  });
});
