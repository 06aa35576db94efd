import path from 'node:path';
import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GIB, firstDay, workplace, type Workplace, isoDay, amountsOf, total, jmx } from './kafka-support.ts';
import { chargeback, type CsvRow, filesIn, parseCsv, repository } from './support.ts';
import {
  bytesByPrincipal,
  DIRECTIONS,
  FAMILIES,
  familiesText,
  storedByTopic,
  sum,
} from '../../../plugins/self-managed-kafka/test/traffic.ts';

const real = requireReal('billing each naming family from a real Prometheus', process.env);

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
