import { confluentOrganization, type ConfluentSimulator, startConfluentSimulator } from '@chargeback/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ask, AUTHORIZATION, cloud, costsPath, listAll, small } from './confluent-fixture.ts';

const organization = small();
const [environment] = organization.environments;
const environmentId = environment!.id;

describe.each(['over HTTP', 'in process'] as const)('the simulated Confluent Cloud %s', (transport) => {
  let server: ConfluentSimulator;
  let ask: Ask;

  beforeEach(async () => {
    server = await startConfluentSimulator({ organization });
    const overHttp: Ask = (path, init = {}) =>
      fetch(path.startsWith('http') ? path : server.url + path, { headers: AUTHORIZATION, ...init });
    ask = transport === 'over HTTP' ? overHttp : cloud({ organization }).ask;
  });
  afterEach(() => server.stop());

  it('lists everything that lives, each once, page by page', async () => {
    const now = new Date(organization.window.end.getTime() + 5 * 86_400_000);
    const alive = organization.serviceAccounts.filter(
      ({ deletedAt }) => deletedAt === null || deletedAt > now,
    );
    expect(alive.length).toBeLessThan(organization.serviceAccounts.length);
    const listed = await listAll(ask, '/iam/v2/service-accounts?page_size=7');
    expect(listed.map(({ id }) => id)).toEqual(alive.map(({ id }) => id));
    const keys = await listAll(ask, '/iam/v2/api-keys?page_size=100');
    expect(new Set(keys.map(({ id }) => id)).size).toBe(keys.length);
  });

  it('keeps the parameters of a request in the links to its pages', async () => {
    const rows = await listAll(ask, costsPath('2026-06-01', '2026-06-03', '&page_size=10'));
    const whole = await listAll(ask, costsPath('2026-06-01', '2026-06-03'));
    expect(rows).toEqual(whole);
    expect(rows.length).toBeGreaterThan(50);
  });

  it('serves every listing of the inventory', async () => {
    const provider = organization.identityProviders[0]!.id;
    const authority = organization.certificateAuthorities[0]!.id;
    const here = `environment=${environmentId}`;
    const paths = [
      '/org/v2/organizations',
      '/org/v2/environments',
      `/cmk/v2/clusters?${here}`,
      `/srcm/v3/clusters?${here}`,
      `/ksqldbcm/v2/clusters?${here}`,
      `/fcpm/v2/compute-pools?${here}`,
      `/tableflow/v1/tableflow-topics?${here}&spec.kafka_cluster=${organization.clusters[0]!.id}`,
      `/sql/v1/organizations/${organization.id}/environments/${environmentId}/statements`,
      '/iam/v2/service-accounts',
      '/iam/v2/users',
      '/iam/v2/api-keys',
      '/iam/v2/identity-providers',
      `/iam/v2/identity-providers/${provider}/identity-pools`,
      '/iam/v2/certificate-authorities',
      `/iam/v2/certificate-authorities/${authority}/identity-pools`,
      '/iam/v2/sso/group-mappings',
    ];
    for (const path of paths) expect([path, (await listAll(ask, path)).length > 0]).toEqual([path, true]);
  });

  it('gives the connectors of a cluster as one object, without pages', async () => {
    const { id } = organization.clusters[0]!;
    const path = `/connect/v1/environments/${environmentId}/clusters/${id}/connectors?expand=info,status,id`;
    const connectors = (await (await ask(path)).json()) as Record<string, { id: { id: string } }>;
    const expected = organization.connectors.filter(({ clusterId }) => clusterId === id);
    expect(Object.values(connectors).map((one) => one.id.id)).toEqual(expected.map((one) => one.id));
  });

  it.each([
    ['an environment that is not named', '/cmk/v2/clusters', 400],
    ['an environment that does not exist', '/cmk/v2/clusters?environment=env-none', 404],
    ['a path that does not exist', '/iam/v3/users', 404],
    ['a page that is too large', '/iam/v2/users?page_size=101', 400],
    ['a page token that it did not give', '/iam/v2/users?page_token=whatever', 400],
    ['another organization', `/sql/v1/organizations/x/environments/${environmentId}/statements`, 404],
    ['a bill without dates', '/billing/v1/costs', 400],
    ['a day that does not exist', costsPath('2026-02-30', '2026-03-02'), 400],
    ['dates in the wrong order', costsPath('2026-06-03', '2026-06-01'), 400],
    ['a bill of no day', costsPath('2026-06-03', '2026-06-03'), 400],
    ['a bill of more than a month', costsPath('2026-06-01', '2026-07-02'), 400],
    ['a bill of more than a year ago', costsPath('2025-07-05', '2025-07-06'), 400],
  ])('refuses %s', async (_what, path, status) => {
    const response = await ask(path);
    expect(response.status).toBe(status);
    const { errors } = (await response.json()) as { errors: { status: string; detail: string }[] };
    expect(errors).toMatchObject([{ status: String(status), detail: expect.any(String) }]);
  });

  it('takes a whole month, and a start one year back', async () => {
    expect((await ask(costsPath('2026-01-31', '2026-02-28'))).status).toBe(200);
    expect((await ask(costsPath('2025-07-06', '2025-07-07'))).status).toBe(200);
  });

  it('lets nobody in without key and secret, and takes no other method', async () => {
    expect((await ask('/iam/v2/users', { headers: {} })).status).toBe(401);
    expect((await ask('/iam/v2/users', { method: 'POST', headers: AUTHORIZATION })).status).toBe(405);
  });
});

describe('the simulated Confluent Cloud', () => {
  it('lets in only the credentials that it was given', async () => {
    const { ask } = cloud({ organization, credentials: [{ key: 'key', secret: 'other:secret' }] });
    expect((await ask('/iam/v2/users')).status).toBe(401);
    const headers = { authorization: `Basic ${Buffer.from('key:other:secret').toString('base64')}` };
    expect((await ask('/iam/v2/users', { headers })).status).toBe(200);
  });

  it('shows a region its own statements only', async () => {
    const server = await startConfluentSimulator({ organization });
    const path = `/sql/v1/organizations/${organization.id}/environments/${environmentId}/statements`;
    const { cloud: provider, region } = organization.computePools[0]!;
    try {
      const at = (url: string): Promise<number> =>
        listAll((next) => fetch(next, { headers: AUTHORIZATION }), url + path).then(({ length }) => length);
      expect(await at(server.flinkUrl({ cloud: provider, region }))).toBeGreaterThan(0);
      expect(await at(server.flinkUrl({ cloud: provider, region: 'elsewhere-1' }))).toBe(0);
    } finally {
      await server.stop();
    }
    const { ask } = cloud({ organization });
    expect((await listAll(ask, `https://flink.${region}.aws.confluent.cloud${path}`)).length).toBeGreaterThan(
      0,
    );
    expect(await listAll(ask, `https://flink.elsewhere-1.aws.confluent.cloud${path}`)).toEqual([]);
  });

  it('forgets the dead and does not know the unborn, by its clock', async () => {
    let now = new Date(organization.window.start.getTime() + 1);
    const { ask } = cloud({ organization, clock: () => now });
    const ids = async () =>
      (await listAll(ask, '/iam/v2/service-accounts?page_size=100')).map(({ id }) => id);
    const coming = organization.serviceAccounts[3]!.id;
    const going = organization.serviceAccounts[7]!.id;
    const early = await ids();
    expect([early.includes(coming), early.includes(going)]).toEqual([false, true]);
    now = organization.window.end;
    const late = await ids();
    expect([late.includes(coming), late.includes(going)]).toEqual([true, false]);
  });

  it('answers for fifty clusters and a thousand accounts in a moment', async () => {
    const large = cloud({
      organization: confluentOrganization({
        clusters: 50,
        serviceAccounts: 1000,
        endDate: organization.window.end,
      }),
    });
    const before = process.cpuUsage();
    const rows = await listAll(large.ask, costsPath('2026-06-01', '2026-07-01'));
    const keys = await listAll(large.ask, '/iam/v2/api-keys?page_size=100');
    const { user } = process.cpuUsage(before);
    expect(rows.length).toBeGreaterThan(10_000);
    expect(keys.length).toBeGreaterThan(2900);
    expect(user / 1e6).toBeLessThan(10);
  });
});
