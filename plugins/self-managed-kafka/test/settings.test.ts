import { describe, expect, it } from 'vitest';
import { METRIC_PRESET_NAMES } from '../src/metric-presets.ts';
import { queriesOf } from '../src/queries.ts';
import { settingsSchema } from '../src/settings.ts';
import { settingsWith } from './support.ts';

/** Paths and messages of everything that is wrong. */
function problems(overrides: object): string[] {
  const { error } = settingsSchema.safeParse(settingsWith(overrides));
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const sasl = {
  source: 'admin_api',
  bootstrap_servers: 'broker-1:9093',
  security_protocol: 'SASL_SSL',
  sasl_mechanism: 'SCRAM-SHA-512',
  sasl_username: 'reader',
  sasl_password: 'secret',
};

describe('settings', () => {
  it('take the keys of the existing product as they are, with its defaults', () => {
    const parsed = settingsSchema.parse(
      settingsWith({
        region: 'us-west-2',
        cost_model: {
          compute_hourly_rate: '0.10',
          storage_per_gib_hourly: 0.0001,
          network_ingress_per_gib: '0.01',
          network_egress_per_gib: '0.02',
          region_overrides: { 'us-west-2': { compute_hourly_rate: '0.08' } },
        },
        identity_source: {
          source: 'both',
          principal_to_team: { 'User:alice': 'team-a' },
          default_team: 'UNASSIGNED',
          static_identities: [
            { identity_id: 'team-a', identity_type: 'team', display_name: 'Team A', team: 'team-a' },
          ],
        },
        resource_source: { source: 'admin_api', bootstrap_servers: 'a:9092,b:9092' },
        discovery_window_hours: 6,
      }),
    );
    expect(parsed.cost_model.storage_per_gib_hourly.toString()).toBe('0.0001');
    const minimal = settingsSchema.parse(settingsWith({}));
    expect(minimal).toMatchObject({
      metric_preset: 'plain',
      discovery_window_hours: 1,
      charge_to: 'principal',
      storage_allocation: 'even_split',
      identity_source: { source: 'prometheus', principal_to_team: {}, default_team: 'UNASSIGNED' },
      resource_source: { source: 'prometheus', security_protocol: 'PLAINTEXT', timeout_seconds: 30 },
    });
  });

  it('take the discovery window where the existing product’s YAML has it: for principals', () => {
    const windows = (overrides: object): string[] => {
      const queries = queriesOf(settingsSchema.parse(settingsWith(overrides)));
      return (['principals', 'topics'] as const).map(
        (key) => /\[(\d+h)\]/.exec(queries.text(key, 3600))![1]!,
      );
    };
    const own = { identity_source: { discovery_window_hours: 72 } };
    expect(windows(own)).toEqual(['72h', '1h']);
    expect(windows({ ...own, discovery_window_hours: 96 })).toEqual(['72h', '96h']);
    expect(windows({ discovery_window_hours: 96 })).toEqual(['96h', '96h']);
    // Who was there on the day is asked for in any case.
    expect(windows({ identity_source: { discovery_window_hours: 2 } })).toEqual(['24h', '1h']);
  });

  it('take changes of brokers and rates in order of their days, each with something in it', () => {
    const changes = (...days: object[]): string[] => problems({ changes: days });
    const march = { valid_from: '2026-03-01', broker_count: 5 };
    const april = { valid_from: '2026-04-01', cost_model: { compute_hourly_rate: '0.60' } };
    expect(changes(march, april)).toEqual([]);
    expect(changes(april, march)).toEqual([
      'changes.1.valid_from: changes are written in order of their days, each day once: 2026-03-01 comes after 2026-04-01',
    ]);
    expect(changes(march, march)).toHaveLength(1);
    expect(changes({ valid_from: '2026-03-01' })).toEqual([
      'changes.0: a change names a broker_count, a cost_model or both',
    ]);
    expect(changes({ valid_from: '2026-02-30', broker_count: 5 })).toEqual([
      'changes.0.valid_from: a day is written as 2026-02-28',
    ]);
  });

  it.each(METRIC_PRESET_NAMES)('know the preset %s', (metric_preset) => {
    expect(problems({ metric_preset })).toEqual([]);
  });

  it.each([
    ['a cluster without a name', { cluster_id: '' }, 'cluster_id'],
    ['no brokers', { broker_count: 0 }, 'broker_count'],
    ['half a broker', { broker_count: 2.5 }, 'broker_count'],
    ['no metrics', { metrics: undefined }, 'metrics'],
    ['an unknown key', { brokers: 3 }, 'brokers'],
    ['an unknown preset', { metric_preset: 'burrow' }, 'metric_preset'],
    ['a discovery window of nothing', { discovery_window_hours: 0 }, 'discovery_window_hours'],
    ['a step that does not divide a day', { metrics_step_seconds: 7000 }, 'metrics_step_seconds'],
    ['a currency in words', { currency: 'dollars' }, 'currency'],
    ['a payer of another kind', { charge_to: 'topic' }, 'charge_to'],
    ['owner_bytes with nobody owning topics', { storage_allocation: 'owner_bytes' }, 'ownership'],
    ['an identity listed twice', { identity_source: { static_identities: twice() } }, 'identity_id'],
    ['a label that is none', { identity_source: { label: 'client-id' } }, 'identity_source.label'],
  ])('refuse %s', (_what, overrides, where) => {
    expect(problems(overrides).join('\n')).toContain(where);
  });

  it.each(['-0.1', '1,5', '', 'free', 'NaN', 'Infinity', '0x10', '1e13'])('refuse the rate %j', (rate) => {
    const cost_model = {
      ...(settingsWith({}) as { cost_model: object }).cost_model,
      compute_hourly_rate: rate,
    };
    expect(problems({ cost_model }).join()).toContain('cost_model.compute_hourly_rate: a rate is');
  });

  it('refuse an unknown rate in a region, and a rate that is missing', () => {
    const { cost_model } = settingsWith({}) as { cost_model: object };
    const region_overrides = { eu: { compute: '1' } };
    expect(problems({ cost_model: { ...cost_model, region_overrides } }).join()).toContain('compute');
    const { network_egress_per_gib: _, ...rest } = cost_model as Record<string, string>;
    expect(problems({ cost_model: rest }).join()).toContain('network_egress_per_gib');
  });
});

describe('resource_source', () => {
  const of = (resource_source: object): string[] => problems({ resource_source });

  it.each([
    ['plain text', { source: 'admin_api', bootstrap_servers: 'broker-1' }],
    [
      'a list of servers',
      { source: 'admin_api', bootstrap_servers: ['a:9092', '[::1]:9092', '10.0.0.7:9092'] },
    ],
    [
      'TLS',
      { source: 'admin_api', bootstrap_servers: 'a:9093', security_protocol: 'SSL', ca_file: 'ca.pem' },
    ],
    [
      'a client certificate',
      {
        source: 'admin_api',
        bootstrap_servers: 'a:9093',
        security_protocol: 'SSL',
        cert_file: 'c.pem',
        key_file: 'k.pem',
      },
    ],
    ['SCRAM over TLS', sasl],
    ['PLAIN', { ...sasl, security_protocol: 'SASL_PLAINTEXT', sasl_mechanism: 'PLAIN' }],
  ])('takes %s', (_what, source) => {
    expect(of(source)).toEqual([]);
  });

  it.each([
    ['admin_api without servers', { source: 'admin_api' }, 'bootstrap_servers required'],
    [
      'admin_api with empty servers',
      { source: 'admin_api', bootstrap_servers: ' , ' },
      'bootstrap_servers required',
    ],
    ['a URL for a server', { source: 'admin_api', bootstrap_servers: 'kafka://a:9092' }, 'is not host:port'],
    ['a port beyond all ports', { source: 'admin_api', bootstrap_servers: 'a:99999' }, 'is not host:port'],
    ['SASL without a mechanism', { ...sasl, sasl_mechanism: null }, 'requires sasl_mechanism'],
    ['SASL without a user', { ...sasl, sasl_username: null }, 'requires sasl_username'],
    ['SASL without a password', { ...sasl, sasl_password: undefined }, 'requires sasl_password'],
    [
      'credentials without SASL',
      { ...sasl, security_protocol: 'SSL' },
      'sasl_username needs security_protocol SASL_',
    ],
    ['a mechanism on plain text', { ...sasl, security_protocol: 'PLAINTEXT' }, 'sasl_mechanism needs'],
    ['another mechanism', { ...sasl, sasl_mechanism: 'GSSAPI' }, 'sasl_mechanism'],
    ['another protocol', { ...sasl, security_protocol: 'TLS' }, 'security_protocol'],
    ['a certificate without its key', { ...sasl, cert_file: 'c.pem' }, 'cert_file requires key_file'],
    ['a key without its certificate', { ...sasl, key_file: 'k.pem' }, 'key_file requires cert_file'],
    [
      'an authority on plain text',
      { ...sasl, security_protocol: 'SASL_PLAINTEXT', ca_file: 'ca.pem' },
      'ca_file needs security_protocol SSL',
    ],
    ['no time at all', { ...sasl, timeout_seconds: 0 }, 'timeout_seconds'],
  ])('refuses %s', (_what, source, message) => {
    expect(of(source).join('\n')).toContain(message);
  });

  it('refuses bad combinations also while the metrics are the source, and repeats no password', () => {
    const found = of({ ...sasl, source: 'prometheus', security_protocol: 'PLAINTEXT' });
    expect(found).toHaveLength(3);
    expect(found.join()).not.toContain('secret');
  });
});

describe('ownership', () => {
  it.each([
    ['no pattern', { team: 'shop' }, 'exactly one of topic, topic_regex, principal, principal_regex'],
    ['two patterns', { team: 'shop', topic: 'a', principal: 'b' }, 'exactly one of'],
    ['no team', { topic: 'a' }, 'team'],
    ['a broken expression', { team: 'shop', topic_regex: '(' }, 'topic_regex'],
    ['a day that does not exist', { team: 'shop', topic: 'a', valid_from: '2026-02-30' }, 'valid_from'],
    ['a day with a time', { team: 'shop', topic: 'a', valid_to: '2026-02-03T00:00:00Z' }, 'valid_to'],
    [
      'an end before the beginning',
      { team: 'shop', topic: 'a', valid_from: '2026-03-01', valid_to: '2026-03-01' },
      'valid_to must be later than valid_from',
    ],
  ])('refuses an entry with %s', (_what, entry, message) => {
    expect(problems({ ownership: [entry] }).join('\n')).toContain(message);
  });
});

describe('selector and queries', () => {
  it.each(['cluster="prod"', '{cluster="prod"}', ' { env=~"live|te,st", job!="x\\"y" , } ', "a='b'", ''])(
    'take the selector %j',
    (selector) => {
      expect(problems({ selector })).toEqual([]);
    },
  );

  it.each(['cluster=prod', 'cluster="a" env="b"', 'up{cluster="a"}', 'cluster="a"} or up{', 'a==" "'])(
    'refuse the selector %j',
    (selector) => {
      expect(problems({ selector }).join()).toContain('selector: a selector is made of label matchers');
    },
  );

  it.each([
    ['the doctor’s own', { cluster_bytes_in: 'sum(increase(m{topic=""}[{step}]))' }],
    ['the step written out', { cluster_bytes_in: 'sum(increase(m[1h]))' }],
    ['a range that is text', { cluster_bytes_in: 'sum(increase(m{topic!="a[5m]"}[60m]))' }],
    ['instants', { cluster_bytes_out: 'sum_over_time(sum(q)[{instants}]) * {instant_seconds}' }],
    ['a mean over minutes', { cluster_bytes_out: 'avg_over_time(sum(rate(m[5m]))[1h:1m]) * 3600' }],
    ['a rate times its seconds', { cluster_bytes_out: 'sum(rate(m[{step}])) * 3600' }],
    ['any gauge', { cluster_storage_bytes: 'sum(avg_over_time(disk[5m]))' }],
  ])('take a query with %s', (_what, queries) => {
    expect(problems({ queries })).toEqual([]);
  });

  it.each([
    ['a range of another length', { cluster_bytes_in: 'sum(increase(m[5m]))' }, 'not the step of 3600 s'],
    [
      'mixed ranges',
      { cluster_bytes_in: 'sum(increase(a[1h]) + increase(b[30m]))' },
      '[30m] is not the step',
    ],
    ['a sub-query longer than the step', { cluster_bytes_in: 'sum_over_time(q[2h:1m])' }, 'not the step'],
    ['a bare rate', { cluster_bytes_out: 'sum(rate(m[1h]))' }, 'rate per second'],
    [
      'an unknown placeholder',
      { cluster_storage_bytes: 'sum(disk{{cluster}})' },
      'unknown placeholder {cluster}',
    ],
    ['an unknown name', { bytes: 'sum(m)' }, 'queries'],
    ['nothing in it', { cluster_bytes_in: '' }, 'queries.cluster_bytes_in'],
  ])('refuse a query with %s', (_what, queries, message) => {
    expect(problems({ queries }).join('\n')).toContain(message);
  });

  it('measure the range of a query by the step that is configured', () => {
    const queries = { cluster_bytes_in: 'sum(increase(m[1h]))' };
    expect(problems({ queries, metrics_step_seconds: 1800 }).join()).toContain('not the step of 1800 s');
  });

  it('refuse a query that would see other clusters than the selector’s', () => {
    const selector = '{cluster="prod"}';
    const of = (query: string): string[] => problems({ selector, queries: { cluster_storage_bytes: query } });
    expect(of('sum(disk)').join()).toContain('no place for the selector');
    expect(of('sum(disk{{selector}})')).toEqual([]);
    expect(of('sum(disk{cluster="prod",topic=""})')).toEqual([]);
  });

  it('want to know who there is when usage comes from queries of one’s own', () => {
    const queries = { bytes_in_per_principal: 'sum by (principal) (increase(m[{step}]))' };
    expect(problems({ queries }).join()).toContain('principals is needed too');
    expect(problems({ queries: { ...queries, principals: 'group by (principal) (m)' } })).toEqual([]);
    expect(problems({ queries, identity_source: { source: 'static' } })).toEqual([]);
  });
});

function twice(): object[] {
  const identity = { identity_id: 'team-a', identity_type: 'team' };
  return [identity, identity];
}
