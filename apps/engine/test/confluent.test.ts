import { MILLISECONDS_PER_DAY, type Problem } from '@chargeback/plugin-api';
import {
  type ConfluentFaultPlan,
  confluentMetrics,
  confluentOrganization,
  type ConfluentOrganization,
  costsVisibleAt,
  createConfluentFetch,
  to,
  withField,
} from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { secondOpinion } from './confluent-second-opinion.ts';
import { ConfluentTenant } from './confluent-support.ts';

const organization = confluentOrganization({
  clusters: 5,
  serviceAccounts: 200,
  days: 30,
  endDate: new Date('2026-07-01T00:00:00Z'),
});
/** The faults need no more than this to bite. */
const small = confluentOrganization({
  clusters: 3,
  serviceAccounts: 40,
  days: 15,
  endDate: organization.window.end,
});
const END = organization.window.end.getTime();
const SETTLED = new Date(END + 5 * MILLISECONDS_PER_DAY);
const EARLY = new Date(END + MILLISECONDS_PER_DAY);

interface World {
  readonly organization: ConfluentOrganization;
  readonly now?: Date;
  readonly faults?: ConfluentFaultPlan;
  readonly daysPerQuery?: number;
  readonly settings?: object;
}

/** A tenant and the organization that answers it. */
async function connect({
  organization: org,
  now = SETTLED,
  faults = [],
  daysPerQuery = 15,
  settings,
}: World) {
  const clock = { now: () => now };
  const cloud = createConfluentFetch({ organization: org, faults, clock: () => clock.now() });
  const regions = new Set(org.computePools.map(({ region }) => region));
  const tenant = await ConfluentTenant.create({
    fetch: cloud,
    now,
    settings: {
      billing_api: { days_per_query: daysPerQuery },
      metrics: { url: 'http://metrics.example/prometheus' },
      flink: [...regions].map((region_id) => ({ region_id, key: 'FLINK', secret: 'SECRET' })),
      org_wide: {
        support: 'even_split',
        audit_log_read: 'even_split',
        promo_credit: 'proportional_to_allocated',
      },
      ...settings,
    },
  });
  clock.now = tenant.clock;
  return { cloud, tenant };
}

/** What a run that never saw a fault comes to. */
async function rowsWithoutFaults(org: ConfluentOrganization): Promise<string[]> {
  const { tenant } = await connect({ organization: org });
  await using _tenant = tenant;
  expect(await tenant.run(org.window)).toMatchObject({ status: 'completed' });
  return tenant.rows(org.window);
}

/** What the organization bills at a time: ledger units by day, resource and product type. */
function billedAt(org: ConfluentOrganization, now: Date): Map<string, bigint> {
  const billed = new Map<string, bigint>();
  for (const { day, resourceId, lineType, amountUnits } of costsVisibleAt(org, org.window, now)) {
    const key = [day, resourceId, lineType].join('|');
    billed.set(key, (billed.get(key) ?? 0n) + amountUnits);
  }
  return billed;
}

const errorsOf = ({ problems }: { problems: readonly Problem[] }): Problem[] =>
  problems.filter(({ severity }) => severity === 'error');

describe('a month of a Confluent Cloud organization', () => {
  it('is allocated to the last digit: the rows of a resource and line type add up to what it cost that day', async () => {
    const { window } = organization;
    const { tenant, cloud } = await connect({ organization });
    await using _tenant = tenant;
    const run = await tenant.run(window);
    expect(errorsOf(run)).toEqual([]);
    expect(run).toMatchObject({ status: 'completed', datesCalculated: 30, datesHeld: 0 });
    const { allocated, lines, details } = await tenant.withStore(async (store) => {
      const totals = await store.totals(window, ['date', 'resource_id', 'product_type']);
      return {
        allocated: new Map(totals.map(({ key, units }) => [key.join('|'), units])),
        lines: await store.reconcile(window, 'line'),
        details: (await store.totals(window, ['allocation_detail'])).map(({ key: [detail] }) => detail),
      };
    });
    const billed = billedAt(organization, tenant.clock());
    for (const [key, units] of billed) if (units === 0n && !allocated.has(key)) billed.delete(key);
    expect(allocated).toEqual(billed);
    expect(lines.filter(({ difference, held }) => difference !== 0n || held !== 0n)).toEqual([]);
    expect(details).toContain('USAGE_RATIO_ALLOCATION');
    expect(details).not.toContain('USING_UNKNOWN_ALLOCATOR');
    const asked = cloud.requests.filter(({ endpoint }) => endpoint === 'prometheus').length;
    expect(asked).toBeGreaterThan(0);

    // The bill is asked for again, because the vendor restates it; usage that is stored whole is not. Another
    // secret changes no cost.
    tenant.secret = 'ROTATED';
    expect(await tenant.run(window)).toMatchObject({ status: 'completed', datesCalculated: 0 });
    expect(cloud.requests.filter(({ endpoint }) => endpoint === 'prometheus')).toHaveLength(asked);
  });

  it.each([
    ['with usage from the export', true],
    ['without any usage', false],
  ])('is told row by row by a second implementation of the rules, %s', async (_what, measured) => {
    const { window } = organization;
    const settings = measured ? {} : { metrics: null };
    const { tenant } = await connect({ organization, settings });
    await using _tenant = tenant;
    expect(await tenant.run(window)).toMatchObject({ status: 'completed', datesCalculated: 30 });
    const expected = secondOpinion({
      organization,
      metrics: measured ? confluentMetrics(organization) : null,
      listedAt: SETTLED,
      costs: costsVisibleAt(organization, window, tenant.clock()),
    });
    const stored: string[] = [];
    await tenant.withStore(async (store) => {
      for await (const rows of store.rows(window, null)) {
        for (const row of rows) {
          stored.push(
            [
              row.timestamp.toISOString().slice(0, 10),
              row.environmentId ?? '-',
              row.resourceId ?? '-',
              row.productCategory,
              row.productType,
              row.identityId,
              row.costType,
              row.allocationMethod ?? '-',
              row.allocationDetail ?? '-',
              row.amount.units,
            ].join(' '),
          );
        }
      }
    });
    expect(expected.length).toBeGreaterThan(30_000);
    expect(new Set(expected.map((row) => row.split(' ')[4])).size).toBe(29);
    const [wanted, had] = [new Set(expected), new Set(stored)];
    expect({
      missing: expected.filter((row) => !had.has(row)).slice(0, 5),
      unexpected: stored.filter((row) => !wanted.has(row)).slice(0, 5),
    }).toEqual({ missing: [], unexpected: [] });
    expect(stored).toHaveLength(expected.length);
  });

  it('heals after a forbidden listing, a storm of 429 and a restated bill, as if nothing had happened', async () => {
    const { window } = small;
    const { tenant, cloud } = await connect({ organization: small, now: EARLY, daysPerQuery: 5 });
    await using _tenant = tenant;
    expect(await tenant.run(window)).toMatchObject({ status: 'completed' });
    expect(billedAt(small, EARLY)).not.toEqual(billedAt(small, SETTLED));

    tenant.now = SETTLED;
    cloud.setFaults([
      { when: to('ksqldb_clusters'), effect: { kind: 'status', status: 403 } },
      {
        when: ({ endpoint, query }) => endpoint === 'costs' && query['start_date'] === '2026-06-21',
        effect: { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
      },
    ]);
    const faulty = await tenant.run(window);
    expect(faulty).toMatchObject({ status: 'failed', datesGathered: 10 });
    expect(errorsOf(faulty).map(({ code, path }) => [code, path])).toEqual([
      ['CB_INVENTORY_GATHER', 'ksqldb_cluster'],
      ['CB_SOURCE_RATE_LIMITED', 'billing/v1/costs'],
    ]);
    const open = await tenant.withStore(async (store) => store.problems(window));
    expect(errorsOf({ problems: open })).toEqual(errorsOf(faulty));

    cloud.setFaults([]);
    const healed = await tenant.run(window);
    expect(healed).toMatchObject({ status: 'completed', datesGathered: 15 });
    expect(errorsOf(healed)).toEqual([]);
    expect(await tenant.rows(window)).toEqual(await rowsWithoutFaults(small));
  });

  it.each([
    ['accounts and keys', to('service_accounts', 'users', 'api_keys')],
    ['clusters', to('clusters')],
    [
      'connectors, compute pools and statements',
      to('connectors', 'ksqldb_clusters', 'statements', 'compute_pools'),
    ],
    ['environments', to('environments')],
  ])(
    'bills an organization whose %s it cannot list yet, and mends the rows when it can',
    async (_what, when) => {
      const { tenant, cloud } = await connect({
        organization: small,
        faults: [{ when, effect: { kind: 'status', status: 403 } }],
      });
      await using _tenant = tenant;
      expect(await tenant.run(small.window)).toMatchObject({ status: 'failed', datesCalculated: 15 });
      cloud.setFaults([]);
      expect(await tenant.run(small.window)).toMatchObject({ status: 'completed' });
      expect(await tenant.rows(small.window)).toEqual(await rowsWithoutFaults(small));
    },
  );

  it('holds a day whose bill has an amount that is none, and calculates the others', async () => {
    const spoil = (json: string): string =>
      json.includes('"start_date":"2026-06-20"') && json.includes('SUPPORT')
        ? withField(json, 'amount', 'NaN')
        : json;
    const { tenant, cloud } = await connect({
      organization: small,
      faults: [{ when: to('costs'), effect: { kind: 'items', change: spoil } }],
    });
    await using _tenant = tenant;
    const run = await tenant.run(small.window);
    expect(run).toMatchObject({ status: 'failed', datesGathered: 14, datesCalculated: 14 });
    expect(errorsOf(run)).toMatchObject([{ code: 'CB_BILLING_AMOUNT', date: '2026-06-20' }]);
    cloud.setFaults([]);
    expect(await tenant.run(small.window)).toMatchObject({ status: 'completed', datesCalculated: 1 });
    expect(await tenant.rows(small.window)).toEqual(await rowsWithoutFaults(small));
  });

  it('asks again for the CFUs of a day whose best metric failed, although a fallback answered', async () => {
    const { tenant, cloud } = await connect({
      organization: small,
      faults: [
        {
          when: ({ endpoint, body }) => endpoint === 'prometheus' && body.includes('confluent_flink_num_cfu'),
          effect: { kind: 'status', status: 503 },
        },
      ],
    });
    await using _tenant = tenant;
    const faulty = await tenant.run(small.window);
    expect(errorsOf(faulty).length).toBeGreaterThan(0);
    expect(faulty.datesHeld).toBe(15);
    cloud.setFaults([]);
    expect(await tenant.run(small.window)).toMatchObject({ status: 'completed', datesHeld: 0 });
    expect(await tenant.rows(small.window)).toEqual(await rowsWithoutFaults(small));
  });

  it.each([
    ['active_fraction', 1],
    ['allocate_full', 0],
  ])(
    'says which lines are retained because their cluster is said to be younger, partial_period: %s',
    async (partial_period, told) => {
      const [cluster] = small.clusters;
      const born = '2026-06-20T12:00:00Z';
      const younger = (json: string): string => {
        const item = JSON.parse(json) as { id: string; metadata: object };
        if (item.id === cluster!.id) item.metadata = { ...item.metadata, created_at: born };
        return JSON.stringify(item);
      };
      const { tenant } = await connect({
        organization: small,
        faults: [{ when: to('clusters'), effect: { kind: 'items', change: younger } }],
        settings: { partial_period },
      });
      await using _tenant = tenant;
      const { problems } = await tenant.run(small.window);
      const reconciled = await tenant.withStore((store) => store.reconcile(small.window, 'line'));
      const whole = reconciled.filter(
        ({ key, retained, billed }) =>
          key.includes(`/${cluster!.id}/`) && billed !== 0n && retained === billed,
      );
      expect(whole.length > 0).toBe(told === 1);
      const dates = problems.filter(({ code }) => code === 'CB_BILLING_LIFETIME').map(({ date }) => date);
      expect(dates).toEqual([...new Set(whole.map(({ date }) => date))].toSorted());
      expect(dates.every((date) => date! < '2026-06-20')).toBe(true);
    },
  );

  it.each([
    ['environments', to('environments')],
    ['clusters', to('clusters')],
    ['Flink statements', to('statements')],
    ['accounts, users and keys', to('service_accounts', 'users', 'api_keys')],
  ])('comes to the same, to the last digit, after one listing missed some %s', async (_what, when) => {
    const middle = new Date(END - 5 * MILLISECONDS_PER_DAY);
    const settings = { partial_period: 'active_fraction' };
    const { tenant, cloud } = await connect({ organization: small, now: middle, settings });
    await using _tenant = tenant;
    await tenant.run(small.window);
    const endedOf = () =>
      tenant.withStore(async (store) => {
        const { resources, identities } = await store.loadLifetimes(small.window);
        return [...resources, ...identities].filter(({ deletedAt }) => deletedAt !== null).length;
      });
    const before = await endedOf();
    tenant.now = new Date(middle.getTime() + 3_600_000);
    const change = (json: string, index: number): string | string[] => (index === 0 ? [] : json);
    cloud.setFaults([{ when, effect: { kind: 'items', change } }]);
    await tenant.run(small.window);
    expect(await endedOf()).toBeGreaterThan(before);
    cloud.setFaults([]);
    tenant.now = SETTLED;
    expect(await tenant.run(small.window)).toMatchObject({ status: 'completed' });

    const undisturbed = await connect({ organization: small, settings });
    await using other = undisturbed.tenant;
    await other.run(small.window);
    expect(await tenant.rows(small.window)).toEqual(await other.rows(small.window));
  });

  it('keeps what it has when the credentials expire in the middle of a run', async () => {
    const { tenant, cloud } = await connect({ organization: small, daysPerQuery: 3 });
    await using _tenant = tenant;
    let costs = 0;
    const expired = ({ endpoint }: { endpoint: string }): boolean =>
      (costs += endpoint === 'costs' ? 1 : 0) > 3 && endpoint !== 'prometheus';
    cloud.setFaults([{ when: expired, effect: { kind: 'status', status: 401 } }]);
    const run = await tenant.run(small.window);
    expect(run).toMatchObject({ status: 'failed', datesGathered: 7 });
    expect(run.problems.map(({ code }) => code)).toContain('CB_SOURCE_AUTH');
    expect(run.problems.every(({ message }) => !message.includes('SECRET'))).toBe(true);
    cloud.setFaults([]);
    expect(await tenant.run(small.window)).toMatchObject({ status: 'completed' });
    expect(await tenant.rows(small.window)).toEqual(await rowsWithoutFaults(small));
  });

  it.each<[string, ConfluentFaultPlan[number]['effect']]>([
    ['a page that links to itself', { kind: 'repeated_page' }],
    ['a link to another server', { kind: 'foreign_link', origin: 'https://elsewhere.example' }],
    ['an answer that is cut off', { kind: 'truncated' }],
    ['an answer that is a web page', { kind: 'html' }],
    ['a server that fails', { kind: 'status', status: 500 }],
    ['a server that hangs up', { kind: 'reset' }],
  ])('survives %s: nothing is lost, and the next run is whole', async (_what, effect) => {
    const { tenant, cloud } = await connect({
      organization: small,
      faults: [{ when: to('costs', 'clusters'), effect }],
    });
    await using _tenant = tenant;
    expect(await tenant.run(small.window)).toMatchObject({ status: 'failed', datesGathered: 0 });
    cloud.setFaults([]);
    expect(await tenant.run(small.window)).toMatchObject({ status: 'completed', datesCalculated: 15 });
    const reconciled = await tenant.withStore((store) => store.reconcile(small.window, 'line'));
    expect(reconciled.filter(({ difference }) => difference !== 0n)).toEqual([]);
  });
});
