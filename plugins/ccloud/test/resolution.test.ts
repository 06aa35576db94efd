import { describe, expect, it } from 'vitest';
import { identitiesBesidesListings, SENTINELS, unlistedIdentity } from '../src/resolution/sentinels.ts';
import { apiKey, identity, line, resource, routesOf, settle, usage, type World } from './products-support.ts';

const DAY_BEFORE = new Date('2026-01-31T00:00:00Z');
const DAY_AFTER = new Date('2026-02-02T00:00:00Z');

async function bearers(world: World): Promise<string[]> {
  const { rows } = await settle(world);
  return [...new Set(rows.map(({ identityId }) => identityId))].toSorted();
}

describe('who is active on a cluster', () => {
  const cluster = resource('lkc-1', 'kafka_cluster');
  const storage = [line('KAFKA_STORAGE', '12', 'lkc-1')];

  it('owners of its API keys, not of other keys', async () => {
    const identities = [
      ...['sa-1', 'sa-2', 'u-3'].map((id) => identity(id)),
      apiKey('K1', 'lkc-1', 'sa-1'),
      apiKey('K2', 'lkc-1', 'u-3'),
      apiKey('K3', 'lkc-2', 'sa-2'),
      apiKey('K4', 'cloud', 'sa-2'),
    ];
    expect(await bearers({ lines: storage, resources: [cluster], identities })).toEqual(['sa-1', 'u-3']);
  });

  it('a key without owner is borne by a named sentinel that the identity table knows', async () => {
    const world: World = {
      lines: storage,
      resources: [cluster],
      identities: [identity('sa-1'), apiKey('K1', 'lkc-1', 'sa-1'), apiKey('K2', 'lkc-1', null)],
    };
    const { rows, identities } = await settle(world);
    expect(rows.map(({ identityId, amount }) => [identityId, amount])).toEqual([
      ['api_key_owner_unknown', '6.0000'],
      ['sa-1', '6.0000'],
    ]);
    expect(identities.get('api_key_owner_unknown')?.identityType).toBe('api_key_owner');
  });

  it('traffic of a key without owner is not charged to the key', async () => {
    const world: World = {
      lines: [line('KAFKA_NETWORK_WRITE', '10', 'lkc-1')],
      resources: [cluster],
      identities: [identity('sa-1'), apiKey('K2', 'lkc-1', null)],
      usage: [
        usage('bytes_in', [
          ['lkc-1', 'K2', 3],
          ['lkc-1', 'sa-1', 1],
        ]),
      ],
    };
    const { rows } = await settle(world);
    expect(rows.map(({ identityId, amount }) => [identityId, amount])).toEqual([
      ['api_key_owner_unknown', '7.5000'],
      ['sa-1', '2.5000'],
    ]);
  });

  it('a principal that no listing knows is charged by its id and enters the identity table', async () => {
    const world: World = {
      lines: [line('KAFKA_NETWORK_READ', '10', 'lkc-1')],
      resources: [cluster],
      identities: [identity('sa-1')],
      usage: [usage('bytes_out', [['lkc-1', 'sa-gone', 1]])],
    };
    const { rows, identities } = await settle(world);
    expect(rows.map(({ identityId }) => identityId)).toEqual(['sa-gone']);
    expect(identities.get('sa-gone')).toMatchObject({
      identityType: 'principal',
      metadata: { kind: 'service_account' },
    });
  });

  it('the inventory of the window counts, not today’s', async () => {
    const key = (id: string, owner: string, lifetime: object) => ({
      ...apiKey(id, 'lkc-1', owner),
      ...lifetime,
    });
    const identities = [
      identity('sa-1'),
      identity('sa-2'),
      identity('sa-3'),
      key('K1', 'sa-1', { deletedAt: DAY_BEFORE }),
      key('K2', 'sa-2', { createdAt: DAY_BEFORE, deletedAt: DAY_AFTER }),
      key('K3', 'sa-3', { createdAt: DAY_AFTER }),
    ];
    expect(await bearers({ lines: storage, resources: [cluster], identities })).toEqual(['sa-2']);
  });

  it('without anybody active, accounts, users and pools share; keys, providers and sentinels do not', async () => {
    const identities = [
      identity('sa-1'),
      identity('u-1', 'user'),
      identity('pool-1', 'identity_pool'),
      identity('pool-2', 'certificate_pool'),
      identity('op-1', 'identity_provider'),
      identity('group-1', 'group_mapping'),
      unlistedIdentity('sa-gone'),
      apiKey('K9', 'lkc-9', 'sa-1'),
    ];
    expect(await bearers({ lines: storage, resources: [cluster], identities })).toEqual([
      'pool-1',
      'pool-2',
      'sa-1',
      'u-1',
    ]);
  });
});

describe('the owner of a connector', () => {
  const connector = (metadata: Record<string, string>, ownerId: string | null = null) =>
    resource('lcc-1', 'connector', { metadata, ownerId, displayName: 'sink' });
  const identities = [
    identity('sa-1'),
    apiKey('KEY', 'lkc-1', 'sa-1'),
    apiKey('NO-OWNER', 'lkc-1', null),
    apiKey('GONE', 'lkc-1', 'sa-gone'),
  ];

  it.each([
    ['its service account', { auth_mode: 'SERVICE_ACCOUNT', kafka_service_account_id: 'sa-1' }, 'sa-1'],
    ['a deleted account', { auth_mode: 'SERVICE_ACCOUNT', kafka_service_account_id: 'sa-old' }, 'sa-old'],
    ['no account named', { auth_mode: 'SERVICE_ACCOUNT' }, 'connector_credentials_unknown'],
    ['owner of its key', { auth_mode: 'KAFKA_API_KEY', kafka_api_key: 'KEY' }, 'sa-1'],
    ['owner gone', { auth_mode: 'KAFKA_API_KEY', kafka_api_key: 'GONE' }, 'sa-gone'],
    [
      'key without owner',
      { auth_mode: 'KAFKA_API_KEY', kafka_api_key: 'NO-OWNER' },
      'connector_credentials_unknown',
    ],
    [
      'masked key',
      { auth_mode: 'KAFKA_API_KEY', kafka_api_key: '****************' },
      'connector_api_key_masked',
    ],
    [
      'vanished key',
      { auth_mode: 'KAFKA_API_KEY', kafka_api_key: 'VANISHED' },
      'connector_api_key_not_found',
    ],
    ['no key named', { auth_mode: 'KAFKA_API_KEY' }, 'connector_credentials_unknown'],
    ['an unknown mode', { auth_mode: 'OAUTH' }, 'lcc-1'],
    ['no mode', {}, 'lcc-1'],
  ])('%s', async (_what, metadata, bearer) => {
    const lines = [line('CONNECT_NUM_TASKS', '5', 'lcc-1')];
    const { rows } = await settle({ lines, resources: [connector(metadata)], identities });
    expect(rows).toMatchObject([{ identityId: bearer, amount: '5.0000', costType: 'USAGE', detail: null }]);
  });

  it('a connector that no listing knows', async () => {
    const lines = [line('CONNECT_CAPACITY', '5', 'lcc-9')];
    const { rows } = await settle({ lines, identities });
    expect(rows).toMatchObject([{ identityId: 'connector_credentials_masked', costType: 'SHARED' }]);
  });
});

describe('the owner of a ksqlDB cluster', () => {
  const lines = [line('KSQL_NUM_CSUS', '5', 'lksqlc-1')];
  it.each([
    ['its credential identity', 'sa-1', 'sa-1'],
    ['nobody', null, 'ksqldb_owner_unknown'],
  ])('%s', async (_what, ownerId, bearer) => {
    const resources = [resource('lksqlc-1', 'ksqldb_cluster', { ownerId })];
    expect(await bearers({ lines, resources, identities: [identity('sa-1')] })).toEqual([bearer]);
  });

  it('a cluster that no listing knows', async () => {
    expect(await bearers({ lines, identities: [identity('sa-1')] })).toEqual([
      'ksqldb_deleted_when_calc_started',
    ]);
  });
});

describe('Flink statements', () => {
  const pool = resource('lfcp-1', 'flink_compute_pool');
  const lines = [line('FLINK_NUM_CFUS', '10', 'lfcp-1')];
  const run = (id: string, name: string, owner: string, createdAt: Date | null, poolId = 'lfcp-1') =>
    resource(id, 'flink_statement', {
      ownerId: owner,
      createdAt,
      displayName: name,
      metadata: { compute_pool_id: poolId, statement_name: name, is_stopped: false },
    });

  it('a name that is used again belongs to the statement that began last, in whatever order they are listed', async () => {
    const late = new Date('2026-02-01T10:00:00Z');
    const statements = [run('b', 'job', 'sa-old', DAY_BEFORE), run('a', 'job', 'sa-new', late)];
    const totals = [usage('flink_cfu', [['lfcp-1', 'job', 5]])];
    for (const listed of [statements, statements.toReversed()]) {
      expect(await bearers({ lines, resources: [pool, ...listed], usage: totals })).toEqual(['sa-new']);
    }
  });

  it('a statement of the same name in another pool does not count', async () => {
    const resources = [pool, run('a', 'job', 'sa-1', null), run('b', 'job', 'sa-2', null, 'lfcp-2')];
    const totals = [usage('flink_cfu', [['lfcp-1', 'job', 5]])];
    expect(await bearers({ lines, resources, usage: totals })).toEqual(['sa-1']);
  });

  it('names of statements do not become identities', async () => {
    const resources = [pool, run('a', 'job', 'sa-1', null)];
    const totals = [usage('flink_cfu', [['lfcp-1', 'job', 5]])];
    // The line on the cluster is shared by all identities of the period: a statement is none.
    const both = [...lines, line('KAFKA_STORAGE', '1', 'lkc-1')];
    const { rows } = await settle({ lines: both, resources, usage: totals });
    expect(rows.map(({ identityId }) => identityId).toSorted()).toEqual(['lkc-1', 'sa-1']);
  });

  it('running statements count by number where nothing was measured', async () => {
    const resources = [
      pool,
      run('a', 'one', 'sa-1', null),
      run('b', 'two', 'sa-1', null),
      run('c', 'three', 'sa-2', null),
    ];
    const { rows } = await settle({ lines, resources, usage: [usage('flink_cfu', [['lfcp-1', 'one', 0]])] });
    expect(rows.map(({ identityId, amount, detail }) => [identityId, amount, detail])).toEqual([
      ['sa-1', '6.6667', 'NO_USAGE_FOR_ACTIVE_IDENTITIES'],
      ['sa-2', '3.3333', 'NO_USAGE_FOR_ACTIVE_IDENTITIES'],
    ]);
  });
});

describe('identities besides the listings', () => {
  it('are the sentinels, owners that are only mentioned, and connectors that stand for themselves', () => {
    const found = identitiesBesidesListings(
      [
        resource('lcc-1', 'connector', { metadata: { auth_mode: 'OAUTH' } }),
        resource('lcc-2', 'connector', {
          metadata: { auth_mode: 'SERVICE_ACCOUNT', kafka_service_account_id: 'sa-9' },
        }),
        resource('uid', 'flink_statement', { ownerId: 'u-7' }),
        resource('lksqlc-1', 'ksqldb_cluster', { ownerId: 'sa-1' }),
      ],
      [identity('sa-1'), apiKey('K', 'lkc-1', 'sa-8')],
    );
    const sentinels = Object.values(SENTINELS).map(({ identityId }) => identityId);
    expect(found.map(({ identityId }) => identityId).toSorted()).toEqual(
      [...sentinels, 'lcc-1', 'sa-8', 'sa-9', 'u-7'].toSorted(),
    );
    expect(new Set(found.map(({ identityType }) => identityType))).not.toContain('system');
  });

  it('a name tells what it was', () => {
    const kinds = ['sa-1', 'u-1', 'pool-1', '12345', 'x-1'].map(
      (id) => unlistedIdentity(id).metadata['kind'],
    );
    expect(kinds).toEqual(['service_account', 'user', 'identity_pool', 'unknown', 'unknown']);
    expect(unlistedIdentity('connector_api_key_masked')).toBe(SENTINELS.connectorApiKeyMasked);
  });
});

it('every route resolves whatever the line lacks', () => {
  const { routes, fallback } = routesOf();
  for (const route of [...routes, fallback]) {
    const nothing = route.resolve({
      line: line(route.productType, '1', null),
      resource: null,
      window: { start: DAY_BEFORE, end: DAY_AFTER },
      inventory: { resources: new Map(), identities: new Map() },
      usage: () => ({
        totals: new Map(),
        coverage: { samplesSeen: 0, samplesExpected: 0 },
        outcome: 'not_configured',
      }),
      params: {},
    });
    expect(nothing.metricsDerived).toEqual([]);
  }
});

it('the usage of another time on the same cluster is resolved by itself', () => {
  const { routes } = routesOf();
  const { resolve } = routes.find(({ productType }) => productType === 'KAFKA_STORAGE')!;
  const inventory = { resources: new Map(), identities: new Map() };
  const seen = ['sa-2', 'sa-1', 'sa-1'].map((name) => {
    const { metricsDerived } = resolve({
      line: line('KAFKA_STORAGE', '1', 'lkc-1'),
      resource: null,
      window: { start: DAY_BEFORE, end: DAY_AFTER },
      inventory,
      usage: () => ({
        totals: new Map([[name, 1]]),
        coverage: { samplesSeen: 1, samplesExpected: 1 },
        outcome: 'complete',
      }),
      params: {},
    });
    return metricsDerived.map(({ identityId }) => identityId);
  });
  expect(seen).toEqual([['sa-2'], ['sa-1'], ['sa-1']]);
});
