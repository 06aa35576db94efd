import type { Finding } from '@chargeback/plugin-api';
import {
  type ConfluentFaultPlan,
  confluentOrganization,
  createConfluentFetch,
  to,
} from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { register } from '../src/index.ts';
import { live, SECRET, testHost } from './scripted-server.ts';

const organization = confluentOrganization({
  clusters: 2,
  serviceAccounts: 10,
  days: 10,
  endDate: new Date('2026-02-19T00:00:00Z'),
});

async function examine(settings: object, faults: ConfluentFaultPlan = []): Promise<Map<string, Finding>> {
  const plugin = register();
  const { host } = testHost();
  const cloud = createConfluentFetch({ organization, faults, clock: host.clock });
  await using ecosystem = await plugin.create(
    plugin.settings.parse({ ccloud_api: { key: 'KEY', secret: SECRET }, ...settings }),
    { ...host, fetch: cloud, createFetch: () => cloud },
  );
  const findings = await ecosystem.doctor!(live());
  expect(JSON.stringify(findings)).not.toContain(SECRET);
  return new Map(findings.map((finding) => [finding.what, finding]));
}

const skipFlink = { skip_listings: ['flink_statement'] };

describe('the doctor', () => {
  it('finds nothing wrong with an organization that answers', async () => {
    const findings = await examine(skipFlink);
    expect([...findings.values()].filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(findings.get('kafka_cluster')?.evidence).toBe('2 listed');
    expect(findings.get('bill')?.evidence).toMatch(/at least 7 days/);
    expect(findings.get('metrics')).toMatchObject({ severity: 'warning', evidence: 'none are configured' });
  });

  it('names what the key may not list, and what to write to do without', async () => {
    const forbidden = await examine(skipFlink, [
      { when: to('ksqldb_clusters', 'api_keys'), effect: { kind: 'status', status: 403 } },
    ]);
    expect(forbidden.get('ksqldb_cluster')).toMatchObject({
      severity: 'error',
      yaml: 'skip_listings:\n  - ksqldb_cluster\n',
    });
    expect(forbidden.get('api_key')?.severity).toBe('error');
    expect(forbidden.get('service_account')?.severity).toBe('ok');
  });

  it('says that the key is not accepted', async () => {
    const refused = await examine({}, [{ effect: { kind: 'status', status: 401 } }]);
    expect(refused.get('bill')).toMatchObject({ severity: 'error' });
    expect(refused.get('bill')?.advice).toContain('ccloud_api.key');
    expect(refused.get('environment')?.severity).toBe('error');
  });

  it('names the regions whose Flink statements nobody can list', async () => {
    const findings = await examine({});
    expect(findings.get('flink_statement')).toMatchObject({ severity: 'warning' });
  });
});
