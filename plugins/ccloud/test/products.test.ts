import { describeModel } from '@chargeback/allocation';
import { describe, expect, it } from 'vitest';
import { type OrgWideSettings, orgWideSettingsSchema } from '../src/products/org-wide.ts';
import { apiKey, identity, line, resource, routesOf, settle, usage, type World } from './products-support.ts';

/** The line types that the vendor documents. */
const LINE_TYPES = `
  KAFKA_STORAGE KAFKA_PARTITION KAFKA_NETWORK_READ KAFKA_NETWORK_WRITE KAFKA_BASE KAFKA_NUM_CKUS KAFKA_REST_PRODUCE
  KAFKA_STREAMS KSQL_NUM_CSUS CONNECT_CAPACITY CONNECT_NUM_TASKS CONNECT_THROUGHPUT CONNECT_NUM_RECORDS
  CUSTOM_CONNECT_NUM_TASKS CUSTOM_CONNECT_THROUGHPUT CLUSTER_LINKING_PER_LINK CLUSTER_LINKING_WRITE CLUSTER_LINKING_READ
  AUDIT_LOG_READ GOVERNANCE_BASE SCHEMA_REGISTRY NUM_RULES FLINK_NUM_CFUS TABLEFLOW_DATA_PROCESSED TABLEFLOW_NUM_TOPICS
  TABLEFLOW_STORAGE USM_CONNECTED_NODE SUPPORT PROMO_CREDIT`
  .trim()
  .split(/\s+/);

const OWNERS = 'tenantPeriod: service_account, user, identity_pool, certificate_pool';

const orgWide = (rules: Partial<OrgWideSettings>) => ({ orgWide: orgWideSettingsSchema.parse(rules) });

describe('the product table', () => {
  it('has a route for each of the 29 documented line types', () => {
    const routed = new Set(routesOf().routes.map(({ productType }) => productType));
    expect(LINE_TYPES).toHaveLength(29);
    expect(LINE_TYPES.filter((type) => !routed.has(type))).toEqual([]);
  });

  it('wires the chains of the existing product', () => {
    const wiring = new Map(
      routesOf().routes.map(({ productType, allocate }) => [productType, describeModel(allocate)]),
    );
    const rest = `even_split(mergedActive) → even_split(${OWNERS}) → terminal(resource)`;
    expect(wiring.get('KAFKA_NETWORK_READ')).toBe(`chain(usage_ratio(bytes_out) → ${rest})`);
    expect(wiring.get('KAFKA_NETWORK_WRITE')).toBe(`chain(usage_ratio(bytes_in) → ${rest})`);
    expect(wiring.get('KAFKA_STREAMS')).toBe(`chain(usage_ratio(bytes_in + bytes_out) → ${rest})`);
    expect(wiring.get('KAFKA_NUM_CKUS')).toBe(
      `composite(0.70 × chain(usage_ratio(bytes_in + bytes_out) → ${rest}) + 0.30 × chain(${rest}))`,
    );
    for (const type of ['KAFKA_BASE', 'KAFKA_STORAGE', 'KAFKA_PARTITION', 'SCHEMA_REGISTRY', 'KSQL_NUM_CSUS'])
      expect(wiring.get(type)).toBe(`chain(${rest})`);
    expect(wiring.get('CONNECT_NUM_RECORDS')).toBe('chain(even_split(mergedActive) → terminal(resource))');
    expect(wiring.get('FLINK_NUM_CFUS')).toBe(
      `chain(usage_ratio(flink_cfu) → running_statements(compute pool) → ${rest})`,
    );
    expect(wiring.get('SUPPORT')).toBe('terminal(unallocated)');
  });

  it('asks one query per metric, without any cluster in it, and none without metrics', () => {
    const asked = (metricsSource: 'none' | 'prometheus' | 'ccloud_metrics_api') => {
      const routes = routesOf({ routes: { metricsSource, metricsStepSeconds: 1800 } }).routes;
      return new Map(routes.flatMap(({ usage: queries }) => queries).map((query) => [query.key, query]));
    };
    expect(asked('none').size).toBe(0);
    const queries = [...asked('prometheus').values()];
    expect(queries.map(({ expression }) => expression('1800s'))).toEqual([
      'sum by (kafka_id, principal_id) (sum_over_time(confluent_kafka_server_response_bytes[1799999ms]))',
      'sum by (kafka_id, principal_id) (sum_over_time(confluent_kafka_server_request_bytes[1799999ms]))',
      'sum by (compute_pool_id, flink_statement_name) (sum_over_time(confluent_flink_num_cfu[1799999ms]))',
    ]);
    expect(queries.map(({ stepSeconds }) => stepSeconds)).toEqual([1800, 1800, 1800]);
    expect([...asked('ccloud_metrics_api').values()].map(({ stepSeconds }) => stepSeconds)).toEqual([
      3600, 3600, 3600,
    ]);
  });
});

describe('every line type, on a bill with refunds and credits', () => {
  const cents = ['10', '-10', '0.01', '-0.00005', '0', '123456.78901234'];
  const world: World = {
    lines: LINE_TYPES.flatMap((type) =>
      cents.map((cost) => line(type, cost, type === 'PROMO_CREDIT' ? null : `r-${type}`, `${type} ${cost}`)),
    ),
    resources: LINE_TYPES.map((type) => resource(`r-${type}`, 'kafka_cluster')),
    identities: [identity('sa-1'), identity('sa-2'), apiKey('K', 'r-KAFKA_BASE', 'sa-2')],
    usage: [
      usage('bytes_in', [['r-KAFKA_NETWORK_WRITE', 'sa-1', 3]]),
      usage('bytes_out', [['r-KAFKA_NETWORK_READ', 'sa-2', 7]]),
      usage('flink_cfu', [['r-FLINK_NUM_CFUS', 'job', 7]]),
    ],
  };
  const expected = (123456.78901234 + 10 - 10 + 0.01 - 0.00005).toFixed(8);

  it.each(['even_split', 'unallocated', 'proportional_to_allocated'] as const)(
    'is allocated to its last digit, org_wide: %s',
    async (rule) => {
      const routes = orgWide({ support: rule, audit_log_read: rule, promo_credit: rule });
      const { run, rows } = await settle({ ...world, routes });
      expect(run.status).toBe('completed');
      expect(run.datesHeld).toBe(0);
      for (const type of LINE_TYPES) {
        const units = rows
          .filter(({ productType }) => productType === type)
          .reduce((sum, { amount }) => sum + BigInt(Math.round(Number(amount) * 1e8)), 0n);
        expect([type, units]).toEqual([type, BigInt(Math.round(Number(expected) * 1e8))]);
      }
    },
  );
});

describe('line types that are charged to their resource', () => {
  it.each([
    ['TABLEFLOW_STORAGE', 'SHARED', 'default', 'USING_DEFAULT_ALLOCATOR'],
    ['USM_CONNECTED_NODE', 'SHARED', 'default', 'USING_DEFAULT_ALLOCATOR'],
    ['CLUSTER_LINKING_READ', 'USAGE', 'cluster_linking', 'CLUSTER_LINKING_COST'],
    ['SOMETHING_NEW', 'SHARED', 'unknown', 'USING_UNKNOWN_ALLOCATOR'],
  ])('%s', async (type, costType, method, detail) => {
    const { run, rows } = await settle({ lines: [line(type, '3', 'r-1')], identities: [identity('sa-1')] });
    expect(rows).toMatchObject([{ identityId: 'r-1', amount: '3.0000', costType, method, detail }]);
    const unknown = run.problems.filter(({ code }) => code === 'CB_ALLOCATION_UNKNOWN_PRODUCT');
    expect(unknown.map(({ path }) => path)).toEqual(type === 'SOMETHING_NEW' ? ['SOMETHING_NEW'] : []);
  });

  it('an unknown type without a resource goes to UNALLOCATED', async () => {
    const { rows } = await settle({ lines: [line('SOMETHING_NEW', '3', null)] });
    expect(rows).toMatchObject([{ identityId: 'UNALLOCATED', amount: '3.0000' }]);
  });
});

describe('costs of the whole organization', () => {
  const identities = [
    identity('sa-1'),
    identity('sa-2'),
    identity('u-1', 'user'),
    identity('op-1', 'identity_provider'),
  ];
  const support = line('SUPPORT', '100', null);
  const bear = async (world: World) =>
    (await settle(world)).rows
      .filter(({ productType }) => ['SUPPORT', 'PROMO_CREDIT', 'AUDIT_LOG_READ'].includes(productType))
      .map(({ identityId, amount, detail }) => [identityId, amount, detail].join(' '));

  it('stay with UNALLOCATED unless told otherwise, as specified', async () => {
    expect(await bear({ lines: [support], identities })).toEqual(['UNALLOCATED 100.0000 ORG_WIDE_COST']);
  });

  it('even_split: across accounts, users and pools; to UNALLOCATED when there are none', async () => {
    const routes = orgWide({ support: 'even_split' });
    expect(await bear({ lines: [support], identities, routes })).toEqual([
      'sa-1 33.3334 ',
      'sa-2 33.3333 ',
      'u-1 33.3333 ',
    ]);
    expect(await bear({ lines: [support], routes })).toEqual(['UNALLOCATED 100.0000 NO_IDENTITIES_LOCATED']);
  });

  describe('proportional_to_allocated', () => {
    const routes = orgWide({
      support: 'proportional_to_allocated',
      promo_credit: 'proportional_to_allocated',
    });
    const traffic = usage('bytes_in', [
      ['lkc-1', 'sa-1', 1],
      ['lkc-1', 'sa-2', 3],
    ]);
    const written = line('KAFKA_NETWORK_WRITE', '40', 'lkc-1', 'a line');

    it('follows what the other lines of the day were allocated, refunds taken off', async () => {
      const world: World = {
        routes,
        identities,
        usage: [traffic],
        lines: [
          // Before and after the others by id: order must not matter.
          { ...support, lineId: '0 support' },
          written,
          line('TABLEFLOW_STORAGE', '20', 'lkc-2'),
          line('TABLEFLOW_STORAGE', '-10', 'lkc-2'),
          line('TABLEFLOW_STORAGE', '-7', 'lkc-3'),
          line('AUDIT_LOG_READ', '1000', null),
          line('PROMO_CREDIT', '-50', null, 'z credit'),
        ],
      };
      expect(await bear(world)).toEqual([
        'UNALLOCATED 1000.0000 ORG_WIDE_COST',
        'lkc-2 -10.0000 PROPORTIONAL_TO_ALLOCATED',
        'sa-1 -10.0000 PROPORTIONAL_TO_ALLOCATED',
        'sa-2 -30.0000 PROPORTIONAL_TO_ALLOCATED',
        'lkc-2 20.0000 PROPORTIONAL_TO_ALLOCATED',
        'sa-1 20.0000 PROPORTIONAL_TO_ALLOCATED',
        'sa-2 60.0000 PROPORTIONAL_TO_ALLOCATED',
      ]);
    });

    it('goes to UNALLOCATED when nobody was allocated anything', async () => {
      const lines = [support, line('TABLEFLOW_STORAGE', '-7', 'lkc-3')];
      expect(await bear({ lines, identities, routes })).toEqual([
        'UNALLOCATED 100.0000 NO_OTHER_COST_ALLOCATED',
      ]);
    });

    it('waits as long as another line of the day is held', async () => {
      const { run, rows } = await settle({
        routes,
        identities,
        missingUsage: 'hold',
        usage: [usage('bytes_in', [], 'failed')],
        lines: [support, written, line('TABLEFLOW_STORAGE', '20', 'lkc-2')],
      });
      expect(run.datesHeld).toBe(1);
      expect(rows.map(({ productType }) => productType)).toEqual(['TABLEFLOW_STORAGE']);
      const told = run.problems.find(({ path }) => path === support.lineId);
      expect(told).toMatchObject({ code: 'CB_USAGE_INCOMPLETE', severity: 'error' });
      expect(told?.message).toContain('1 of them are held');
    });
  });
});
