import { describe, expect, it } from 'vitest';
import {
  apiKey,
  identity,
  line,
  resource,
  routesOf,
  settle,
  statement,
  type StoredRow,
  usage,
  type World,
} from './products-support.ts';

const CLUSTER = 'lkc-1';
const cluster = resource(CLUSTER, 'kafka_cluster');
const accounts = (count: number) => Array.from({ length: count }, (_, index) => identity(`sa-${index + 1}`));
const keysOf = (...owners: string[]) => owners.map((owner) => apiKey(`KEY-${owner}`, CLUSTER, owner));

async function rowsOf(world: World): Promise<unknown[]> {
  const { rows } = await settle({ resources: [cluster], ...world });
  return rows.map(brief).toSorted();
}

const brief = ({ identityId, amount, costType, method, detail }: StoredRow) =>
  [identityId, amount, costType, method, detail ?? '-'].join(' ');

const cku = (cost: string) => [line('KAFKA_NUM_CKUS', cost, CLUSTER)];

describe('CKU vectors of the existing product', () => {
  it('24: owners answer for their keys, both directions are added; the shared part is SHARED as specified', async () => {
    const world: World = {
      lines: cku('100'),
      identities: [...accounts(3), ...keysOf('sa-1', 'sa-2'), apiKey('K1', CLUSTER, 'sa-3')],
      usage: [
        usage('bytes_in', [
          [CLUSTER, 'sa-1', 600],
          [CLUSTER, 'K1', 100],
        ]),
        usage('bytes_out', [[CLUSTER, 'sa-2', 300]]),
      ],
    };
    expect(await rowsOf(world)).toEqual([
      'sa-1 10.0000 SHARED even_split -',
      'sa-1 42.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
      'sa-2 10.0000 SHARED even_split -',
      'sa-2 21.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
      'sa-3 10.0000 SHARED even_split -',
      'sa-3 7.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
    ]);
  });

  it('25: with the usage part alone, 300 bytes in and 700 out are 30 and 70', async () => {
    const world: World = {
      lines: cku('100'),
      identities: accounts(2),
      params: { kafka_cku_usage_ratio: 1, kafka_cku_shared_ratio: 0 },
      usage: [usage('bytes_in', [[CLUSTER, 'sa-1', 300]]), usage('bytes_out', [[CLUSTER, 'sa-2', 700]])],
    };
    expect(await rowsOf(world)).toEqual([
      'sa-1 30.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
      'sa-2 70.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
    ]);
  });

  it('26: ratios .6 and .4 from allocator_params', async () => {
    const world: World = {
      lines: cku('100'),
      identities: accounts(1),
      params: { kafka_cku_usage_ratio: 0.6, kafka_cku_shared_ratio: 0.4 },
      usage: [usage('bytes_in', [[CLUSTER, 'sa-1', 1]]), usage('bytes_out', [])],
    };
    expect(await rowsOf(world)).toEqual([
      'sa-1 40.0000 SHARED even_split -',
      'sa-1 60.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
    ]);
  });

  it('27: active identities without metrics share both parts', async () => {
    const world: World = {
      lines: cku('100'),
      identities: [...accounts(3), ...keysOf('sa-1', 'sa-2', 'sa-3')],
      routes: { metricsSource: 'none' },
    };
    expect(await rowsOf(world)).toEqual([
      'sa-1 10.0000 SHARED even_split -',
      'sa-1 23.3334 SHARED even_split NO_USAGE_FOR_ACTIVE_IDENTITIES',
      'sa-2 10.0000 SHARED even_split -',
      'sa-2 23.3333 SHARED even_split NO_USAGE_FOR_ACTIVE_IDENTITIES',
      'sa-3 10.0000 SHARED even_split -',
      'sa-3 23.3333 SHARED even_split NO_USAGE_FOR_ACTIVE_IDENTITIES',
    ]);
  });

  it('28: with nobody active, all of the period share both parts', async () => {
    expect(await rowsOf({ lines: cku('100'), identities: accounts(2) })).toEqual([
      'sa-1 15.0000 SHARED even_split NO_ACTIVE_IDENTITIES_LOCATED',
      'sa-1 35.0000 SHARED even_split NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED',
      'sa-2 15.0000 SHARED even_split NO_ACTIVE_IDENTITIES_LOCATED',
      'sa-2 35.0000 SHARED even_split NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED',
    ]);
  });

  it('29: with nobody at all the cluster bears 100 of 100, stored', async () => {
    const { rows, total } = await settle({ lines: cku('100'), resources: [cluster] });
    expect(total).toBe('100.0000');
    expect(rows.map(brief)).toEqual(['lkc-1 100.0000 SHARED terminal NO_IDENTITIES_LOCATED']);
  });

  it('30: what is smaller than 0.0001 is neither lost nor made up', async () => {
    const { rows, total } = await settle({
      lines: cku('10.00005'),
      resources: [cluster],
      identities: [...accounts(2), ...keysOf('sa-1', 'sa-2')],
    });
    expect(total).toBe('10.00005');
    expect(rows.map(({ amount }) => amount).toSorted()).toEqual(['1.5000', '1.50005', '3.5000', '3.5000']);
  });

  it('allows no ratios that do not add up to 1', () => {
    const params = { kafka_cku_usage_ratio: 0.9 };
    expect(() => routesOf({ params })).toThrow(
      expect.objectContaining({ code: 'CB_CONFIG_VALUE', message: expect.stringContaining('1.2') }),
    );
  });
});

describe('other Confluent vectors', () => {
  it('31: a failed fetch leaves the active identities with equal parts, and says that it failed', async () => {
    const world: World = {
      lines: [line('KAFKA_NETWORK_WRITE', '10', CLUSTER)],
      identities: [identity('b'), identity('a'), ...keysOf('b', 'a')],
      usage: [usage('bytes_in', [], 'failed')],
    };
    expect(await rowsOf(world)).toEqual([
      'a 5.0000 SHARED even_split METRICS_FETCH_FAILED',
      'b 5.0000 SHARED even_split METRICS_FETCH_FAILED',
    ]);
  });

  const pool = resource('lfcp-1', 'flink_compute_pool');
  const flink = (cost: string) => [line('FLINK_NUM_CFUS', cost, 'lfcp-1')];

  it('42: statements of two owners, 30 and 70 CFU', async () => {
    const world: World = {
      lines: flink('10'),
      resources: [pool, statement('stmt-A', 'sa-1'), statement('stmt-B', 'sa-2')],
      identities: accounts(2),
      usage: [
        usage('flink_cfu', [
          ['lfcp-1', 'stmt-A', 30],
          ['lfcp-1', 'stmt-B', 70],
        ]),
      ],
    };
    expect(await rowsOf(world)).toEqual([
      'sa-1 3.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
      'sa-2 7.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
    ]);
  });

  it('43: two statements of one owner are added; one that nobody knows has a sentinel', async () => {
    const world: World = {
      lines: flink('65'),
      resources: [pool, statement('one', 'sa-1'), statement('two', 'sa-1')],
      identities: accounts(1),
      usage: [
        usage('flink_cfu', [
          ['lfcp-1', 'one', 20],
          ['lfcp-1', 'two', 30],
          ['lfcp-1', 'other', 15],
        ]),
      ],
    };
    expect(await rowsOf(world)).toEqual([
      'flink_stmt_owner_unknown 15.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
      'sa-1 50.0000 USAGE usage_ratio USAGE_RATIO_ALLOCATION',
    ]);
  });

  it('44: without metrics the owners of running statements, and not as if it had been measured', async () => {
    const world: World = {
      lines: flink('10'),
      resources: [pool, statement('a', 'sa-running'), statement('b', 'sa-stopped', true)],
      identities: [identity('sa-running'), identity('sa-stopped')],
      usage: [usage('flink_cfu', [])],
    };
    expect(await rowsOf(world)).toEqual(['sa-running 10.0000 SHARED running_statements NO_METRICS_LOCATED']);
  });
});
