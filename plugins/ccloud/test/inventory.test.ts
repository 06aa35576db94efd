import type { Identity, IdentityBatch, Problem, Resource, ResourceBatch } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import type { CcloudClient } from '../src/http/ccloud-client.ts';
import { listIdentities } from '../src/inventory/list-identities.ts';
import { listResources } from '../src/inventory/list-resources.ts';
import { parseCrn } from '../src/inventory/read-fields.ts';
import { type Answer, clientOf, collect, live, page, type SeenRequest, serve } from './scripted-server.ts';

const CREATED = '2026-01-05T06:07:08Z';
const metadata = {
  created_at: CREATED,
  resource_name: 'crn://confluent.cloud/organization=org-1/environment=env-1',
};

/** A small organization: answers by path, optionally narrowed to an environment. */
type World = Readonly<Record<string, Answer | ((request: SeenRequest) => Answer)>>;

const ofEnvironment =
  (byEnvironment: Readonly<Record<string, readonly unknown[]>>) =>
  ({ query }: SeenRequest): Answer =>
    page(byEnvironment[query.get('environment') ?? ''] ?? []);

const WORLD: World = {
  '/org/v2/environments': page([
    { id: 'env-1', display_name: 'production', metadata },
    { id: 'env-2', display_name: 'test', metadata: {} },
  ]),
  '/cmk/v2/clusters': ofEnvironment({
    'env-1': [
      {
        id: 'lkc-1',
        spec: {
          display_name: 'orders',
          environment: { id: 'env-1' },
          kafka_bootstrap_endpoint: 'SASL_SSL://pkc-1:9092',
          cloud: ' AWS ',
          region: 'us-East-1',
        },
        metadata,
      },
    ],
    'env-2': [{ id: 'lkc-2', spec: {}, metadata: { created_at: 'soon', deleted_at: '2026-02-01T00:00:00' } }],
  }),
  '/srcm/v3/clusters': ofEnvironment({ 'env-1': [{ id: 'lsrc-1', spec: {}, metadata }] }),
  '/ksqldbcm/v2/clusters': ofEnvironment({
    'env-1': [
      {
        id: 'lksqlc-1',
        spec: { credential_identity: { id: 'sa-9' }, kafka_cluster: { id: 'lkc-1' }, csu: 4 },
        metadata,
      },
    ],
  }),
  '/fcpm/v2/compute-pools': ofEnvironment({
    'env-1': [
      { id: 'lfcp-1', spec: { display_name: 'pool', cloud: 'AWS', region: 'us-east-1' }, metadata },
      { id: 'lfcp-2', spec: { cloud: 'AWS', region: 'US-EAST-1' }, metadata: {} },
    ],
  }),
  '/connect/v1/environments/env-1/clusters/lkc-1/connectors': {
    json: {
      sink: {
        id: { id: 'lcc-1' },
        info: {
          config: {
            'kafka.auth.mode': 'SERVICE_ACCOUNT',
            'kafka.service.account.id': 'sa-1',
            'connector.class': 'S3_SINK',
          },
        },
      },
      source: { id: { id: 'lcc-2' }, info: { config: { 'kafka.api.key': 'KEY-1' } } },
      bare: { info: { config: {} } },
    },
  },
  '/connect/v1/environments/env-2/clusters/lkc-2/connectors': { json: {} },
  '/sql/v1/organizations/org-1/environments/env-1/statements': page([
    {
      name: 'insert-orders',
      metadata: { uid: 'uid-1', created_at: CREATED },
      spec: { principal: 'sa-1', compute_pool_id: 'lfcp-1' },
      status: { phase: 'RUNNING' },
    },
    {
      name: 'old',
      metadata: {},
      spec: { principal: 'u-1', compute_pool: { id: 'lfcp-2' } },
      status: { phase: 'Stopped' },
    },
  ]),
  '/iam/v2/service-accounts': page([{ id: 'sa-1', display_name: 'orders', description: 'writes', metadata }]),
  '/iam/v2/users': page([{ id: 'u-1', full_name: 'Ada', metadata }]),
  '/iam/v2/api-keys': page([
    { id: 'KEY-1', spec: { description: 'k', owner: { id: 'sa-1' }, resource: { id: 'lkc-1' } }, metadata },
    { id: 'KEY-2', spec: {}, metadata: {} },
  ]),
  '/iam/v2/identity-providers': page([{ id: 'op-1', display_name: 'okta', metadata }]),
  '/iam/v2/identity-providers/op-1/identity-pools': page([{ id: 'pool-1', display_name: 'devs' }]),
  '/iam/v2/certificate-authorities': page([{ id: 'op-ca', display_name: 'ca' }]),
  '/iam/v2/certificate-authorities/op-ca/identity-pools': page([{ id: 'pool-cert', display_name: 'mtls' }]),
};

interface Listed {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly identities: ReadonlyMap<string, Identity>;
  /** Types whose whole listing succeeded. */
  readonly whole: ReadonlySet<string>;
  readonly problems: readonly Problem[];
  readonly requests: readonly SeenRequest[];
}

async function list(
  changes: World = {},
  { skip = [], flink = true }: { skip?: readonly string[]; flink?: boolean } = {},
): Promise<Listed> {
  const world: World = { ...WORLD, ...changes };
  await using server = await serve((request) => {
    const answer = world[request.path] ?? { status: 404 };
    return typeof answer === 'function' ? answer(request) : answer;
  });
  const { client } = clientOf(server.url, { maxAttempts: 2 });
  const clientOfRegion = ({ region }: { region: string }): CcloudClient | null =>
    flink && region === 'us-east-1' ? client : null;
  const source = { client, flink: { clientOf: clientOfRegion }, skip: new Set(skip) };
  const resources: ResourceBatch[] = await collect(listResources(source, live()));
  const identities: IdentityBatch[] = await collect(listIdentities(source, live()));
  return {
    resources: new Map(resources.flatMap((batch) => batch.resources).map((one) => [one.resourceId, one])),
    identities: new Map(identities.flatMap((batch) => batch.identities).map((one) => [one.identityId, one])),
    whole: new Set([...resources, ...identities].flatMap(({ authoritativeFor }) => authoritativeFor)),
    problems: [...resources, ...identities].flatMap(({ problems = [] }) => problems),
    requests: server.requests,
  };
}

const ALL_TYPES = [
  'api_key',
  'certificate_pool',
  'connector',
  'environment',
  'flink_compute_pool',
  'flink_statement',
  'group_mapping',
  'identity_pool',
  'identity_provider',
  'kafka_cluster',
  'ksqldb_cluster',
  'schema_registry',
  'service_account',
  'tableflow_topic',
  'user',
];

describe('the inventory', () => {
  it('lists every type, whole', async () => {
    const { whole, problems, resources, identities } = await list();
    expect(problems).toEqual([]);
    expect([...whole].toSorted()).toEqual(ALL_TYPES);
    expect([...resources.keys()].toSorted()).toEqual([
      'env-1',
      'env-1:us-east-1:statement:old',
      'env-2',
      'lcc-1',
      'lcc-2',
      'lfcp-1',
      'lfcp-2',
      'lkc-1',
      'lkc-1:connector:bare',
      'lkc-2',
      'lksqlc-1',
      'lsrc-1',
      'uid-1',
    ]);
    expect([...identities.keys()].toSorted()).toEqual([
      'KEY-1',
      'KEY-2',
      'op-1',
      'pool-1',
      'pool-cert',
      'sa-1',
      'u-1',
    ]);
  });

  it('knows what belongs where, to whom and since when', async () => {
    const { resources, identities } = await list();
    expect(resources.get('lkc-1')).toEqual({
      resourceId: 'lkc-1',
      resourceType: 'kafka_cluster',
      displayName: 'orders',
      parentId: 'env-1',
      ownerId: null,
      createdAt: new Date(CREATED),
      deletedAt: null,
      metadata: {
        cloud: 'aws',
        region: 'us-east-1',
        crn: metadata.resource_name,
        bootstrap_endpoint: 'SASL_SSL://pkc-1:9092',
      },
    });
    expect(resources.get('lkc-2')).toMatchObject({
      parentId: 'env-2',
      createdAt: null,
      deletedAt: new Date('2026-02-01T00:00:00Z'),
    });
    expect(resources.get('lksqlc-1')).toMatchObject({
      ownerId: 'sa-9',
      metadata: { kafka_cluster_id: 'lkc-1', csu_count: 4 },
    });
    expect(identities.get('KEY-1')?.metadata).toEqual({ owner_id: 'sa-1', resource_id: 'lkc-1' });
    expect(identities.get('KEY-2')?.metadata).toEqual({});
    expect(identities.get('pool-1')?.metadata).toEqual({ provider_id: 'op-1' });
    expect(identities.get('u-1')).toMatchObject({ identityType: 'user', displayName: 'Ada' });
    expect(identities.get('pool-cert')?.identityType).toBe('certificate_pool');
  });

  it('reads how connectors authenticate', async () => {
    const { resources } = await list();
    expect(resources.get('lcc-1')).toMatchObject({
      parentId: 'lkc-1',
      ownerId: 'sa-1',
      metadata: { auth_mode: 'SERVICE_ACCOUNT', connector_class: 'S3_SINK', environment_id: 'env-1' },
    });
    expect(resources.get('lcc-2')).toMatchObject({
      ownerId: null,
      metadata: { auth_mode: 'KAFKA_API_KEY', kafka_api_key: 'KEY-1' },
    });
    expect(resources.get('lkc-1:connector:bare')).toMatchObject({
      ownerId: null,
      metadata: { auth_mode: 'UNKNOWN' },
    });
  });

  it('keeps things without an id apart that have one name in two clusters, environments or regions', async () => {
    const bare = { json: { bare: { info: { config: {} } } } };
    const { resources, problems } = await list({
      '/connect/v1/environments/env-1/clusters/lkc-1/connectors': bare,
      '/connect/v1/environments/env-2/clusters/lkc-2/connectors': bare,
      '/fcpm/v2/compute-pools': ofEnvironment({
        'env-1': [{ id: 'lfcp-1', spec: { cloud: 'AWS', region: 'us-east-1' } }],
        'env-2': [{ id: 'lfcp-2', spec: { cloud: 'AWS', region: 'us-east-1' } }],
      }),
      '/sql/v1/organizations/org-1/environments/env-1/statements': page([{ name: 'job' }]),
      '/sql/v1/organizations/org-1/environments/env-2/statements': page([{ name: 'job' }]),
    });
    expect(problems).toEqual([]);
    const unnamed = [...resources.keys()].filter((id) => id.includes(':')).toSorted();
    expect(unnamed).toEqual([
      'env-1:us-east-1:statement:job',
      'env-2:us-east-1:statement:job',
      'lkc-1:connector:bare',
      'lkc-2:connector:bare',
    ]);
  });

  it('asks for Flink statements once for an environment and region, not for each pool', async () => {
    const { requests, resources } = await list();
    expect(requests.filter(({ path }) => path.startsWith('/sql/'))).toHaveLength(1);
    expect(resources.get('uid-1')).toMatchObject({
      displayName: 'insert-orders',
      parentId: 'env-1',
      ownerId: 'sa-1',
      createdAt: new Date(CREATED),
      metadata: { compute_pool_id: 'lfcp-1', is_stopped: false, principal: 'sa-1' },
    });
    expect(resources.get('env-1:us-east-1:statement:old')?.metadata).toMatchObject({
      compute_pool_id: 'lfcp-2',
      is_stopped: true,
    });
  });

  it('finds the organization where no resource name says it', async () => {
    const nameless = { '/org/v2/environments': page([{ id: 'env-1' }]) };
    const pools = {
      '/fcpm/v2/compute-pools': page([{ id: 'lfcp-1', spec: { cloud: 'AWS', region: 'us-east-1' } }]),
    };
    const listed = await list({ ...nameless, ...pools, '/org/v2/organizations': page([{ id: 'org-1' }]) });
    expect(listed.resources.has('uid-1')).toBe(true);
    const unknown = await list({ ...nameless, ...pools, '/org/v2/organizations': page([]) });
    expect(unknown.problems.map(({ path }) => path)).toEqual(['flink_statement']);
    expect(unknown.whole.has('flink_compute_pool')).toBe(true);
  });
});

describe('a listing that fails', () => {
  it.each([
    ['/ksqldbcm/v2/clusters', ['ksqldb_cluster']],
    ['/srcm/v3/clusters', ['schema_registry']],
    ['/iam/v2/api-keys', ['api_key']],
    ['/iam/v2/service-accounts', ['service_account']],
    ['/connect/v1/environments/env-1/clusters/lkc-1/connectors', ['connector']],
    ['/sql/v1/organizations/org-1/environments/env-1/statements', ['flink_statement']],
    ['/iam/v2/identity-providers/op-1/identity-pools', ['identity_pool']],
    ['/iam/v2/certificate-authorities', ['certificate_pool']],
  ])('degrades its own type only: %s', async (path, types) => {
    for (const status of [403, 500]) {
      const { whole, problems } = await list({ [path]: { status } });
      expect(ALL_TYPES.filter((type) => !whole.has(type))).toEqual(types);
      expect(problems).toMatchObject([{ code: 'CB_INVENTORY_GATHER', severity: 'error', path: types[0] }]);
    }
  });

  it('makes what depends on it incomplete too, and is told once', async () => {
    const { whole, problems } = await list({ '/cmk/v2/clusters': { status: 403 } });
    expect(ALL_TYPES.filter((type) => !whole.has(type))).toEqual([
      'connector',
      'kafka_cluster',
      'tableflow_topic',
    ]);
    expect(problems.map(({ path }) => path)).toEqual(['kafka_cluster']);
    expect(problems[0]!.message).toContain('environment env-1 and 1 more');
  });

  it('keeps what the other environments answered', async () => {
    const { resources, whole, problems } = await list({
      '/cmk/v2/clusters': (request) =>
        request.query.get('environment') === 'env-1'
          ? { status: 500 }
          : page([{ id: 'lkc-2', spec: {}, metadata: {} }]),
    });
    expect(resources.has('lkc-2')).toBe(true);
    expect(whole.has('kafka_cluster')).toBe(false);
    expect(problems[0]!.message).toContain('1 of 2 requests failed');
  });

  it('with 404 is an error where a collection must exist, and empty where it need not', async () => {
    const { whole, problems } = await list({
      '/iam/v2/users': { status: 404 },
      '/iam/v2/certificate-authorities': { status: 404 },
      '/iam/v2/sso/group-mappings': { status: 404 },
    });
    expect(problems.map(({ path }) => path)).toEqual(['user']);
    expect([whole.has('user'), whole.has('certificate_pool'), whole.has('group_mapping')]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('with things that have no id is not whole', async () => {
    const { whole, problems, identities } = await list({
      '/iam/v2/users': page([{ full_name: 'Bob' }, { id: 'u-2' }]),
    });
    expect(identities.has('u-2')).toBe(true);
    expect(whole.has('user')).toBe(false);
    expect(problems).toMatchObject([{ severity: 'warning', path: 'user' }]);
  });

  it('can be left out by name', async () => {
    const skip = [
      'ksqldb_cluster',
      'certificate_pool',
      'tableflow_topic',
      'flink_statement',
      'identity_provider',
    ];
    const { whole, problems, requests } = await list({ '/ksqldbcm/v2/clusters': { status: 403 } }, { skip });
    expect(problems).toEqual([]);
    expect(ALL_TYPES.filter((type) => !whole.has(type)).toSorted()).toEqual(
      [...skip, 'identity_pool'].toSorted(),
    );
    expect(requests.filter(({ path }) => /ksqldb|certificate|tableflow|sql|provider/.test(path))).toEqual([]);
  });

  it('says which region has no Flink credentials, and does not take its statements for gone', async () => {
    const { whole, problems } = await list({}, { flink: false });
    expect(whole.has('flink_statement')).toBe(false);
    expect(problems).toMatchObject([{ severity: 'warning', path: 'flink_statement' }]);
    expect(problems[0]!.message).toContain('us-east-1');
  });
});

describe('a resource name', () => {
  it('is read into its segments (reference vector 75)', () => {
    const crn = 'crn://confluent.cloud/organization=abc/environment=env-xyz/kafka=lkc-123';
    expect(Object.fromEntries(parseCrn(crn))).toEqual({
      organization: 'abc',
      environment: 'env-xyz',
      kafka: 'lkc-123',
    });
    expect(Object.fromEntries(parseCrn('crn://confluent.cloud/environment=env-1/odd/=x/y='))).toEqual({
      environment: 'env-1',
    });
    expect(Object.fromEntries(parseCrn(''))).toEqual({});
  });
});
